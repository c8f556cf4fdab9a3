"""How many passwords one person takes: the policy's limit for an hour, and an alarm for what is unusual."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.models import Entry
from msp.ledger.record import record
from technicians.models import Reveal, Technician
from technicians.reveal_plans import HOUR, LOOKED_BACK, Fetched, is_unusual, may_fetch_again_at, most_in_an_hour
from tenants.actions.findings import open_finding
from tenants.models import Finding, SharedAccount
from tenants.password_plans import Rules

ONE_BY_ONE = (Reveal.Act.SHOWN, Reveal.Act.COPIED, Reveal.Act.HANDED_OVER)
"""The acts that are counted. Who takes many at once needs another right for it, and asks nobody's pardon here."""


def moderate(person: Technician, account: SharedAccount, rules: Rules, *, now: dt.datetime) -> None:
    """Before the next password goes to this person: are these too many, or unusually many?

    Call it in the transaction of the reveal, before it is written down, with the person's row locked. Raises BadInput
    when the policy's number for an hour is reached. What is unusual for this person raises an alarm and goes through.
    """
    lately = _fetched_by(person, now - HOUR)
    again = may_fetch_again_at((one.at for one in lately), limit=rules.reveals_per_hour, now=now)
    if again is not None:
        raise BadInput(
            _(
                "You have fetched %(count)d passwords within an hour, and the policy of this account allows no more. "
                "The password was not given out; you get it from %(time)s on."
            )
            % {"count": rules.reveals_per_hour, "time": clock(again)}
        )
    _look_for_the_unusual(person, account, {one.account for one in lately}, now)


def clock(moment: dt.datetime) -> str:
    """The minute in which the moment is over, on the reader's clock."""
    return f"{timezone.localtime(moment + dt.timedelta(seconds=59)):%H:%M (%Z)}"


def _fetched_by(person: Technician, since: dt.datetime, until: dt.datetime | None = None) -> list[Fetched]:
    found = Reveal.objects.filter(
        technician=person, act__in=ONE_BY_ONE, at__gt=since, **({"at__lte": until} if until else {})
    )
    return [Fetched(at, account) for at, account in found.values_list("at", "version__secret__account_id")]


def _look_for_the_unusual(person: Technician, account: SharedAccount, before: set[Any], now: dt.datetime) -> None:
    """An alarm once in an hour, at the account with which it becomes unusual; `before` are those of the last hour."""
    accounts = len(before | {account.pk})
    # The long look back costs something, so only those take it who could be unusual, and once for each account.
    if account.pk in before or not is_unusual(accounts, most_before=0):
        return
    most_before = most_in_an_hour(_fetched_by(person, now - LOOKED_BACK, now - HOUR))
    if not is_unusual(accounts, most_before=most_before):
        return
    same = Entry.objects.of_reseller(account.reseller_id).filter(verb="reveals.unusual", technician_id=person.pk)
    if same.filter(at__gt=now - HOUR).exists():
        return
    record(
        "reveals.unusual",
        reseller_id=account.reseller_id,
        actor=None,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=person.pk,
        accounts=accounts,
        most_before=most_before,
    )
    detail = _(
        "%(name)s took the passwords of %(count)d different accounts within an hour, and never more than %(most)d in "
        "an hour of the 30 days before. Ask what for; offboarding %(name)s changes all of them."
    ) % {"name": person, "count": accounts, "most": most_before}
    open_finding(Finding.Kind.UNUSUAL_REVEALS, tenant=account.tenant, account=account, detail=detail)
