"""Take everything inside Latchkey from a person, at once."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.access.actions import end_sign_ins
from msp.ledger.record import record
from technicians.actions.check_out import end_check_outs_of
from technicians.actions.hand_over import withdraw_links_of
from technicians.models import Enrolment, Technician


@transaction.atomic
def end_access(technician: Technician, *, by: Technician) -> None:
    """Sign-in, sessions, second factors, assignments, check-outs, enrolments, waiting links.

    Call it in the transaction of its cause.
    """
    now = timezone.now()
    technician.set_unusable_password()
    technician.save(update_fields=["password"])
    technician.advance(Technician.Status.LEFT, left_at=now)
    end_sign_ins(technician)
    # An assignment that lies in the future ends where it begins: it never comes to life.
    technician.assignments.filter(from_at__gt=now).delete()
    ended = technician.assignments.live(now).update(until_at=now)
    cancelled = 0
    for enrolment in Enrolment.objects.open().filter(technician=technician):
        enrolment.advance(Enrolment.Status.CANCELLED, note=_("The technician left."))
        cancelled += 1
    end_check_outs_of(technician, by=by)
    withdraw_links_of(technician, by=by)
    record(
        "access.ended",
        reseller_id=technician.reseller_id,
        actor=by,
        technician_id=technician.pk,
        assignments=ended,
        enrolments=cancelled,
    )
