"""Who has an account for themselves now, and what the reader may do about its password."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone

from technicians.models import CheckOut, Technician
from tenants.models import SecretVersion, SharedAccount
from tenants.password_plans import Rules
from tenants.policy_queries import policy_of


def check_out_of(account: SharedAccount, now: dt.datetime) -> CheckOut | None:
    """The check-out that counts at this moment; one whose time is over counts no more, though no clock ended it yet."""
    counts = CheckOut.objects.live().filter(account=account, until_at__gt=now)
    found: CheckOut | None = counts.select_related("technician").first()
    return found


@dataclass(frozen=True)
class RevealCard:
    """What stands between the reader and the password of one account.

    `versions` are those that may sign in, newest first. `check_out` is anybody's, `mine` the reader's. `may_reveal`:
    the reader holds the account, whatever the check-out says; `may_fetch`: that does not stand in the way either.
    """

    rules: Rules
    versions: list[SecretVersion]
    check_out: CheckOut | None
    mine: CheckOut | None
    may_reveal: bool
    may_fetch: bool
    may_check_out: bool
    may_take_back: bool


def reveal_card(account: SharedAccount, person: Technician, *, assigned: bool) -> RevealCard:
    """Call it only for an account that the reader may see."""
    rules = policy_of(account).rules
    found = check_out_of(account, timezone.now())
    mine = found if found is not None and found.technician_id == person.pk else None
    may_reveal = assigned and person.may("reveal")
    versions = SecretVersion.objects.filter(secret__account=account).that_may_sign_in().defer("sealed")
    return RevealCard(
        rules=rules,
        versions=list(versions.order_by("-number")),
        check_out=found,
        mine=mine,
        may_reveal=may_reveal,
        may_fetch=may_reveal and (mine is not None or (found is None and not rules.check_out_required)),
        may_check_out=may_reveal and found is None,
        may_take_back=found is not None and mine is None and person.may("assign"),
    )
