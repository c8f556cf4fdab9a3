"""Give the shared password to one person, once, to be seen or to be copied: written down first, given afterwards."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.moderate_reveals import clock, moderate
from technicians.check_out_queries import check_out_of
from technicians.models import Assignment, Reveal, Technician
from technicians.reveal_plans import unanswered
from tenants.actions.demand_change import demand_change
from tenants.models import ChangeDemand, SecretVersion, SharedAccount
from tenants.password_plans import Rules
from tenants.policy_queries import policy_of

if TYPE_CHECKING:
    from msp.outside import Outside

VERBS = {Reveal.Act.SHOWN: "password.revealed", Reveal.Act.COPIED: "password.copied"}


@dataclass(frozen=True)
class Shown:
    """One version, in clear, with what is known about it. Never log or store it."""

    version: SecretVersion
    password: str

    def __repr__(self) -> str:
        return f"Shown({self.version})"


@dataclass(frozen=True)
class Words:
    """What a person says for it."""

    reason: str
    ticket: str


def reveal_password(
    technician: Technician, account: SharedAccount, *, reason: str, outside: Outside, ticket: str = ""
) -> list[Shown]:
    """Every version that may sign in, oldest first: while a change is not proven, one of several does.

    The door has asked for a fresh second factor. Raises NotPermitted without a live assignment or against a
    check-out, BadInput for missing words, too many reveals or without a stored password, KeyTrouble, and LedgerClosed
    when it cannot be written down: then nothing is shown.
    """
    return _fetch(technician, account, Reveal.Act.SHOWN, Words(reason.strip(), ticket.strip()), outside)


def copy_password(
    technician: Technician,
    account: SharedAccount,
    *,
    reason: str,
    outside: Outside,
    ticket: str = "",
    number: int | None = None,
) -> Shown:
    """One version, for the clipboard, unseen: the one with this number, or the only one. Raises as reveal_password."""
    words = Words(reason.strip(), ticket.strip())
    [copied] = _fetch(technician, account, Reveal.Act.COPIED, words, outside, number)
    return copied


def _fetch(
    technician: Technician,
    account: SharedAccount,
    act: Reveal.Act,
    words: Words,
    outside: Outside,
    number: int | None = None,
) -> list[Shown]:
    with transaction.atomic():
        # The row locks make an offboarding or a check-out at this moment come before or after, never in between.
        person = Technician.objects.select_for_update(no_key=True).get(pk=technician.pk)
        SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        now = timezone.now()
        rules = policy_of(account).rules
        demand_access(person, account, rules, now)
        if wrong := unanswered(rules, reason=words.reason, ticket=words.ticket):
            raise BadInput(f"{wrong} {_('The password was not given out.')}")
        versions = _versions(account, act, number)
        moderate(person, account, rules, now=now)
        write_down(person, account, versions, act, words, now)
        if rules.rotate_after_reveal:
            due_at = now + dt.timedelta(hours=rules.hours_after_reveal)
            demand_change(account, ChangeDemand.Because.REVEAL, by=person, detail=str(person), due_at=due_at)
        return [Shown(v, outside.vault.open(bytes(v.sealed), v.place).decode()) for v in versions]


# --- what must be so ---------------------------------------------------------------------------------------------


def demand_access(person: Technician, account: SharedAccount, rules: Rules, now: dt.datetime) -> None:
    """Raises NotPermitted."""
    live = Assignment.objects.live(now).filter(technician=person, account=account)
    if not person.may("reveal") or not live.exists():
        raise NotPermitted(_("This account is not assigned to you now; the password was not given out."))
    held = check_out_of(account, now)
    if held is not None and held.technician_id != person.pk:
        raise NotPermitted(
            _(
                "%(name)s has checked this account out until %(time)s, so nobody else gets its password; it was not "
                "given out. Wait until then, or ask %(name)s to check it in."
            )
            % {"name": held.technician, "time": clock(held.until_at)}
        )
    if held is None and rules.check_out_required:
        raise NotPermitted(
            _("The policy gives this password only to whoever has checked the account out. Check it out first.")
        )


def _versions(account: SharedAccount, act: Reveal.Act, number: int | None) -> list[SecretVersion]:
    found = SecretVersion.objects.filter(secret__account=account).that_may_sign_in()
    versions = list(found.select_related("secret__account").order_by("number"))
    if not versions:
        raise BadInput(_("Latchkey has no password of this account; import it, or rotate it once."))
    if act == Reveal.Act.SHOWN:
        return versions
    wanted = versions if number is None else [version for version in versions if version.number == number]
    if not wanted:
        raise BadInput(
            _("Version %(number)d may not sign in any more; it was not copied. Look which versions there are now.")
            % {"number": number}
        )
    if len(wanted) > 1:
        raise BadInput(_("Several versions may sign in; nothing was copied. Say which one you want."))
    return wanted


# --- writing it down ---------------------------------------------------------------------------------------------


def write_down(
    person: Technician,
    account: SharedAccount,
    versions: list[SecretVersion],
    act: Reveal.Act,
    words: Words,
    now: dt.datetime,
) -> None:
    """Who gets which version, for the reports and in the ledger; in the transaction in which it is given."""
    for version in versions:
        Reveal.objects.create(
            reseller_id=account.reseller_id,
            technician=person,
            version=version,
            act=act,
            reason=words.reason,
            ticket=words.ticket,
            at=now,
        )
        record(
            VERBS[act],
            reseller_id=account.reseller_id,
            actor=person,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            technician_id=person.pk,
            version=version.number,
            reason=words.reason,
            ticket=words.ticket,
        )
