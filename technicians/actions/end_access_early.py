"""A departure is asked for and begins later: the sign-in to Latchkey ends already now, and there is a way back."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from msp.ledger.record import record
from technicians.actions.end_access import end_access
from technicians.actions.suspend import what_they_hold
from technicians.models import Suspension, Technician


@transaction.atomic
def end_access_early(leavers: Iterable[Technician], *, by: Technician, reason: str) -> int:
    """As for a suspension, but without a run: nothing changes at Microsoft. Says how many lost their sign-in.

    If the departure is given up, `bring_back` gives them back what they held. Call it with their rows locked, in the
    transaction of the request. Raises LedgerClosed.
    """
    active = [leaver for leaver in leavers if leaver.status == Technician.Status.ACTIVE]
    for leaver in active:
        held = what_they_hold(leaver)
        end_access(leaver, by=by, to=Technician.Status.SUSPENDED)
        Suspension.objects.create(
            reseller=leaver.reseller, technician=leaver, reason=reason, suspended_by=by, accounts=held
        )
        record(
            "technician.suspended",
            reseller_id=leaver.reseller_id,
            actor=by,
            technician_id=leaver.pk,
            reason=reason,
            accounts=len(held),
            ahead_of_departure=True,
        )
    return len(active)
