"""Somebody is back from leave: they hold again what they held, and enrol anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.assign import assign
from technicians.actions.suspend import may_suspend
from technicians.life_queries import on_their_way_out
from technicians.models import Authenticator, EnrolmentRequest, Suspension, Technician
from tenants.exit_queries import customers_who_go
from tenants.models import SharedAccount


@dataclass(frozen=True)
class GivenBack:
    """One account that a return gives back. Nobody knew an end when `until` is None."""

    account: SharedAccount
    from_at: dt.datetime
    until: dt.datetime | None
    reason: str


def what_comes_back(suspension: Suspension) -> list[GivenBack]:
    """What they held, where the account is still there and ours, and the assignment has not run out meanwhile."""
    now = timezone.now()
    ids = {held["account"] for held in suspension.accounts}
    accounts = {
        str(account.pk): account
        for account in SharedAccount.objects.filter(pk__in=ids, reseller_id=suspension.reseller_id)
        .exclude(tenant__customer__in=customers_who_go())
        .select_related("tenant__customer")
    }
    back = []
    for held in suspension.accounts:
        account, until = accounts.get(held["account"]), _moment(held["until"])
        if account is not None and (until is None or until > now):
            back.append(GivenBack(account, max(now, _moment(held["from"]) or now), until, held["reason"]))
    return sorted(back, key=lambda given: (str(given.account.tenant.customer), str(given.account)))


@transaction.atomic
def bring_back(suspension: Suspension, *, by: Technician) -> list[EnrolmentRequest]:
    """Active again, with the same accounts and a new enrolment list; the sign-in itself begins with a one-time link.

    Raises NotPermitted, BadInput (back already, left meanwhile), LedgerClosed; then nothing was changed.
    """
    technician = Technician.objects.select_for_update().get(pk=suspension.technician_id)
    may_suspend(technician, by)
    unreturned = Suspension.objects.open().filter(pk=suspension.pk)
    if technician.status != Technician.Status.SUSPENDED or not unreturned.exists():
        raise BadInput(
            _("%(name)s is not suspended: %(state)s. Nothing was changed.")
            % {"name": technician, "state": technician.get_status_display()}
        )
    technician.advance(Technician.Status.ACTIVE)
    unreturned.update(returned_at=timezone.now(), returned_by=by)
    back = what_comes_back(suspension)
    record(
        "technician.returned",
        reseller_id=technician.reseller_id,
        actor=by,
        run_id=suspension.run_id,
        technician_id=technician.pk,
        accounts=len(back),
    )
    for given in back:
        reason = _("Back from leave. %(reason)s") % {"reason": given.reason}
        assign(technician, given.account, by=by, reason=reason.strip(), from_at=given.from_at, until_at=given.until)
    live_now = [given.account for given in back if given.from_at <= timezone.now()]
    to_enrol = _without_a_method(technician, live_now)
    return ask_to_enrol(technician, to_enrol, because=EnrolmentRequest.Because.RETURNED, by=by)


def _without_a_method(technician: Technician, accounts: Iterable[SharedAccount]) -> list[SharedAccount]:
    """A guard may have kept the old one; nobody has to enrol again where it is."""
    bound = Authenticator.objects.on_the_account().filter(technician=technician)
    kept = bound.exclude(method__in=on_their_way_out(technician)).values_list("method__account_id", flat=True)
    there = set(kept)
    return [account for account in accounts if account.pk not in there and not account.break_glass]


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
