"""Where policies are set, and which one is the nearest: the same for every kind of policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.db.models import Q

from tenants.models import EnrolmentPolicy, PasswordPolicy, SharedAccount, TenantGroup
from tenants.password_plans import Place, nearest

Policy = TypeVar("Policy", PasswordPolicy, EnrolmentPolicy)


def place_of(policy: PasswordPolicy | EnrolmentPolicy) -> Place:
    """Where the policy is set; needs `group`, `tenant` and `account` loaded."""
    return Place(group=policy.group, tenant=policy.tenant, account=policy.account)


def nearest_policies(kind: type[Policy], accounts: Iterable[SharedAccount]) -> Mapping[Any, Policy | None]:
    """The nearest policy of each account, by its id; None without any.

    One query however many there are, and a second where a tenant group has a policy.
    """
    wanted = list(accounts)
    tenants = {account.tenant_id for account in wanted}
    known = _policies(
        kind,
        {account.reseller_id for account in wanted},
        accounts={account.pk for account in wanted},
        tenants=tenants,
        groups=TenantGroup.objects.filter(tenants__in=tenants).values("pk"),
    )
    of_groups = any(place.group for policies in known.values() for place, _policy in policies)
    groups: defaultdict[Any, list[Any]] = _groups_of(tenants) if of_groups else defaultdict(list)
    return {
        account.pk: nearest(
            known[account.reseller_id], account=account.pk, tenant=account.tenant_id, groups=groups[account.tenant_id]
        )
        for account in wanted
    }


def nearest_policy_at(
    kind: type[Policy], place: Place, *, reseller_id: Any, without: Policy | None = None
) -> Policy | None:
    """What applies at this place, or would without one policy. The place holds rows, the account's tenant as its id."""
    account, tenant = (place.account.pk, place.account.tenant_id) if place.account else (None, None)
    tenant = place.tenant.pk if place.tenant else tenant
    groups = _groups_of({tenant})[tenant] if tenant else [place.group.pk] if place.group else []
    known = _policies(kind, {reseller_id}, accounts={account} - {None}, tenants={tenant} - {None}, groups=set(groups))
    left = [(at, policy) for at, policy in known[reseller_id] if policy != without]
    return nearest(left, account=account, tenant=tenant, groups=groups)


def _policies(
    kind: type[Policy], resellers: set[Any], *, accounts: set[Any], tenants: set[Any], groups: Any
) -> defaultdict[Any, list[tuple[Place, Policy]]]:
    """The policies that could be the nearest one of these, by their reseller; `groups` are ids or a query for them."""
    found: defaultdict[Any, list[tuple[Place, Policy]]] = defaultdict(list)
    everywhere = Q(group=None, tenant=None, account=None)
    near = everywhere | Q(account__in=accounts) | Q(tenant__in=tenants) | Q(group__in=groups)
    for policy in kind.objects.filter(near, reseller__in=resellers).select_related(
        "reseller", "group", "tenant", "account"
    ):
        place = Place(group=policy.group_id, tenant=policy.tenant_id, account=policy.account_id)
        found[policy.reseller_id].append((place, policy))
    return found


def _groups_of(tenants: set[Any]) -> defaultdict[Any, list[Any]]:
    """The groups of each tenant by name."""
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    through = TenantGroup.objects.filter(tenants__in=tenants).order_by("name").values_list("tenants", "pk")
    for tenant_id, group_id in through:
        found[tenant_id].append(group_id)
    return found
