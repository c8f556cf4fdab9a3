"""What the pages about enrolment policies read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.actions.set_policy import may_set
from tenants.enrolment_policy_queries import built_in, enrolment_policy_at
from tenants.enrolment_policy_words import for_later, in_words, ways
from tenants.models import EnrolmentPolicy, SharedAccount, Tenant
from tenants.password_plans import Place
from tenants.policy_pages import where

if TYPE_CHECKING:
    from technicians.models import Technician


@dataclass(frozen=True)
class EnrolmentPolicyCard:
    """What applies to an account. `policy` is None when it is the built-in one."""

    policy: EnrolmentPolicy | None
    place: str
    ways: str
    words: list[tuple[str, list[str]]]
    may_set: bool


def enrolment_policy_card(account: SharedAccount, person: Technician) -> EnrolmentPolicyCard:
    """Call it only for an account that the reader may see; needs `tenant` loaded."""
    found = enrolment_policy_at(Place(account=account), reseller_id=account.reseller_id)
    rules = found or built_in(account.reseller_id)
    return EnrolmentPolicyCard(
        found, where(found), ways(rules), in_words(rules), may_set(person, Place(account=account))
    )


@dataclass(frozen=True)
class EnrolmentPolicyOfTenant:
    """The policy of the accounts of a tenant that have none of their own; None when it is the built-in one."""

    policy: EnrolmentPolicy | None
    place: str


def enrolment_policy_of_tenant(tenant: Tenant) -> EnrolmentPolicyOfTenant:
    found = enrolment_policy_at(Place(tenant=tenant), reseller_id=tenant.reseller_id)
    return EnrolmentPolicyOfTenant(found, where(found))


@dataclass(frozen=True)
class EnrolmentPolicyRow:
    """One line of the list of policies."""

    policy: EnrolmentPolicy
    place: str
    ways: str
    for_later: str


def enrolment_policy_row(policy: EnrolmentPolicy) -> EnrolmentPolicyRow:
    return EnrolmentPolicyRow(policy, where(policy), ways(policy), for_later(policy))
