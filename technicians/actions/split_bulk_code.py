"""A QR code that cannot be scanned comes again as two smaller ones; a single account is left out instead."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from technicians.actions.end_enrolment import end_enrolment
from technicians.actions.finish_bulks import finish_bulks
from technicians.actions.hold_bulk import hold_bulk, hold_enrolments
from technicians.bulk_queries import sitting_of
from technicians.models import BulkCode, BulkEnrolment, Enrolment, Technician


@transaction.atomic
def split_bulk_code(bulk: BulkEnrolment, number: int, *, by: Technician) -> int:
    """Says how many smaller codes there are now. Raises NotPermitted, BadInput (not on screen, one account only)."""
    sitting = sitting_of(hold_bulk(bulk, by=by))
    code = sitting.on_screen
    if code is None or code.number != number:
        raise BadInput(_("This QR code is not on screen any more; look at the page of this sitting."))
    waiting = sitting.waiting_in(code)
    if len(waiting) < 2:
        raise BadInput(_("A code of one account has no smaller one. Leave the account out, and enrol there singly."))
    half = (len(waiting) + 1) // 2
    parts = (waiting[:half], waiting[half:])
    for place, part in enumerate(parts):
        smaller = BulkCode.objects.create(
            reseller_id=bulk.reseller_id, bulk=bulk, number=sitting.next_number + place, tries=code.tries
        )
        # The second one waits while the first is scanned, so its time begins when it is shown.
        Enrolment.objects.filter(pk__in=[e.pk for e in part]).update(
            code_number=smaller.number, expires_at=sitting.bulk.expires_at
        )
    record(
        "bulk_enrolment.code_split",
        reseller_id=bulk.reseller_id,
        actor=by,
        technician_id=by.pk,
        run_id=bulk.run_id,
        bulk=str(bulk.pk),
        code_number=number,
        into=[sitting.next_number, sitting.next_number + 1],
    )
    return len(parts)


@transaction.atomic
def leave_code_out(bulk: BulkEnrolment, number: int, *, by: Technician) -> int:
    """The accounts of this QR code are not enrolled in this sitting. Says how many. Raises NotPermitted, BadInput."""
    sitting = sitting_of(hold_bulk(bulk, by=by))
    code = sitting.on_screen
    if code is None or code.number != number:
        raise BadInput(_("This QR code is not on screen any more; look at the page of this sitting."))
    waiting = Enrolment.objects.filter(bulk=bulk, code_number=number, status=Enrolment.Status.WAITING_FOR_SCAN)
    left_out = hold_enrolments(waiting)
    for enrolment in left_out:
        end_enrolment(enrolment, Enrolment.Status.CANCELLED, because=_("Left out of the sitting."), by=by)
    return len(left_out)


@transaction.atomic
def cancel_bulk(bulk: BulkEnrolment, *, by: Technician) -> int:
    """Give up what is not proven; what is active, or proven and just being activated, stays. Says how many ended.

    Raises NotPermitted, BadInput (over already).
    """
    bulk = hold_bulk(bulk, by=by)
    unproven = (Enrolment.Status.PREPARING, Enrolment.Status.WAITING_FOR_SCAN)
    given_up = hold_enrolments(Enrolment.objects.filter(bulk=bulk, status__in=unproven))
    for enrolment in given_up:
        end_enrolment(enrolment, Enrolment.Status.CANCELLED, because=_("The sitting was cancelled."), by=by)
    BulkEnrolment.objects.filter(pk=bulk.pk).update(cancelled_at=timezone.now())
    record(
        "bulk_enrolment.cancelled",
        reseller_id=bulk.reseller_id,
        actor=by,
        technician_id=by.pk,
        run_id=bulk.run_id,
        bulk=str(bulk.pk),
        given_up=len(given_up),
    )
    finish_bulks(technician=by)
    return len(given_up)
