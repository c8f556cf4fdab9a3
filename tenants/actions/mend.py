"""What a person does about a step that needs one: let it be tried again, or accept the gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.actions.nudge import nudge
from tenants.models import SecretVersion, Step, Target
from tenants.plans import DID_NOT_SIGN_IN, StepKind, StepState

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def retry_target(target: Target, *, by: Technician) -> int:
    """Plan every refused or blocked step of the target again, and read back at once what is unverified.

    The guards are asked again, and what follows the acts (proof, hand-over, second look) is done again after them.
    Says how many steps were planned.
    """
    _permitted(by)
    stopped = target.steps.select_related("version").filter(
        Q(status__in=[StepState.REFUSED, StepState.BLOCKED])
        | Q(status=StepState.UNVERIFIED, was__has_key=DID_NOT_SIGN_IN)
    )
    if target.account.break_glass:
        raise BadInput(_("This is a break-glass account: automation never touches it. Accept the gap instead."))
    count = 0
    for step in stopped:
        version = step.version
        if step.status == StepState.UNVERIFIED and version and version.status == SecretVersion.Status.UNVERIFIED:
            version.advance(
                SecretVersion.Status.RETIRED, retired_at=timezone.now(), retired_because=_("did not sign in")
            )
        # The candidate that was refused is dead: a new one is made.
        step.advance(StepState.PLANNED, problem="", refusals=0, looks=0, version=None, was={})
        count += 1
    if count:
        _follow_up_again(target)
    Target.objects.filter(pk=target.pk).update(due_at=timezone.now(), tries=0)
    record(
        "target.retried",
        reseller_id=target.reseller_id,
        actor=by,
        tenant_id=target.account.tenant_id,
        account_id=target.account_id,
        run_id=target.run_id,
        steps=count,
    )
    transaction.on_commit(lambda: nudge(target.pk))
    return count


def _follow_up_again(target: Target) -> None:
    """What was proven before the new acts stays written down; a new proof, hand-over and second look come after it."""
    steps = list(target.steps.order_by("position"))
    place = steps[-1].position
    for kind in (StepKind.PROVE, StepKind.RESHARE, StepKind.SECOND_LOOK):
        last = next((step for step in reversed(steps) if step.kind == kind), None)
        if last is None:
            continue
        if last.status == StepState.PLANNED:
            Step.objects.filter(pk=last.pk).update(due_at=None)
        elif last.status == StepState.UNVERIFIED:
            last.advance(StepState.PLANNED, problem="", due_at=None)
        else:
            place += 1
            Step.objects.create(reseller_id=target.reseller_id, target=target, kind=kind, position=place)


@transaction.atomic
def waive_step(step: Step, *, by: Technician, reason: str) -> None:
    """A person accepts that this step's effect is missing: who and why stay on the step for good."""
    _permitted(by)
    if not reason.strip():
        raise BadInput(_("Say why this gap is accepted; nothing was changed."))
    step.advance(StepState.WAIVED, waived_by=by, waived_reason=reason.strip())
    account = step.target.account
    record(
        "step.waived",
        reseller_id=step.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        run_id=step.target.run_id,
        step=str(step.pk),
        kind=step.kind,
        reason=reason.strip(),
    )


def _permitted(by: Technician) -> None:
    if not by.may("waive"):
        raise NotPermitted(_("Your role may not decide about steps of a run; nothing was changed."))
