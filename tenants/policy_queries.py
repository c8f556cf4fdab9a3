"""Which password policy applies to which account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from tenants.models import PasswordPolicy, SharedAccount, TenantGroup
from tenants.password_plans import BUILT_IN, Place, Rules, nearest


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
    """The nearest policy of each account, by its id, in two queries however many there are."""
    wanted = list(accounts)
    resellers = {account.reseller_id for account in wanted}
    policies: defaultdict[Any, list[tuple[Place, PasswordPolicy]]] = defaultdict(list)
    for policy in PasswordPolicy.objects.filter(reseller__in=resellers).select_related("group", "tenant", "account"):
        place = Place(group=policy.group_id, tenant=policy.tenant_id, account=policy.account_id)
        policies[policy.reseller_id].append((place, policy))
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    tenants = {account.tenant_id for account in wanted}
    for tenant_id, group_id in (
        TenantGroup.objects.filter(tenants__in=tenants).order_by("name").values_list("tenants", "pk")
    ):
        groups[tenant_id].append(group_id)
    return {
        account.pk: _applied(policies[account.reseller_id], account, groups[account.tenant_id]) for account in wanted
    }


def _applied(policies: list[tuple[Place, PasswordPolicy]], account: SharedAccount, groups: list[Any]) -> Applied:
    found = nearest(policies, account=account.pk, tenant=account.tenant_id, groups=groups)
    return Applied(rules_of(found), found) if found else Applied(BUILT_IN, None)
