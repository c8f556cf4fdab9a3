"""Set what a reseller asks of every departure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.webhooks import WebhookTrouble, checked
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import DeparturePolicy, Reach, Reseller

if TYPE_CHECKING:
    from technicians.models import Technician

RIGHT = "set_policies"
RULES = (
    "approvals",
    "approvals_above",
    "approvals_for_many",
    "try_password",
    "try_code",
    "try_session",
    "rehearse_every_days",
    "webhook_url",
)


@transaction.atomic
def set_departure_policy(rules: Mapping[str, Any], *, by: Technician) -> DeparturePolicy:
    """From now on these rules (all of RULES by name) hold. Requests that wait need no fewer approvals than before.

    Only an owner may ask for fewer approvals: whoever wants to leave nobody a say must not be able to begin here.
    The same rules again change nothing. Raises NotPermitted, BadInput (a value out of range), LedgerClosed.
    """
    if not by.may(RIGHT) or by.reach != Reach.EVERYTHING:
        raise NotPermitted(_("Your role may not set the policy of departures; nothing was changed."))
    # Two at once: the second waits here, and then changes what the first one wrote.
    Reseller.objects.select_for_update(no_key=True).only("pk").get(pk=by.reseller_id)
    policy = departure_policy_of(by.reseller_id)
    was, now = facts_of(policy), {name: rules[name] for name in RULES}
    if was == now:
        return policy
    if _asks_less(was, now) and not by.may("change_roles"):
        raise NotPermitted(_("Only an owner may let fewer people agree to a departure; nothing was changed."))
    if now["webhook_url"] != was["webhook_url"]:
        _demand_sendable(now["webhook_url"])
    for name, value in now.items():
        setattr(policy, name, value)
    policy.changed_at, policy.changed_by_id = timezone.now(), by.pk
    try:
        policy.full_clean()
    except ValidationError as wrong:
        raise BadInput(f"{' '.join(wrong.messages)} {_('Nothing was changed.')}") from wrong
    policy.save()
    record("departure_policy.set", reseller_id=by.reseller_id, actor=by, was=_told(was), now=_told(now))
    return policy


def facts_of(policy: DeparturePolicy) -> dict[str, Any]:
    """The rules by their names."""
    return {name: getattr(policy, name) for name in RULES}


def _demand_sendable(url: str) -> None:
    """Better said now than when the first event does not arrive; whether it is a private address shows only then."""
    try:
        if url:
            checked(url, inside=settings.WEBHOOKS_INSIDE)
    except WebhookTrouble as wrong:
        raise BadInput(str(wrong)) from wrong


def _asks_less(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Is there a number of accounts for which fewer people have to agree than before?"""
    sizes = {0, was["approvals_above"], now["approvals_above"], 10**9} - {None}
    return any(_needed(now, size + more) < _needed(was, size + more) for size in sizes for more in (0, 1))


def _needed(rules: Mapping[str, Any], accounts: int) -> int:
    above = rules["approvals_above"]
    many = above is not None and accounts > above
    return int(max(rules["approvals"], rules["approvals_for_many"]) if many else rules["approvals"])


def _told(rules: Mapping[str, Any]) -> dict[str, Any]:
    """As the ledger keeps it: the path of a webhook is often its password, so only its host is told."""
    return dict(rules) | {"webhook_url": urlsplit(rules["webhook_url"]).hostname or ""}
