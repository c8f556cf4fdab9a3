"""Codes that are kept here for an authenticator which Microsoft has not shown yet: bound when it appears, or ended."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from technicians.actions.keep_code import end_kept_codes
from technicians.models import Authenticator, Enrolment, KeptCode, Technician
from tenants.models import SharedAccount


def codes_in_use(account: SharedAccount, technician: Technician) -> QuerySet[Any]:
    """What is kept for its codes, and not for a next phone."""
    return KeptCode.objects.live().filter(account=account, technician=technician, until__isnull=True)


def kept_and_waiting(account: SharedAccount, technician: Technician) -> KeptCode | None:
    """The one whose authenticator is yet to appear."""
    found: KeptCode | None = (
        codes_in_use(account, technician).filter(authenticator=None).select_related("account").first()
    )
    return found


def it_appeared(kept: KeptCode, bound: Authenticator) -> None:
    """Call it in the transaction that binds the method."""
    KeptCode.objects.filter(pk=kept.pk).update(authenticator=bound)


def end_those_that_wait_in_vain(*, technician: Technician | None = None) -> int:
    """Their enrolment is over, and nothing appeared: nobody could sign in with these codes. Raises LedgerClosed."""
    under_way = Enrolment.objects.open().filter(
        technician=OuterRef("technician"), account=OuterRef("account"), way=Enrolment.Way.KEPT_HERE
    )
    waiting = KeptCode.objects.live().filter(until__isnull=True, authenticator__isnull=True)
    if technician is not None:
        waiting = waiting.filter(technician=technician)
    ended = 0
    for kept in waiting.filter(~Exists(under_way)).select_related("technician", "account"):
        because = _("Its authenticator never appeared at Microsoft.")
        ended += end_kept_codes(technician=kept.technician, account=kept.account, because=because)
    return ended
