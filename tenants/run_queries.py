"""What pages, commands and evidence read about runs. Every function asks a constant number of queries."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q

from msp.ledger.canonical import rfc3339
from tenants.models import Run, Step, Target
from tenants.models.run import FOR_A_PERSON, UNDER_WAY, condition_counts
from tenants.plans import ACTS, TRIES, RunState, StepKind, StepState, run_state

EXCEPTIONS = (
    StepState.UNVERIFIED,
    StepState.REFUSED,
    StepState.BLOCKED,
    StepState.WAIVED,
    StepState.STATED,
    StepState.CANCELLED,
)
"""The states of a step that did not have its effect, or was not seen to have it."""


LOOKED = (StepState.VERIFIED, StepState.UNVERIFIED)
"""The states of a second look that was taken, whatever it found; one that a guard stopped was not."""


def state_of_steps(steps: Iterable[Step], *, paused: bool = False) -> RunState:
    """The state of an account, a tenant or a run from its steps in memory, in the words of a run."""
    return state_of_counts(((s.status, s.kind, 1) for s in steps), paused=paused)


def state_of_counts(counted: Iterable[tuple[str, str, int]], *, paused: bool = False) -> RunState:
    """The same from how many steps of which kind are in which state: (state, kind, count)."""
    rows = [(status, kind == StepKind.SECOND_LOOK, count) for status, kind, count in counted]
    return run_state(
        under_way=sum(n for status, second, n in rows if status in UNDER_WAY and not second),
        for_a_person=sum(n for status, _second, n in rows if status in FOR_A_PERSON),
        waived=sum(n for status, _second, n in rows if status == StepState.WAIVED),
        stated=sum(n for status, _second, n in rows if status == StepState.STATED),
        cancelled=sum(n for status, _second, n in rows if status == StepState.CANCELLED),
        second_looks=sum(n for status, second, n in rows if status in UNDER_WAY and second),
        paused=paused,
    )


def second_look_of(steps: Iterable[Step]) -> dt.datetime | None:
    """When the last of the second looks is due, or was; None while none has a time yet."""
    return max((s.due_at for s in steps if s.kind == StepKind.SECOND_LOOK and s.due_at), default=None)


def targets_of(run: Run, *, tenant_ids: Iterable[UUID] | None = None) -> list[Target]:
    """The targets in order of work, with account, tenant, customer, steps and their methods loaded: two queries."""
    targets = run.targets.select_related("account__tenant__customer").order_by("position")
    if tenant_ids is not None:
        targets = targets.filter(account__tenant__in=list(tenant_ids))
    return list(targets.prefetch_related("steps__method", "steps__waived_by", "steps__stated_by"))


# --- one run as plain facts: what commands print -----------------------------------------------------------------


def run_as_facts(run: Run) -> dict[str, Any]:
    """One run as plain values, ready for JSON: what `run show --json`, `offboard --json` and `demo --once` print.

    {"id", "kind", "state", "reason", "requested_by", "started_at", "second_look_at", "accounts",
    "steps": {state: count}, "accounts_detail": [{"tenant", "account", "state",
    "steps": [{"id", "kind", "method", "state", "seconds", "request_ids", "problem"}]}]}.
    Times are RFC 3339 in UTC or None; `seconds` is from sent to verified, None when it was not sent or not verified.
    The state of an account is a word of RunState too.
    """
    targets = targets_of(run)
    steps = [s for t in targets for s in t.steps.all()]
    return {
        "id": str(run.pk),
        "kind": str(run.kind),
        "state": str(state_of_steps(steps, paused=run.is_paused)),
        "reason": run.reason,
        "requested_by": run.requested_by.email if run.requested_by else None,
        "started_at": rfc3339(run.started_at),
        "second_look_at": rfc3339_or_none(second_look_of(steps)),
        "accounts": len(targets),
        "steps": {str(state): count for state in StepState if (count := sum(s.status == state for s in steps))},
        "accounts_detail": [_account_as_facts(t) for t in targets],
    }


def _account_as_facts(target: Target) -> dict[str, Any]:
    steps = list(target.steps.all())
    return {
        "tenant": str(target.account.tenant),
        "account": str(target.account),
        "state": str(state_of_steps(steps)),
        "steps": [
            {
                "id": str(s.pk),
                "kind": str(s.kind),
                "method": str(s.method) if s.method else None,
                "state": str(s.status),
                "seconds": seconds_of(s),
                "request_ids": list(s.request_ids),
                "problem": s.problem,
            }
            for s in steps
        ],
    }


def seconds_of(step: Step) -> float | None:
    """From sent to read back and found so."""
    if step.sent_at is None or step.verified_at is None:
        return None
    return round((step.verified_at - step.sent_at).total_seconds(), 3)


def rfc3339_or_none(moment: dt.datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


# --- the page of a run -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """How far a run is, in the part of it that the reader sees."""

    state: RunState
    accounts: int
    tenants: int
    steps: dict[StepState, int]
    """Without the second looks, which have a time of their own."""
    settled: int
    second_looks: int
    second_looks_taken: int
    second_look_at: dt.datetime | None
    tenants_for_a_person: int

    @property
    def in_all(self) -> int:
        return sum(self.steps.values())

    @property
    def is_running(self) -> bool:
        return self.state == RunState.RUNNING


def progress_of(run: Run, user: Any) -> Progress:
    """Over the targets that `user` sees."""
    counted = (
        Step.objects.visible_to(user)
        .filter(target__run=run)
        .values("status", "kind")
        .annotate(count=Count("pk"), due=Max("due_at"))
        .order_by()
    )
    rows = [(StepState(r["status"]), r["kind"] == StepKind.SECOND_LOOK, r["count"], r["due"]) for r in counted]
    steps: defaultdict[StepState, int] = defaultdict(int)
    for status, second, count, _due in rows:
        if not second:
            steps[status] += count
    targets = (
        Target.objects.visible_to(user)
        .filter(run=run)
        .aggregate(
            accounts=Count("pk", distinct=True),
            tenants=Count("account__tenant", distinct=True),
            troubled=Count("account__tenant", distinct=True, filter=Q(steps__status__in=FOR_A_PERSON)),
        )
    )
    return Progress(
        state=state_of_counts(((r["status"], r["kind"], r["count"]) for r in counted), paused=run.is_paused),
        accounts=targets["accounts"],
        tenants=targets["tenants"],
        steps={state: steps[state] for state in StepState if steps[state]},
        settled=sum(n for status, second, n, _due in rows if status not in UNDER_WAY and not second),
        second_looks=sum(n for _status, second, n, _due in rows if second),
        second_looks_taken=sum(n for status, second, n, _due in rows if second and status in LOOKED),
        second_look_at=max((due for _status, second, _n, due in rows if second and due), default=None),
        tenants_for_a_person=targets["troubled"],
    )


@dataclass(frozen=True)
class Size:
    """How much a run has to do, as it was written down at its start."""

    accounts: int
    tenants: int
    methods: int


def size_of(run: Run) -> Size:
    written = Step.objects.filter(target__run=run).aggregate(
        accounts=Count("target", distinct=True),
        tenants=Count("target__account__tenant", distinct=True),
        methods=Count("pk", filter=Q(kind=StepKind.REMOVE_METHOD)),
    )
    return Size(**written)


@dataclass(frozen=True)
class ActCounts:
    """The changes of a run by what is true of them; what nobody has to do counts as done."""

    done: int
    on_their_way: int
    to_send: int
    for_a_person: int
    accounts_to_send: int


def act_counts(run: Run, user: Any) -> ActCounts:
    """Of what `user` sees: what a pause holds back and a cancellation never sends. One query."""
    planned = Q(status=StepState.PLANNED)
    return ActCounts(
        **Step.objects.visible_to(user)
        .filter(target__run=run, kind__in=[*ACTS, *TRIES])
        .aggregate(
            done=Count("pk", filter=Q(status__in=[StepState.VERIFIED, StepState.NEEDLESS])),
            on_their_way=Count("pk", filter=Q(status__in=[StepState.SENDING, StepState.ACCEPTED])),
            to_send=Count("pk", filter=planned),
            for_a_person=Count("pk", filter=Q(status__in=FOR_A_PERSON)),
            accounts_to_send=Count("target", filter=planned, distinct=True),
        )
    )


# --- the list of runs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunRow:
    """One line of the list of runs."""

    run: Run
    state: RunState
    accounts: int
    leavers: list[str]
    second_look_at: dt.datetime | None


def run_rows(runs: Iterable[Run], user: Any) -> list[RunRow]:
    """The runs of one page, with the state of the part that `user` sees; one query for all of them."""
    runs = list(runs)
    counted = (
        Step.objects.visible_to(user)
        .filter(target__run__in=[r.pk for r in runs])
        .values("target__run_id")
        .annotate(
            **condition_counts(""),
            accounts=Count("target", distinct=True),
            second_look_at=Max("due_at", filter=Q(kind=StepKind.SECOND_LOOK)),
        )
        .order_by()
    )
    counts = {r["target__run_id"]: r for r in counted}
    empty: dict[str, Any] = dict.fromkeys([*condition_counts(""), "accounts"], 0)
    return [
        RunRow(
            run=run,
            state=run_state(
                **{name: counts.get(run.pk, empty)[name] for name in condition_counts("")},
                paused=run.is_paused,
            ),
            accounts=counts.get(run.pk, empty)["accounts"],
            leavers=[str(person) for person in people_about(run)],
            second_look_at=counts.get(run.pk, empty).get("second_look_at"),
        )
        for run in runs
    ]


def people_about(run: Any) -> list[Any]:
    """Who left, whose phone was lost or who is suspended; no query for a run of `runs_seen_by`."""
    decisions = [*run.offboardings.all(), getattr(run, "lost_device", None), getattr(run, "suspension", None)]
    return [decision.technician for decision in decisions if decision is not None]


def runs_seen_by(user: Any) -> Any:
    """Newest first, with who asked and whom it is about."""
    return (
        Run.objects.visible_to(user)
        .select_related(
            "requested_by", "paused_by", "cancelled_by", "lost_device__technician", "suspension__technician"
        )
        .prefetch_related("offboardings__technician")
        .order_by("-started_at")
    )
