"""Take everything inside Latchkey from a person, at once."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.access.actions import end_sign_ins
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import withdraw_all_of
from technicians.actions.check_out import end_check_outs_of
from technicians.actions.end_enrolment import end_enrolments_of
from technicians.actions.hand_over import withdraw_links_of
from technicians.actions.keep_code import end_kept_codes
from technicians.models import Technician


@transaction.atomic
def end_access(
    technician: Technician, *, by: Technician | None, to: Technician.Status = Technician.Status.LEFT
) -> None:
    """Sign-in, sessions, second factors, assignments, check-outs, enrolments, waiting links, codes kept here.

    Call it in the transaction of its cause.
    """
    now = timezone.now()
    technician.set_unusable_password()
    technician.save(update_fields=["password"])
    left = to == Technician.Status.LEFT
    technician.advance(to, **({"left_at": now} if left else {}))
    because = _("The technician left.") if left else _("The technician is away.")
    end_sign_ins(technician)
    # An assignment that lies in the future ends where it begins: it never comes to life.
    technician.assignments.filter(from_at__gt=now).delete()
    ended = technician.assignments.live(now).update(until_at=now)
    cancelled = end_enrolments_of(technician, because=because, by=by)
    withdraw_all_of(technician, by=by)
    end_check_outs_of(technician, by=by)
    withdraw_links_of(technician, by=by)
    end_kept_codes(technician=technician, because=because, by=by)
    record(
        "access.ended",
        reseller_id=technician.reseller_id,
        actor=by,
        technician_id=technician.pk,
        assignments=ended,
        enrolments=cancelled,
    )
