"""A sitting in which nothing is open any more is over: that is written down, with what came of it."""

from __future__ import annotations

from collections import Counter

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from msp.ledger.record import record
from technicians.models import BulkEnrolment, Enrolment, Technician

AT_ONCE = 100


def finish_bulks(*, technician: Technician | None = None) -> int:
    """How many ended since the last time."""
    still_open = Enrolment.objects.open().filter(bulk=OuterRef("pk"))
    over = BulkEnrolment.objects.filter(~Exists(still_open), finished_at__isnull=True)
    if technician is not None:
        over = over.filter(technician=technician)
    return sum(_finish(bulk) for bulk in over[:AT_ONCE])


@transaction.atomic
def _finish(bulk: BulkEnrolment) -> bool:
    unfinished = BulkEnrolment.objects.filter(pk=bulk.pk, finished_at__isnull=True)
    if not unfinished.update(finished_at=timezone.now()):
        return False
    came_to = Counter(bulk.enrolments.values_list("status", flat=True))
    record(
        "bulk_enrolment.finished",
        reseller_id=bulk.reseller_id,
        actor=None,
        technician_id=bulk.technician_id,
        run_id=bulk.run_id,
        bulk=str(bulk.pk),
        active=came_to[Enrolment.Status.ACTIVE],
        without=came_to.total() - came_to[Enrolment.Status.ACTIVE],
    )
    return True
