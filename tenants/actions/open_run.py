"""Write a run down: the run, its targets, their steps. Nothing at Microsoft changes here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from msp.ledger.record import record
from tenants.actions.nudge import wake
from tenants.models import Reseller, Run, SharedAccount, Step, Target
from tenants.plans import PlannedTarget, StepState

if TYPE_CHECKING:
    from technicians.models import Technician


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
    """Everything or nothing; the workers are woken after the commit. No `by`: the clock asks. Raises LedgerClosed."""
    run = Run.objects.create(reseller=reseller, kind=kind, reason=reason, requested_by=by, started_at=timezone.now())
    rows, steps = [], []
    for position, planned in enumerate(targets):
        stopped = all(step.hold for step in planned.steps)
        target = Target(
            reseller=reseller,
            run=run,
            account_id=planned.account_id,
            position=position,
            due_at=None if stopped else planned.not_before or run.started_at,
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
