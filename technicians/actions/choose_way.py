"""Begin to enrol on one account in the way that was chosen, where it is on offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from technicians.actions.enrol import begin_enrolment
from technicians.actions.expire_enrolments import expire_enrolments
from technicians.actions.open_enrolments import open_enrolments
from technicians.models import Enrolment, Technician
from technicians.way_queries import ways_on
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside


def choose_way(
    account: SharedAccount, technician: Technician, way: str, *, by: Technician, outside: Outside
) -> Enrolment:
    """`account` with its `tenant`. With a token of ours a run is made; else the person goes to Microsoft's page.

    Raises NotPermitted, BadInput (no such way, not on offer here, no place free), LedgerClosed, and what a reading
    raises.
    """
    if by.pk != technician.pk and not by.may("enrol"):
        raise NotPermitted(_("Your role may not enrol others; nothing was changed."))
    offer = next((offer for offer in ways_on(account, technician, by=by) if offer.way == way), None)
    if offer is None:
        raise BadInput(_("Choose one of the ways. Nothing was begun."))
    if offer.why_not:
        raise BadInput(_("This way is not on offer here. %(why)s Nothing was begun.") % {"why": offer.why_not})
    expire_enrolments(account=account)
    if offer.at_microsoft:
        return begin_enrolment(technician, account, by=by, outside=outside, way=offer.way)
    return open_enrolments(technician, [account], by=by, outside=outside, way=offer.way).enrolments[0]
