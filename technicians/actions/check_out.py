"""Have a shared account for oneself for a time, and give it back: by hand, by the clock, or at somebody's word."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, MoveLost, NotPermitted
from msp.ledger.record import record
from technicians.models import Assignment, CheckOut, Technician
from technicians.reveal_plans import unanswered
from tenants.actions.demand_change import demand_change
from tenants.models import ChangeDemand, SharedAccount
from tenants.password_plans import Rules
from tenants.policy_queries import policy_of

Ended = CheckOut.Ended


def check_out(
    technician: Technician, account: SharedAccount, *, reason: str, ticket: str = "", minutes: int | None = None
) -> CheckOut:
    """Until its end nobody else gets the password. The policy's minutes are the longest and the usual time.

    It ends with the assignment if that ends sooner. The door has asked for a fresh second factor. Raises NotPermitted
    without a live assignment, BadInput for what was typed, MoveLost when somebody has the account, LedgerClosed.
    """
    reason, ticket = reason.strip(), ticket.strip()
    with transaction.atomic():
        # In this order everywhere: the person, then the account; a reveal at this moment comes before or after.
        person = Technician.objects.select_for_update(no_key=True).get(pk=technician.pk)
        SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        now = timezone.now()
        rules = policy_of(account).rules
        assignment = Assignment.objects.live(now).filter(technician=person, account=account).first()
        if not person.may("reveal") or assignment is None:
            raise NotPermitted(_("This account is not assigned to you now; it was not checked out."))
        if wrong := unanswered(rules, reason=reason, ticket=ticket):
            raise BadInput(f"{wrong} {_('The account was not checked out.')}")
        until_at = now + _length(minutes, rules)
        _make_room(account, person, now)
        made = CheckOut.objects.create(
            reseller_id=account.reseller_id,
            technician=person,
            account=account,
            reason=reason,
            ticket=ticket,
            from_at=now,
            until_at=min(until_at, assignment.until_at or until_at),
        )
        facts = {"reason": reason, "ticket": ticket, "until_at": made.until_at}
        _record("account.checked_out", made, by=person, **facts)
    return made


def check_in(found: CheckOut, *, by: Technician) -> None:
    """Its holder gives it back. Raises NotPermitted to anybody else, MoveLost when it had ended, LedgerClosed."""
    if found.technician_id != by.pk or not by.is_active:
        raise NotPermitted(_("Only whoever checked this account out checks it in; nothing was changed."))
    _end_or_lose(found, Ended.CHECKED_IN, by=by)


def take_back(found: CheckOut, *, by: Technician, reason: str) -> None:
    """Somebody who decides who holds which account ends it. The door has asked for a fresh second factor.

    Raises NotPermitted, BadInput without a reason, MoveLost when it had ended, LedgerClosed.
    """
    if not by.may("assign") or not SharedAccount.objects.visible_to(by).filter(pk=found.account_id).exists():
        raise NotPermitted(_("Your role may not take an account back; nothing was changed."))
    reason = reason.strip()
    if not reason or len(reason) > 500 or not reason.isprintable():
        raise BadInput(_("Say in one line of at most 500 characters why; the account was not taken back."))
    _end_or_lose(found, Ended.TAKEN_BACK, by=by, reason=reason)


def end_overdue_check_outs() -> int:
    """For the clock: end those whose time is over or whose holder has lost the account. Says how many."""
    now = timezone.now()
    held = Assignment.objects.live(now).filter(technician=OuterRef("technician"), account=OuterRef("account"))
    overdue = _live().filter(Q(until_at__lte=now) | ~Exists(held) | ~Q(technician__status=Technician.Status.ACTIVE))
    ended = 0
    for found in overdue:
        because = Ended.TIME_OVER if found.until_at <= now else Ended.ACCESS_ENDED
        ended += _end(found, because, by=None)
    return ended


def end_check_outs_of(technician: Technician, *, by: Technician | None, account: SharedAccount | None = None) -> int:
    """The person loses everything, or this account: their check-outs end. Call it in the transaction of its cause."""
    found = _live().filter(technician=technician, **({"account": account} if account else {}))
    return sum(_end(one, Ended.ACCESS_ENDED, by=by) for one in found)


def _length(minutes: int | None, rules: Rules) -> dt.timedelta:
    asked = rules.check_out_minutes if minutes is None else minutes
    if not 1 <= asked <= rules.check_out_minutes:
        raise BadInput(
            _("The policy lets this account be checked out for 1 to %(most)d minutes. It was not checked out.")
            % {"most": rules.check_out_minutes}
        )
    return dt.timedelta(minutes=asked)


def _make_room(account: SharedAccount, person: Technician, now: dt.datetime) -> None:
    """End a check-out whose time is over; another one stands in the way. The account's row is locked by the caller."""
    found = _live().filter(account=account).first()
    if found is None:
        return
    if found.until_at <= now:
        _end(found, Ended.TIME_OVER, by=None)
    elif found.technician_id == person.pk:
        raise MoveLost(_("You have checked this account out already; that one stands."))
    else:
        raise MoveLost(
            _("%(name)s has checked this account out; it was not checked out again. See until when on its page.")
            % {"name": found.technician}
        )


def _live() -> Any:
    return CheckOut.objects.live().select_related("account__tenant", "technician")


def _end_or_lose(found: CheckOut, because: CheckOut.Ended, *, by: Technician, reason: str = "") -> None:
    if not _end(found, because, by=by, reason=reason):
        raise MoveLost(_("This check-out had ended before; nothing was changed now."))


@transaction.atomic
def _end(found: CheckOut, because: CheckOut.Ended, *, by: Technician | None, reason: str = "") -> bool:
    """False when it had ended before."""
    still = CheckOut.objects.live().filter(pk=found.pk)
    if not still.update(ended_at=timezone.now(), ended_because=because, ended_by=by):
        return False
    _record("account.checked_in", found, by=by, because=because.value, reason=reason)
    if policy_of(found.account).rules.rotate_after_check_in:
        demand_change(found.account, ChangeDemand.Because.CHECK_IN, by=by, detail=str(found.technician))
    return True


def _record(verb: str, found: CheckOut, *, by: Technician | None, **facts: Any) -> None:
    record(
        verb,
        reseller_id=found.reseller_id,
        actor=by,
        tenant_id=found.account.tenant_id,
        account_id=found.account_id,
        technician_id=found.technician_id,
        **facts,
    )
