"""Steps in guided places that wait for a person, as the list of tasks and the page of a step read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet

from tenants.guided_plans import CONFIRMS, name_of, whose_turn
from tenants.models import SharedAccount, Step, Target, Tenant
from tenants.plans import ACTS, StepState

WAITING = Q(steps__status__in=[StepState.PLANNED, StepState.SENDING]) | Q(
    steps__kind=CONFIRMS, steps__status=StepState.UNVERIFIED
)


@dataclass(frozen=True)
class Task:
    """One step that waits for a person. `for_others` says that the reader did the acts, so others have to confirm."""

    step: Step
    target: Target
    for_others: bool

    @property
    def name(self) -> str:
        return str(name_of(self.step.kind))

    @property
    def account(self) -> SharedAccount:
        return self.target.account


def waiting_targets(person: Any) -> QuerySet[Any]:
    """The accounts on which a person is waited for, among those that the reader sees; soonest deadline first."""
    found: QuerySet[Any] = (
        Target.objects.visible_to(person)
        .filter(WAITING, due_at__isnull=False)
        .exclude(account__tenant__system=Tenant.System.ENTRA)
        .distinct()
        .select_related("account__tenant__customer", "run")
        .prefetch_related("steps__method")
        .order_by(F("deadline_at").asc(nulls_last=True), "run__started_at", "position")
    )
    return found if person.may("waive") or person.may("reveal") else found.none()


def tasks_in(targets: Iterable[Target], person: Any) -> list[Task]:
    """What waits on each of these accounts; no query beyond those of `waiting_targets`."""
    found = []
    for target in targets:
        steps = sorted(target.steps.all(), key=lambda step: step.position)
        if (step := whose_turn(steps)) is not None:
            found.append(Task(step, target, step.kind == CONFIRMS and did_a_part(steps, person)))
    return found


def tasks_of(person: Any) -> list[Task]:
    return tasks_in(waiting_targets(person), person)


def did_a_part(steps: Iterable[Step], person: Any) -> bool:
    return any(s.kind in ACTS and s.status == StepState.STATED and s.stated_by_id == person.pk for s in steps)


def guided_steps_seen_by(person: Any) -> QuerySet[Any]:
    """Every step in a guided place that the reader sees, whatever its state."""
    return (
        Step.objects.visible_to(person)
        .exclude(target__account__tenant__system=Tenant.System.ENTRA)
        .select_related("target__account__tenant__customer", "target__run", "method__authenticator__technician")
    )
