"""What the live page of a run shows of each tenant and account. Every function asks a constant number of queries."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, Max, OuterRef, Q, Sum

from msp.microsoft.ports import MethodKind
from tenants.models import Method, Run, Step, Target
from tenants.models.run import UNDER_WAY, condition_counts
from tenants.plans import RunState, StepKind, StepState, run_state
from tenants.run_filters import RunFilters
from tenants.run_queries import EXCEPTIONS, state_of_steps
from tenants.trouble_words import Trouble, trouble_of
from tenants.waiting_words import Waiting, WaitingFacts, waiting_of

FRESH_SECONDS = 10
"""A page on which nothing moved is made anew after so many seconds, as some of its sentences speak of the time."""
OPEN = (RunState.RUNNING, RunState.PAUSED, RunState.NEEDS_ATTENTION)
CAN_BE_ACCEPTED = (StepState.UNVERIFIED, StepState.REFUSED, StepState.BLOCKED)


@dataclass(frozen=True)
class MethodChange:
    """One method, and whether it was there at the first and at the last reading."""

    kind: str
    label: str
    before: bool
    after: bool


@dataclass(frozen=True)
class StepTruth:
    """One step, and what stands in its way if anything does."""

    step: Step
    trouble: Trouble | None

    @property
    def can_be_accepted(self) -> bool:
        return self.step.status in CAN_BE_ACCEPTED


@dataclass(frozen=True)
class TargetProgress:
    """One account of a run with every step's truth, and what it waits for."""

    target: Target
    steps: list[Step]
    state: RunState
    waiting: Waiting | None
    is_late: bool

    @property
    def is_open(self) -> bool:
        """Something is to be done or decided, so that the deadline still matters."""
        return self.state in OPEN

    @property
    def truths(self) -> list[StepTruth]:
        return [
            StepTruth(s, trouble_of(kind=s.kind, state=s.status, problem=s.problem, looks=s.looks)) for s in self.steps
        ]

    @property
    def settled(self) -> int:
        return sum(s.status not in UNDER_WAY for s in self._acts)

    @property
    def in_all(self) -> int:
        return len(self._acts)

    @property
    def may_be_retried(self) -> bool:
        stopped = any(s.status in (StepState.REFUSED, StepState.BLOCKED) for s in self.steps)
        return stopped and not self.target.account.break_glass and self.target.run.cancelled_at is None

    @property
    def exceptions(self) -> list[Step]:
        return [s for s in self.steps if s.status in EXCEPTIONS]

    @property
    def methods(self) -> list[MethodChange]:
        return method_changes(self.target)

    @property
    def _acts(self) -> list[Step]:
        return [s for s in self.steps if s.kind != StepKind.SECOND_LOOK]


@dataclass(frozen=True)
class TenantProgress:
    """One tenant of a run: its state and counts, and its accounts."""

    tenant_id: UUID
    domain: str
    customer: str
    state: RunState
    settled: int
    in_all: int
    accounts: int
    targets: list[TargetProgress]


def tenants_in(run: Run, user: Any, filters: RunFilters, now: dt.datetime) -> Any:
    """The tenants of a run with their counts, those that need a person first: a queryset to page through."""
    second = Q(steps__kind=StepKind.SECOND_LOOK)
    return (
        _targets(run, user, filters, now)
        .values("account__tenant_id", "account__tenant__default_domain", "account__tenant__customer__name")
        .annotate(
            **condition_counts("steps"),
            settled=Count("steps", filter=~Q(steps__status__in=UNDER_WAY) & ~second),
            in_all=Count("steps", filter=~second),
            accounts=Count("pk", distinct=True),
        )
        .order_by("-for_a_person", "account__tenant__default_domain", "account__tenant_id")
    )


