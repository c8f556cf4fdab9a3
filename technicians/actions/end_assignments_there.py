"""Somebody stays and loses some accounts: what is open to them there ends at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import MoveLost
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import withdraw_request
from technicians.actions.check_out import end_check_outs_of
from technicians.actions.end_enrolment import end_enrolment
from technicians.actions.keep_code import end_kept_codes
from technicians.models import Assignment, Enrolment, Technician
from tenants.models import SharedAccount


@transaction.atomic
def end_assignments_there(technician: Technician, account_ids: Collection[Any], *, by: Technician | None) -> int:
    """Assignments, check-outs, enrolments, lines to enrol and codes kept here, on these accounts. Says how many ended.

    Call it in the transaction that opens the run, which takes the methods. Raises LedgerClosed.
    """
    now = timezone.now()
    mine = Assignment.objects.filter(technician=technician, account__in=account_ids)
    # An assignment that lies in the future ends where it begins: it never comes to life.
    mine.filter(from_at__gt=now).delete()
    live = list(mine.live(now).select_related("account"))
    Assignment.objects.filter(pk__in=[assignment.pk for assignment in live]).update(until_at=now)
    for assignment in live:
        record(
            "assignment.ended",
            reseller_id=technician.reseller_id,
            actor=by,
            tenant_id=assignment.account.tenant_id,
            account_id=assignment.account_id,
            technician_id=technician.pk,
        )
        _end_what_is_open(technician, assignment.account, by)
    return len(live)


def _end_what_is_open(technician: Technician, account: SharedAccount, by: Technician | None) -> None:
    because = _("The assignment ended.")
    begun = Enrolment.objects.open().filter(technician=technician, account=account)
    for enrolment in begun.select_related("account", "registration__account"):
        try:
            end_enrolment(enrolment, Enrolment.Status.CANCELLED, because=because, by=by)
        except MoveLost:
            # Its token became active meanwhile; whoever reads the methods after us finds it there.
            continue
    withdraw_request(technician, account, by=by)
    end_check_outs_of(technician, by=by, account=account)
    end_kept_codes(technician=technician, account=account, because=because, by=by)
