"""The decision that the product exists for: one technician leaves, everywhere, now."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from technicians.actions.departure_rules import demand_may_offboard
from technicians.actions.request_departure import request_departure
from technicians.models import Offboarding, Technician
from technicians.plans import DeparturePlan, plan_departure
from technicians.queries import holdings_of
from tenants.departure_policy_queries import tries_asked_by


def preview_departure(technician: Technician, *, by: Technician) -> DeparturePlan:
    """What `offboard` would do now. Raises NotPermitted, BadInput; changes nothing."""
    demand_may_offboard(technician, by)
    return plan_departure(holdings_of(technician), tries_asked_by(technician.reseller_id))


@transaction.atomic
def offboard(technician: Technician, *, by: Technician, reason: str) -> Offboarding:
    """Request and start in one: end everything inside Latchkey and write the run down, before any call to Microsoft.

    Raises NotPermitted, BadInput (already gone, no reason, others have to agree first), LedgerClosed; then nothing
    was changed.
    """
    request = request_departure([technician], by=by, reason=reason)
    if request.run is None:
        raise BadInput(
            _("The policy wants %(count)d others to agree before %(name)s leaves: ask for it. Nothing was changed.")
            % {"count": request.approvals_needed, "name": technician}
        )
    found: Offboarding = request.run.offboardings.get()
    return found