def with_accounts(
    rows: Iterable[dict[str, Any]], run: Run, user: Any, filters: RunFilters, now: dt.datetime
) -> list[TenantProgress]:
    """The rows of one page of `tenants_in`, with their targets and steps: three more queries."""
    rows = list(rows)
    found = (
        _targets(run, user, filters, now)
        .filter(account__tenant__in=[r["account__tenant_id"] for r in rows])
        .annotate(other_run_changes_password=Exists(_password_changing_elsewhere()))
        .select_related("run", "account__tenant", "account__lease")
        .prefetch_related("steps__method", "steps__waived_by", "steps__stated_by")
        .order_by("position")
    )
    targets: defaultdict[UUID, list[TargetProgress]] = defaultdict(list)
    for target in found:
        targets[target.account.tenant_id].append(_progress(target, now))
    return [
        TenantProgress(
            tenant_id=r["account__tenant_id"],
            domain=r["account__tenant__default_domain"],
            customer=r["account__tenant__customer__name"],
            state=run_state(**{name: r[name] for name in condition_counts("steps")}, paused=run.is_paused),
            settled=r["settled"],
            in_all=r["in_all"],
            accounts=r["accounts"],
            targets=targets[r["account__tenant_id"]],
        )
        for r in rows
    ]


def stamp_of(run: Run, user: Any, asked: str, now: dt.datetime) -> str:
    """Another text whenever the page would say something else, and every FRESH_SECONDS; two small queries.

    `asked` is what the reader asked for: filters and page. Many viewers cost these two queries each while nothing
    moves.
    """
    steps = Step.objects.filter(target__run=run).aggregate(moved=Max("changed_at"), looks=Sum("looks"), all=Count("pk"))
    targets = Target.objects.filter(run=run).aggregate(
        due=Max("due_at"), tries=Sum("tries"), busy=Max("account__tenant__busy_until")
    )
    told = [run.pk, user.pk, asked, run.paused_at, run.cancelled_at, *steps.values(), *targets.values()]
    told.append(int(now.timestamp()) // FRESH_SECONDS)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:24]


def _targets(run: Run, user: Any, filters: RunFilters, now: dt.datetime) -> Any:
    return filters.narrow(Target.objects.visible_to(user).filter(run=run), user, now)


def _password_changing_elsewhere() -> Any:
    """A change of the same account's password by another run, sent and not proven."""
    return Step.objects.filter(
        target__account=OuterRef("account"),
        kind=StepKind.ROTATE_PASSWORD,
        status__in=[StepState.SENDING, StepState.ACCEPTED],
    ).exclude(target=OuterRef("pk"))


def _progress(target: Any, now: dt.datetime) -> TargetProgress:
    steps = list(target.steps.all())
    waiting = waiting_of(_waiting_facts(target, steps), now)
    state = state_of_steps(steps, paused=target.run.is_paused)
    late = target.deadline_at is not None and target.deadline_at <= now and state in OPEN
    return TargetProgress(target, steps, state, waiting, late)


def _waiting_facts(target: Any, steps: list[Step]) -> WaitingFacts:
    tenant, lease = target.account.tenant, getattr(target.account, "lease", None)
    waiting = [s.looks for s in steps if s.status in (StepState.SENDING, StepState.ACCEPTED)]
    return WaitingFacts(
        steps=[(s.kind, s.status) for s in steps],
        due_at=target.due_at,
        second_look_at=max((s.due_at for s in steps if s.kind == StepKind.SECOND_LOOK and s.due_at), default=None),
        tries=target.tries,
        looks=max(waiting, default=0),
        busy_until=tenant.busy_until,
        lease_until=lease.until if lease else None,
        lease_is_ours=lease is not None and lease.target_id == target.pk,
        other_run_changes_password=target.other_run_changes_password,
        is_paused=target.run.is_paused,
        is_guided=tenant.is_guided,
        is_hands_off=tenant.hands_off,
    )


def method_changes(target: Target) -> list[MethodChange]:
    """What the first and the last reading of the account showed, side by side."""
    readings = [(target.before or {}).get("methods", []), (target.after or {}).get("methods", [])]
    before, after = ({(m["directory_id"], m["kind"]): m for m in methods} for methods in readings)
    names = dict(Method.Kind.choices)
    return [
        MethodChange(
            str(names.get(found["kind"], found["kind"])),
            found["label"] or _mark(found),
            key in before,
            key in after,
        )
        for key, found in {**after, **before}.items()
    ]


def _mark(method: dict[str, Any]) -> str:
    """What tells two methods without a name apart; the password is only one, so it needs none."""
    return "" if method["kind"] == MethodKind.PASSWORD else str(method["directory_id"])[-6:]
