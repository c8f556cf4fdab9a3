"""An enrolment is over without an authenticator: nothing of it stays behind, neither here nor at Microsoft."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import MoveLost
from msp.ledger.record import record
from technicians.models import Enrolment, Technician
from tenants.actions.give_up_registration import give_up_registration
from tenants.models import Registration


@transaction.atomic
def end_enrolment(enrolment: Enrolment, status: Enrolment.Status, *, because: str, by: Technician | None) -> None:
    """Expired, cancelled or failed. Raises MoveRefused when it was over already, MoveLost."""
    # The registration first, then the enrolment: a worker that makes the token active takes them in this order.
    if enrolment.registration_id is not None:
        Registration.objects.select_for_update(no_key=True).only("pk").get(pk=enrolment.registration_id)
    enrolment.advance(status, note=because)
    if enrolment.registration is not None:
        give_up_registration(enrolment.registration, because, by=by)
    record(
        f"enrolment.{status}",
        reseller_id=enrolment.reseller_id,
        actor=by,
        account_id=enrolment.account_id,
        tenant_id=enrolment.account.tenant_id,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
        because=because,
    )


def end_enrolments_of(technician: Technician, *, because: str, by: Technician | None) -> int:
    """Every open one, also one whose token is just being activated: it is taken away again. Says how many."""
    ended = 0
    mine = Enrolment.objects.open().filter(technician=technician).select_related("account", "registration__account")
    for enrolment in mine:
        try:
            end_enrolment(enrolment, Enrolment.Status.CANCELLED, because=because, by=by)
        except MoveLost:
            # Its token became active meanwhile; whoever reads the methods after us finds it there.
            continue
        ended += 1
    return ended


def why_too_late() -> str:
    return _("It was not finished in time. Whatever was scanned is of no use: delete the entry from the app.")
