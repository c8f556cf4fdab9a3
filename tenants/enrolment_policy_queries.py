"""Which enrolment policy applies to which account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tenants.models import EnrolmentPolicy, SharedAccount
from tenants.password_plans import Place
from tenants.policy_places import nearest_policies, nearest_policy_at


def enrolment_policy_of(account: SharedAccount) -> EnrolmentPolicy:
    """The nearest policy of one account; without any an unsaved one that says the built-in rules."""
    return enrolment_policies_of([account])[account.pk]


def enrolment_policies_of(accounts: Iterable[SharedAccount]) -> Mapping[Any, EnrolmentPolicy]:
    """The nearest policy of each account, by its id, in two queries however many there are."""
    wanted = list(accounts)
    found = nearest_policies(EnrolmentPolicy, wanted)
    return {account.pk: found[account.pk] or built_in(account.reseller_id) for account in wanted}


def enrolment_policy_at(
    place: Place, *, reseller_id: Any, without: EnrolmentPolicy | None = None
) -> EnrolmentPolicy | None:
    """What applies at this place, or would without one policy; None for the built-in one. The place holds rows."""
    return nearest_policy_at(EnrolmentPolicy, place, reseller_id=reseller_id, without=without)


def built_in(reseller_id: Any) -> EnrolmentPolicy:
    """The rules of a reseller that has set none. Never saved."""
    return EnrolmentPolicy(reseller_id=reseller_id)


def is_built_in(policy: EnrolmentPolicy) -> bool:
    return policy._state.adding
