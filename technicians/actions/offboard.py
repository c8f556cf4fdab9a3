"""The decision that the product exists for: one technician leaves, everywhere."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.end_access import end_access
from technicians.models import Offboarding, Role, Technician
from technicians.plans import DeparturePlan, plan_departure
from technicians.queries import holdings_of
from tenants.actions.open_run import open_run
from tenants.models import Reach, Run


def preview_departure(technician: Technician, *, by: Technician) -> DeparturePlan:
    """What `offboard` would do now. Raises NotPermitted, BadInput; changes nothing."""
    _may_offboard(technician, by)
    return plan_departure(holdings_of(technician))


@transaction.atomic
def offboard(technician: Technician, *, by: Technician, reason: str) -> Offboarding:
    """End everything inside Latchkey and write the run down, in one transaction, before any call to Microsoft.

    Raises NotPermitted, BadInput (already gone, no reason), LedgerClosed; then nothing was changed.
    """
    if not reason.strip():
        raise BadInput(
            _("Say why %(name)s leaves: the reason is part of the evidence. Nothing was changed.")
            % {"name": technician}
        )
    # Two managers at once: the second waits here, and then finds the person gone.
    technician = Technician.objects.select_for_update().get(pk=technician.pk)
    plan = preview_departure(technician, by=by)
    end_access(technician, by=by)
    run = open_run(
        Run.Kind.OFFBOARDING,
        reseller=technician.reseller,
        targets=plan.targets,
        reason=reason.strip(),
        by=by,
        about={"leaver": technician.email},
    )
    departure = Offboarding.objects.create(reseller=technician.reseller, technician=technician, run=run)
    record(
        "technician.offboarded",
        reseller_id=technician.reseller_id,
        actor=by,
        run_id=run.pk,
        technician_id=technician.pk,
        reason=reason.strip(),
        accounts=len(plan.accounts),
        methods=plan.methods_to_go,
        at=timezone.now(),
    )
    return departure


def _may_offboard(technician: Technician, by: Technician) -> None:
    if not by.may("offboard") or technician.reseller_id != by.reseller_id:
        raise NotPermitted(_("Your role may not offboard anybody; nothing was changed."))
    if by.reach != Reach.EVERYTHING:
        raise NotPermitted(
            _(
                "You see only some tenants, and a departure concerns every tenant of %(name)s. "
                "Ask somebody who sees all of them; nothing was changed."
            )
            % {"name": technician}
        )
    if technician.pk == by.pk:
        raise NotPermitted(_("Nobody offboards themselves: ask another manager. Nothing was changed."))
    if technician.role == Role.OWNER and by.role != Role.OWNER:
        raise NotPermitted(_("Only an owner may offboard an owner; nothing was changed."))
    if technician.status == Technician.Status.LEFT:
        raise BadInput(_("%(name)s has left already; look at that run. Nothing was changed.") % {"name": technician})
