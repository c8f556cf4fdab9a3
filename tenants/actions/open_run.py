"""Write a run down: the run, its targets, their steps. Nothing at Microsoft changes here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from msp.ledger.record import record
from tenants.actions.nudge import wake
from tenants.hands_off import held_where_hands_off
from tenants.models import AccountClass, Reseller, Run, SharedAccount, Step, Target
from tenants.plans import PlannedTarget, StepState

if TYPE_CHECKING:
    from technicians.models import Technician


WITH_A_DEADLINE = (
    Run.Kind.OFFBOARDING,
    Run.Kind.CUSTOMER_EXIT,
    Run.Kind.SUSPENSION,
    Run.Kind.LOST_DEVICE,
    Run.Kind.MOVE,
)


@transaction.atomic
def open_run(
    kind: Run.Kind,
    *,
    reseller: Reseller,
    targets: Sequence[PlannedTarget],
    reason: str,
    by: Technician | None,
    about: dict[str, Any] | None = None,
) -> Run:
    """Everything or nothing; the workers are woken after the commit. No `by`: the clock asks. Raises LedgerClosed.

    Where somebody's access has to go, each account gets the deadline of its class.
    """
    targets = held_where_hands_off(targets)
    run = Run.objects.create(reseller=reseller, kind=kind, reason=reason, requested_by=by, started_at=timezone.now())
    rows, steps = [], []
    within = _hours_of(targets) if kind in WITH_A_DEADLINE else {}
    for position, planned in enumerate(targets):
        stopped = all(step.hold for step in planned.steps)
        target = Target(
            reseller=reseller,
            run=run,
            account_id=planned.account_id,
            position=position,
            due_at=None if stopped else planned.not_before or run.started_at,
            deadline_at=run.started_at + within[planned.account_id] if within else None,
        )
        rows.append(target)
        steps += [
            Step(
                reseller=reseller,
                target=target,
                kind=step.kind,
                position=place,
                method_id=step.method_id,
                registration_id=step.registration_id,
                status=StepState.BLOCKED if step.hold else StepState.PLANNED,
                problem=step.hold,
            )
            for place, step in enumerate(planned.steps)
        ]
    Target.objects.bulk_create(rows, batch_size=1000)
    Step.objects.bulk_create(steps, batch_size=1000)
    tenants = SharedAccount.objects.filter(targets__run=run).values_list("tenant_id", flat=True).distinct()
    record(
        "run.opened",
        reseller_id=reseller.pk,
        actor=by,
        run_id=run.pk,
        kind=kind,
        reason=reason,
        accounts=len(rows),
        tenants=[str(t) for t in tenants],
        **(about or {}),
    )
    begins_now = [target.pk for target in rows if target.due_at and target.due_at <= run.started_at]
    transaction.on_commit(lambda: wake(begins_now))
    return run


def _hours_of(targets: Sequence[PlannedTarget]) -> dict[Any, dt.timedelta]:
    accounts = SharedAccount.objects.filter(pk__in=[planned.account_id for planned in targets])
    classes = accounts.values_list("pk", "account_class")
    return {pk: dt.timedelta(hours=AccountClass(named).hours) for pk, named in classes}
