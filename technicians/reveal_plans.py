"""Decisions about reveals: is the policy's question answered, how many are too many, what is unusual.

No database, no network, no clock.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from tenants.password_plans import Rules, ticket_fits

HOUR = dt.timedelta(hours=1)
LOOKED_BACK = dt.timedelta(days=30)
"""How far back a person's habits are looked at."""

ALWAYS_USUAL = 10
"""So many different accounts in an hour surprise nobody."""

LONGEST_REASON, LONGEST_TICKET = 500, 64


@dataclass(frozen=True)
class Fetched:
    """One person took the password of one account, at this moment (UTC)."""

    at: dt.datetime
    account: Hashable


def unanswered(rules: Rules, *, reason: str, ticket: str) -> str:
    """What is wrong with the words that go with a reveal or a check-out, as a sentence; "" when nothing is."""
    if len(reason) > LONGEST_REASON or len(ticket) > LONGEST_TICKET:
        return _("A reason has at most %(reason)d characters and a ticket number at most %(ticket)d.") % {
            "reason": LONGEST_REASON,
            "ticket": LONGEST_TICKET,
        }
    if not (reason + ticket).isprintable():
        return _("There is a line break or another control character in the reason or the ticket number.")
    if rules.asks == "ticket" and not ticket:
        return _("The policy of this account asks for a ticket number.")
    if rules.asks == "ticket" and not ticket_fits(rules.ticket_pattern, ticket):
        return _("%(ticket)s is no ticket number as the policy of this account wants it: %(form)s.") % {
            "ticket": ticket,
            "form": rules.ticket_pattern,
        }
    if rules.asks == "reason" and not reason:
        return _("Say what you need the password for.")
    return ""


def may_fetch_again_at(times: Iterable[dt.datetime], *, limit: int, now: dt.datetime) -> dt.datetime | None:
    """None: now. `times` are when the person fetched; what came at the same moment was one act."""
    within = sorted({at for at in times if at > now - HOUR})
    return within[-limit] + HOUR if len(within) >= limit else None


def most_in_an_hour(fetched: Iterable[Fetched]) -> int:
    """The highest number of different accounts that were ever fetched within one hour."""
    window: deque[Fetched] = deque()
    accounts: Counter[Hashable] = Counter()
    most = 0
    for one in sorted(fetched, key=lambda fetch: fetch.at):
        window.append(one)
        accounts[one.account] += 1
        while window[0].at <= one.at - HOUR:
            gone = window.popleft()
            accounts[gone.account] -= 1
            if not accounts[gone.account]:
                del accounts[gone.account]
        most = max(most, len(accounts))
    return most


def is_unusual(accounts: int, *, most_before: int) -> bool:
    """Are so many different accounts in this hour markedly more than this person ever took in one?"""
    return accounts > ALWAYS_USUAL and accounts > 2 * most_before
