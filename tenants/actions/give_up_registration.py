"""Give a token up: its seed is destroyed at once, and what lies of it at Microsoft is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.ledger.record import record
from tenants.actions.nudge import wake
from tenants.models import Registration, Step, Target
from tenants.plans import StepKind, StepState

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def give_up_registration(registration: Registration, because: str, *, by: Technician | None) -> bool:
    """False when it is active or given up already. What is still to be sent is not sent any more."""
    under_way = Registration.objects.under_way().filter(pk=registration.pk)
    now = timezone.now()
    if not under_way.update(sealed=None, given_up_at=now, given_up_because=because):
        return False
    registration.refresh_from_db()
    record(
        "registration.given_up",
        reseller_id=registration.reseller_id,
        actor=by,
        tenant_id=registration.account.tenant_id,
        account_id=registration.account_id,
        technician_id=registration.holder_id,
        registration=str(registration.pk),
        serial=registration.serial,
        because=because,
    )
    for target in Target.objects.filter(steps__registration=registration).distinct():
        _clean_up_in(target, registration)
    return True


def _clean_up_in(target: Target, registration: Registration) -> None:
    """The run that made it takes it away again."""
    last = target.steps.aggregate(last=Max("position"))["last"]
    Step.objects.create(
        reseller_id=target.reseller_id,
        target=target,
        kind=StepKind.DELETE_TOKEN,
        registration=registration,
        position=last + 1,
        status=StepState.PLANNED,
    )
    Target.objects.filter(pk=target.pk).update(due_at=timezone.now(), problem=_("The enrolment was given up."))
    transaction.on_commit(lambda: wake([target.pk]))
