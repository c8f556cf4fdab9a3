"""Enrolments that nobody finished in time are over, and their seeds with them."""

from __future__ import annotations

from contextlib import suppress

from django.utils import timezone

from msp.errors import MoveLost, MoveRefused
from technicians.actions.end_enrolment import end_enrolment, why_too_late
from technicians.models import Enrolment, Technician
from tenants.models import SharedAccount

AT_ONCE = 500


def expire_enrolments(*, account: SharedAccount | None = None, technician: Technician | None = None) -> int:
    """How many. One that is proven is not among them: it is being activated, and ends by itself."""
    late = Enrolment.objects.open().filter(expires_at__lte=timezone.now()).exclude(status=Enrolment.Status.ACTIVATING)
    if account is not None:
        late = late.filter(account=account)
    if technician is not None:
        late = late.filter(technician=technician)
    expired = 0
    for enrolment in late.select_related("account", "registration__account")[:AT_ONCE]:
        with suppress(MoveLost, MoveRefused):
            end_enrolment(enrolment, Enrolment.Status.EXPIRED, because=why_too_late(), by=None)
            expired += 1
    return expired
