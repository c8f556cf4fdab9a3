"""Who left, how far every tenant is with it, and what was left open: one row per departure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Min, Q
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.web.days import day_of, end_of, start_of
from technicians.models import Offboarding, Technician
from tenants.models import Run, Step
from tenants.models.run import condition_counts
from tenants.plans import RunState, StepKind, StepState, run_state
from tenants.run_queries import EXCEPTIONS

CHUNK = 100
NAMES_IN_A_CELL = 10
"""Accounts that an exception names; the evidence names all."""


@dataclass(frozen=True)
class Question:
    """Departures between two days, both included; None: no limit."""

    since: dt.date | None = None
    until: dt.date | None = None

    @classmethod
    def read(cls, given: Any) -> Question:
        """From a query string. Raises BadInput for what is not a day, and when it ends before it begins."""
        since, until = day_of(given.get("since", "")), day_of(given.get("until", ""))
        if since and until and until < since:
            raise BadInput(_("The last day is before the first; turn them round."))
        return cls(since, until)


@dataclass(frozen=True)
class Gap:
    """The same exception on one or more accounts. `by` is who accepted it, "" while nobody has."""

    state: StepState
    kind: StepKind
    reason: str
    by: str
    accounts: tuple[str, ...]

    def __str__(self) -> str:
        named, more = ", ".join(self.accounts[:NAMES_IN_A_CELL]), len(self.accounts) - NAMES_IN_A_CELL
        where = _("%(named)s and %(more)d more") % {"named": named, "more": more} if more > 0 else named
        who = f" ({self.by})" if self.by else ""
        return f"{self.kind.label}: {self.state.label}{who}; {where}; {self.reason}"


@dataclass(frozen=True)
class LeaverRow:
    """One departure, as far as the reader sees it. Times are UTC; counts are of steps.

    The times and the duration leave out the second look, which comes about an hour later by design.
    """

    technician: Technician
    run: Run
    accounts: int
    methods: int
    methods_verified: int
    methods_already_gone: int
    passwords: int
    passwords_verified: int
    state: RunState
    gaps: tuple[Gap, ...]
    first_verified_at: dt.datetime | None
    last_verified_at: dt.datetime | None
    second_look_at: dt.datetime | None

    @property
    def duration(self) -> dt.timedelta | None:
        """From the decision to the last proof."""
        return self.last_verified_at - self.run.started_at if self.last_verified_at else None


def departures(user: Any, question: Question) -> Any:
    """Newest first: a queryset to page through."""
    found = Offboarding.objects.visible_to(user).select_related("technician", "run__requested_by")
    if question.since:
        found = found.filter(run__started_at__gte=start_of(question.since))
    if question.until:
        found = found.filter(run__started_at__lt=end_of(question.until))
    return found.order_by("-run__started_at", "pk")


def every_row(user: Any, question: Question) -> Iterator[LeaverRow]:
    """All of it, in chunks. The days are read now, in the reader's time zone, however late the rows are."""
    found = departures(user, question)

    def in_chunks() -> Iterator[LeaverRow]:
        rest = iter(found.iterator(chunk_size=CHUNK))
        while chunk := list(islice(rest, CHUNK)):
            yield from rows_of(chunk, user)

    return in_chunks()


def rows_of(departed: Iterable[Offboarding], user: Any) -> list[LeaverRow]:
    """The rows of these departures, in their order: two queries, however many."""
    departed = list(departed)
    steps = Step.objects.visible_to(user).filter(target__run__in=[d.run_id for d in departed])
    counts = {row["target__run_id"]: row for row in _counts(steps)}
    gaps = _gaps(steps)
    return [_row(d, counts.get(d.run_id), gaps[d.run_id]) for d in departed]


def _counts(steps: Any) -> Any:
    removal, rotation = Q(kind=StepKind.REMOVE_METHOD), Q(kind=StepKind.ROTATE_PASSWORD)
    verified, second = Q(status=StepState.VERIFIED), Q(kind=StepKind.SECOND_LOOK)
    return (
        steps.values("target__run_id")
        .annotate(
            **condition_counts(""),
            accounts=Count("target", distinct=True),
            methods=Count("pk", filter=removal),
            methods_verified=Count("pk", filter=removal & verified),
            methods_already_gone=Count("pk", filter=removal & Q(status=StepState.NEEDLESS)),
            passwords=Count("pk", filter=rotation),
            passwords_verified=Count("pk", filter=rotation & verified),
            first_verified_at=Min("verified_at", filter=verified & ~second),
            last_verified_at=Max("verified_at", filter=verified & ~second),
            second_look_at=Max("due_at", filter=second),
        )
        .order_by()
    )


def _row(departed: Offboarding, counted: dict[str, Any] | None, gaps: tuple[Gap, ...]) -> LeaverRow:
    counted = counted or {}
    numbers = (
        "accounts", "methods", "methods_verified", "methods_already_gone", "passwords", "passwords_verified"
    )  # fmt: skip
    return LeaverRow(
        technician=departed.technician,
        run=departed.run,
        state=run_state(**{name: counted.get(name, 0) for name in condition_counts("")}, paused=departed.run.is_paused),
        gaps=gaps,
        first_verified_at=counted.get("first_verified_at"),
        last_verified_at=counted.get("last_verified_at"),
        second_look_at=counted.get("second_look_at"),
        **{name: counted.get(name, 0) for name in numbers},
    )


def _gaps(steps: Any) -> defaultdict[UUID, tuple[Gap, ...]]:
    """The exceptions of each run, the same ones on several accounts told once."""
    open_steps = steps.filter(status__in=EXCEPTIONS).order_by("target__position", "position").values_list(
        "target__run_id", "status", "kind", "problem", "waived_reason", "waived_by__name",
        "target__account__user_principal_name",
    )  # fmt: skip
    found: defaultdict[UUID, dict[tuple[str, ...], Gap]] = defaultdict(dict)
    for run_id, status, kind, problem, waived_reason, waived_by, account in open_steps:
        waived = status == StepState.WAIVED
        reason, by = (waived_reason, waived_by or "") if waived else (problem, "")
        same = found[run_id]
        key = (status, kind, reason, by)
        gap = same.get(key) or Gap(StepState(status), StepKind(kind), reason, by, ())
        same[key] = replace(gap, accounts=(*gap.accounts, account))
    return defaultdict(tuple, {run_id: tuple(same.values()) for run_id, same in found.items()})


# --- as a sheet --------------------------------------------------------------------------------------------------


def header() -> list[str]:
    return [
        _("Who"), _("E-mail"), _("Left at"), _("Decided by"), _("Reason"), _("Accounts"), _("Authenticators to remove"),
        _("Removed, verified"), _("Already gone"), _("Passwords to change"), _("Changed, verified"), _("State now"),
        _("First verified at"), _("Last verified at"), _("Seconds to the last proof"), _("Second look at"),
        _("Exceptions"), _("Run"),
    ]  # fmt: skip


def as_cells(row: LeaverRow) -> Iterator[list[Any]]:
    yield [
        row.technician.name, row.technician.email, row.technician.left_at,
        row.run.requested_by.email if row.run.requested_by else "", row.run.reason, row.accounts, row.methods,
        row.methods_verified, row.methods_already_gone, row.passwords, row.passwords_verified, row.state.label,
        row.first_verified_at, row.last_verified_at, row.duration, row.second_look_at,
        " | ".join(map(str, row.gaps)), str(row.run.pk),
    ]  # fmt: skip
