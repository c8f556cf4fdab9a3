"""How long a run took, and how long it may take: read from the times in its steps, for pages and commands."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Max, Min, OuterRef, Q
from django.db.models.functions import Coalesce

from msp.ledger.canonical import rfc3339
from tenants.clock_plans import percentile
from tenants.models import Run, Step, Target
from tenants.models.run import FOR_A_PERSON, UNDER_WAY, condition_counts
from tenants.plans import ACTS, RunState, StepKind, run_state

CLEAN = (RunState.CLEAN_SO_FAR, RunState.CLEAN)
TAKES_ACCESS = (
    Run.Kind.OFFBOARDING,
    Run.Kind.SUSPENSION,
)
"""The kinds that end a person's access inside Latchkey."""


@dataclass(frozen=True)
class Clocks:
    """The clocks of the part of a run that one person sees. Durations count from `started_at`; None: not yet.

    A tenant is clean when everything on its accounts was read back and found so, with no gap that was accepted. `late`
    are accounts whose deadline is past and where access may be left.
    """

    started_at: dt.datetime
    access_ended: dt.timedelta | None
    tenants: int
    tenants_clean: int
    first: dt.timedelta | None
    last: dt.timedelta | None
    half: dt.timedelta | None
    most: dt.timedelta | None
    next_deadline: dt.datetime | None
    late: int

    @property
    def all_clean(self) -> bool:
        return 0 < self.tenants == self.tenants_clean


def with_access_left() -> Exists:
    """For targets: an act on the account is still open, so the leaver's access may be there.

    A gap that a person accepted, what a person stated and what was cancelled have been decided: no clock runs.
    """
    acts = Step.objects.filter(target=OuterRef("pk"), kind__in=ACTS, status__in=[*UNDER_WAY, *FOR_A_PERSON])
    return Exists(acts)


def clocks_of(run: Run, user: Any, now: dt.datetime) -> Clocks:
    """Three queries, however large the run."""
    return _clocks(run, Step.objects.visible_to(user), Target.objects.visible_to(user), now)


def clocks_of_all(run: Run, now: dt.datetime) -> Clocks:
    """Of the whole run, for whoever sits at the machine."""
    return _clocks(run, Step.objects.all(), Target.objects.all(), now)


def _clocks(run: Run, steps: Any, targets: Any, now: dt.datetime) -> Clocks:
    tenants = list(
        steps.filter(target__run=run)
        .values("target__account__tenant_id")
        .annotate(
            **condition_counts(""),
            done_at=Max(Coalesce("verified_at", "changed_at"), filter=~Q(kind=StepKind.SECOND_LOOK)),
        )
        .order_by()
    )
    took = sorted(row["done_at"] - run.started_at for row in tenants if _is_clean(row))
    dates = (
        targets.filter(with_access_left(), run=run, deadline_at__isnull=False)
        .values("deadline_at")
        .aggregate(next=Min("deadline_at", filter=Q(deadline_at__gt=now)))
    )
    late = targets.filter(with_access_left(), run=run, deadline_at__lte=now).count()
    return Clocks(
        started_at=run.started_at,
        access_ended=_access_ended(run),
        tenants=len(tenants),
        tenants_clean=len(took),
        first=took[0] if took else None,
        last=took[-1] if took and len(took) == len(tenants) else None,
        half=percentile(took, 0.5),
        most=percentile(took, 0.95),
        next_deadline=dates["next"],
        late=late,
    )


def _is_clean(counts: dict[str, Any]) -> bool:
    """While the second look is still to come, a tenant with accepted gaps is "clean so far" too: it does not count."""
    state = run_state(**{name: counts[name] for name in condition_counts("")})
    return state in CLEAN and not counts["waived"] and not counts["stated"]


def _access_ended(run: Run) -> dt.timedelta | None:
    """From when it was asked for until the person could not sign in here any more.

    Without a request that waited, access ends in the transaction that writes the run down.
    """
    request = getattr(run, "departure_request", None)
    if request is not None:
        ended: dt.datetime = request.access_ended_at or run.started_at
        return max(dt.timedelta(0), ended - request.requested_at)
    return dt.timedelta(0) if run.kind in TAKES_ACCESS else None


def clocks_as_facts(clocks: Clocks) -> dict[str, Any]:
    """{"access_ended", "first_tenant_clean", "last_tenant_clean", "p50", "p95": seconds or None, "tenants",
    "tenants_clean", "next_deadline_at": RFC 3339 or None, "late_accounts"}.
    """
    return {
        "access_ended": _seconds(clocks.access_ended),
        "first_tenant_clean": _seconds(clocks.first),
        "last_tenant_clean": _seconds(clocks.last),
        "p50": _seconds(clocks.half),
        "p95": _seconds(clocks.most),
        "tenants": clocks.tenants,
        "tenants_clean": clocks.tenants_clean,
        "next_deadline_at": rfc3339(clocks.next_deadline) if clocks.next_deadline else None,
        "late_accounts": clocks.late,
    }


def _seconds(duration: dt.timedelta | None) -> float | None:
    return None if duration is None else round(duration.total_seconds(), 3)
