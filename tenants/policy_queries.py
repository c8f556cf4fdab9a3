"""Which password policy applies to which account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from tenants.models import PasswordPolicy, SharedAccount
from tenants.password_plans import BUILT_IN, Place, Rules
from tenants.policy_places import nearest_policies, nearest_policy_at


@dataclass(frozen=True)
class Applied:
    """The rules that apply to an account, and the policy they come from; None when they are the built-in ones."""

    rules: Rules
    policy: PasswordPolicy | None


def rules_of(policy: PasswordPolicy) -> Rules:
    """One policy as facts."""
    facts = {field.name: getattr(policy, field.name) for field in fields(Rules)}
    facts |= {name: tuple(facts[name]) for name in ("classes", "forbidden_parts")}
    facts["classes"] = facts["classes"] or BUILT_IN.classes
    return Rules(**facts)


def policy_of(account: SharedAccount) -> Applied:
    """The nearest policy of one account."""
    return policies_of([account])[account.pk]


def policies_of(accounts: Iterable[SharedAccount]) -> Mapping[Any, Applied]:
    """The nearest policy of each account, by its id, in at most two queries however many there are."""
    return {pk: _applied(policy) for pk, policy in nearest_policies(PasswordPolicy, accounts).items()}


def policy_at(place: Place, *, reseller_id: Any, without: PasswordPolicy | None = None) -> Applied:
    """What applies at this place, or would without one policy. The place holds rows, the account's tenant as its id."""
    return _applied(nearest_policy_at(PasswordPolicy, place, reseller_id=reseller_id, without=without))


def _applied(policy: PasswordPolicy | None) -> Applied:
    return Applied(rules_of(policy), policy) if policy else Applied(BUILT_IN, None)
