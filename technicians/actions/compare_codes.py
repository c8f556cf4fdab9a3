"""Two technicians type their codes within the same 30 seconds: equal codes prove one seed on both phones."""

from __future__ import annotations

import datetime as dt
import hmac
import time
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.codes import DIGITS, digits_of
from technicians.comparison_plans import Verdict, compared, step_read
from technicians.models import Assignment, Technician, TwoPersonCheck
from tenants.actions.findings import open_finding
from tenants.actions.seed_digest import digest_key, seed_digest
from tenants.models import Finding, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

MOST_IN_AN_HOUR = 10
"""Checks of one account. Each tells once whether two codes are equal, and nobody needs to ask that all day."""
OPEN_FOR = dt.timedelta(minutes=10)


@transaction.atomic
def ask_for_check(account: SharedAccount, first: Technician, second: Technician, *, by: Technician) -> TwoPersonCheck:
    """Raises NotPermitted, BadInput (one person, without the account, too often), LedgerClosed.

    One that these two have open already is the one that is meant.
    """
    if by.pk not in (first.pk, second.pk) and not by.may("enrol"):
        raise NotPermitted(_("Your role may not ask others to compare their codes; nothing was begun."))
    if first.pk == second.pk:
        raise BadInput(_("It takes two people to compare codes; nothing was begun."))
    for person in (first, second):
        held = Assignment.objects.live().filter(technician=person, account=account)
        if not person.may("reveal") or not held.exists():
            raise BadInput(
                _("%(name)s does not hold %(account)s, so there is no code to compare; nothing was begun.")
                % {"name": person, "account": account}
            )
    SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
    close_late_checks()
    now = timezone.now()
    here = account.two_person_checks.filter(result=TwoPersonCheck.Result.WAITING)
    for known in here.select_related("first", "second"):
        if {known.first_id, known.second_id} == {first.pk, second.pk}:
            return known
    if account.two_person_checks.filter(asked_at__gt=now - dt.timedelta(hours=1)).count() >= MOST_IN_AN_HOUR:
        raise BadInput(
            _("Codes of this account were compared %(count)d times within an hour; wait before the next time.")
            % {"count": MOST_IN_AN_HOUR}
        )
    check = TwoPersonCheck.objects.create(
        reseller_id=account.reseller_id, account=account, first=first, second=second, asked_by=by
    )
    _write_down("check.asked", check, by=by)
    return check


def type_code(check: TwoPersonCheck, code: str, *, by: Technician, outside: Outside) -> TwoPersonCheck:
    """One of the two says the code of this moment; the second one decides. The code itself is never stored.

    Raises NotPermitted for anybody else or without the account, BadInput (no code, over, typed already), KeyTrouble,
    LedgerClosed.
    """
    code = digits_of(code)
    if not (code.isascii() and code.isdigit() and len(code) == DIGITS):
        raise BadInput(_("A code has six digits; nothing was compared. Type the one that your app shows now."))
    arrived = time.time()
    with transaction.atomic():
        here = TwoPersonCheck.objects.select_for_update(of=("self",))
        check = here.select_related("account__tenant", "first", "second").get(pk=check.pk)
        _demand_part(check, by)
        if check.result != TwoPersonCheck.Result.WAITING or check.typed_by_id == by.pk:
            raise BadInput(_("You typed a code for this already, or it is over; nothing was changed."))
        if check.asked_at + OPEN_FOR <= timezone.now():
            raise BadInput(_("This was begun too long ago; nothing was compared. Begin again."))
        # The check's own id goes in, so that equal codes of two checks do not look equal.
        said = f"{check.pk}:{code}".encode()
        digest = seed_digest(said, digest_key(check.reseller_id, outside))
        step = step_read(arrived)
        if check.typed_by_id is None:
            check.typed_by, check.first_digest, check.step = by, digest, step
            check.save(update_fields=["typed_by", "first_digest", "step"])
        else:
            equal = hmac.compare_digest(bytes(check.first_digest), digest)
            _decide(check, compared(check.step or 0, step, equal=equal), by=by)
    return check


def close_late_checks() -> int:
    """Who typed alone, or nobody did: too late, and the fingerprint of the code is emptied. For the clock."""
    waiting = TwoPersonCheck.objects.filter(result=TwoPersonCheck.Result.WAITING)
    typed_too_early = waiting.filter(step__lt=step_read(time.time()) - 1)
    late = waiting.filter(asked_at__lte=timezone.now() - OPEN_FOR) | typed_too_early
    return late.update(result=TwoPersonCheck.Result.TOO_LATE, first_digest=b"", decided_at=timezone.now())


def _demand_part(check: TwoPersonCheck, by: Technician) -> None:
    held = Assignment.objects.live().filter(technician=by, account=check.account)
    if by.pk not in (check.first_id, check.second_id) or not by.may("reveal") or not held.exists():
        raise NotPermitted(_("Only the two people whose codes are compared can type them; nothing was compared."))


def _decide(check: TwoPersonCheck, verdict: Verdict, *, by: Technician) -> None:
    check.result, check.first_digest, check.decided_at = TwoPersonCheck.Result(verdict), b"", timezone.now()
    check.save(update_fields=["result", "first_digest", "decided_at"])
    _write_down("check.decided", check, by=by, result=str(verdict))
    if verdict == Verdict.SHARED:
        open_finding(
            Finding.Kind.SHARED_SEED,
            tenant=check.account.tenant,
            account=check.account,
            detail=_(
                "%(first)s and %(second)s typed the same code at the same time: both phones have one seed, so neither "
                "can be removed alone. Enrol an authenticator of their own for each of the two, then remove the old "
                "one."
            )
            % {"first": check.first, "second": check.second},
        )


def _write_down(verb: str, check: TwoPersonCheck, *, by: Technician, **facts: Any) -> None:
    record(
        verb,
        reseller_id=check.reseller_id,
        actor=by,
        tenant_id=check.account.tenant_id,
        account_id=check.account_id,
        first=str(check.first_id),
        second=str(check.second_id),
        check=str(check.pk),
        **facts,
    )
