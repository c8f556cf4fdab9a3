"""A person's enrolment list: what is on it, what comes off it, and what a finished enrolment does to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.take_methods_away import take_old_methods_away
from technicians.models import Enrolment, EnrolmentRequest, Technician
from tenants.models import Run, SharedAccount

Because = EnrolmentRequest.Because
AFTER_THE_NEW_ONE = {Because.NEW_PHONE: Run.Kind.NEW_PHONE, Because.LOST_PHONE: Run.Kind.LOST_DEVICE}
"""For these reasons an old method goes when the new one works. After a loss only those are left that a guard held."""


@transaction.atomic
def ask_to_enrol(
    technician: Technician,
    accounts: Iterable[SharedAccount],
    *,
    because: EnrolmentRequest.Because,
    by: Technician,
    due_on: dt.date | None = None,
) -> list[EnrolmentRequest]:
    """Put accounts on the list; one that waits there already keeps its line. Answers the open lines of `accounts`.

    A lost phone is the better reason for a line that waited for another one: there is no old method any more.
    Raises NotPermitted, BadInput (not active), LedgerClosed.
    """
    if by.pk != technician.pk and not (by.may("enrol") and by.reseller_id == technician.reseller_id):
        raise NotPermitted(_("Your role may not ask others to enrol; nothing was changed."))
    # Two askers at once, or a departure: the second waits here and finds what the first did.
    technician = Technician.objects.select_for_update().get(pk=technician.pk)
    if not technician.is_active:
        raise BadInput(_("%(name)s is not active, so there is nothing to enrol for.") % {"name": technician})
    ours = [account for account in accounts if account.reseller_id == technician.reseller_id]
    # In a guided place nobody enrols through Latchkey: what is registered there is stated on the account's page.
    readable = set(
        SharedAccount.objects.at_microsoft().filter(pk__in=[a.pk for a in ours]).values_list("pk", flat=True)
    )
    wanted = {account.pk: account for account in ours if account.pk in readable}
    waiting = set(_open_lines(technician, wanted).values_list("account_id", flat=True))
    new = [account for account_id, account in wanted.items() if account_id not in waiting]
    EnrolmentRequest.objects.bulk_create(
        EnrolmentRequest(
            reseller_id=technician.reseller_id,
            technician=technician,
            account=account,
            because=because,
            requested_by=by,
            due_on=due_on,
        )
        for account in new
    )
    for account in new:
        record(
            "enrolment.asked",
            reseller_id=technician.reseller_id,
            actor=by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            technician_id=technician.pk,
            because=str(because),
            due_on=due_on.isoformat() if due_on else None,
        )
    if because == Because.LOST_PHONE:
        _open_lines(technician, wanted).update(because=because)
    return list(_open_lines(technician, wanted).select_related("account__tenant"))


@transaction.atomic
def withdraw_requests(requests: Iterable[EnrolmentRequest], *, by: Technician) -> int:
    """These lines come off the list; whatever was enrolled stays. Says how many were still open.

    Raises NotPermitted, LedgerClosed. Also called in the transaction that ends an assignment or an access.
    """
    withdrawn = 0
    for request in requests:
        own = by.pk == request.technician_id and request.because == Because.NEW_PHONE
        manages = (by.may("assign") or by.may("enrol")) and by.reseller_id == request.reseller_id
        if not own and not manages:
            raise NotPermitted(_("Your role may not withdraw what others are asked to enrol; nothing was changed."))
        withdrawn += _withdraw(request, by)
    return withdrawn


@transaction.atomic
def withdraw_request(technician: Technician, account: SharedAccount, *, by: Technician | None) -> int:
    """The line of one account, because of another decision: whoever made that was asked for the right already."""
    return _withdraw_all(_open_lines(technician, [account.pk]), by)


def withdraw_all_of(technician: Technician, *, by: Technician | None) -> int:
    """The whole list, because the access ended. Call it in the transaction of its cause."""
    return _withdraw_all(EnrolmentRequest.objects.open().filter(technician=technician), by)


def meet_request(enrolment: Enrolment) -> None:
    """The enrolment is active: the line is done, and where it was about another phone the old methods go.

    Call it in the transaction that makes the enrolment active, with `authenticator` set.
    """
    now = timezone.now()
    lines = EnrolmentRequest.objects.open().filter(technician=enrolment.technician, account=enrolment.account)
    request = lines.select_for_update(of=("self",)).select_related("requested_by").first()
    if request is None:
        return
    EnrolmentRequest.objects.filter(pk=request.pk).update(done_at=now, enrolment=enrolment)
    record(
        "enrolment.met",
        reseller_id=request.reseller_id,
        actor=enrolment.technician,
        tenant_id=enrolment.account.tenant_id,
        account_id=enrolment.account_id,
        technician_id=enrolment.technician_id,
        because=request.because,
    )
    kind = AFTER_THE_NEW_ONE.get(Because(request.because))
    if kind is not None:
        take_old_methods_away(
            enrolment.technician,
            enrolment.account_id,
            kind=kind,
            except_for=enrolment.authenticator,
            reason=_("The new authenticator of %(name)s works, so the old one goes.") % {"name": enrolment.technician},
            by=enrolment.technician,
        )


def _open_lines(technician: Technician, accounts: Iterable[object]) -> QuerySet[Any]:
    return EnrolmentRequest.objects.open().filter(technician=technician, account__in=list(accounts))


def _withdraw_all(lines: QuerySet[Any], by: Technician | None) -> int:
    return sum(_withdraw(request, by) for request in lines.select_related("account"))


def _withdraw(request: EnrolmentRequest, by: Technician | None) -> int:
    still_open = EnrolmentRequest.objects.open().filter(pk=request.pk)
    if not still_open.update(withdrawn_at=timezone.now()):
        return 0
    record(
        "enrolment.withdrawn",
        reseller_id=request.reseller_id,
        actor=by,
        tenant_id=request.account.tenant_id,
        account_id=request.account_id,
        technician_id=request.technician_id,
    )
    return 1
