"""What the page of a tenant's check reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tenants.check_facts import GROUPS, WORST_FIRST, CheckItem, CheckState, worst_of
from tenants.models import SharedAccount, Tenant, TenantCheck


@dataclass(frozen=True)
class ItemGroup:
    """The items of one group, worst first."""

    title: str
    state: CheckState
    items: tuple[CheckItem, ...]


@dataclass(frozen=True)
class CheckRow:
    """One check, as far as the reader may see it: items about accounts out of reach are left out."""

    check: TenantCheck
    items: tuple[CheckItem, ...]

    @property
    def state(self) -> CheckState:
        return worst_of(self.items)

    @property
    def groups(self) -> list[ItemGroup]:
        """Worst first; among equals in the order of mending."""
        found = []
        for name, title in GROUPS.items():
            items = tuple(sorted((i for i in self.items if i.group == name), key=lambda i: WORST_FIRST.index(i.state)))
            if items:
                found.append(ItemGroup(str(title), worst_of(items), items))
        return sorted(found, key=lambda group: WORST_FIRST.index(group.state))

    @property
    def asks_for_consent(self) -> bool:
        return any(item.consent for item in self.items)

    def count(self, state: CheckState) -> int:
        return sum(item.state == state for item in self.items)

    @property
    def counts(self) -> list[tuple[CheckState, int]]:
        """How many items are in each state that occurs, worst first."""
        return [(state, count) for state in WORST_FIRST if (count := self.count(state))]


def checks_of(tenant: Tenant, user: Any) -> list[CheckRow]:
    """The checks that are kept, newest first."""
    checks: Iterable[TenantCheck] = (
        TenantCheck.objects.visible_to(user).filter(tenant=tenant).select_related("by").order_by("-checked_at")
    )
    seen = {str(pk) for pk in SharedAccount.objects.visible_to(user).filter(tenant=tenant).values_list("pk", flat=True)}
    return [CheckRow(c, tuple(i for i in c.found if not i.account_id or i.account_id in seen)) for c in checks]
