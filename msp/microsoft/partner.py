"""`Partner` for Microsoft Graph: the reseller's own tenant, and whose customers it may enter.

Every request, with the least application permission that Microsoft's permissions.json names for it:

| Request                                                                     | Permission                          |
|-----------------------------------------------------------------------------|-------------------------------------|
| GET /tenantRelationships/delegatedAdminRelationships                        | DelegatedAdminRelationship.Read.All |
| GET /tenantRelationships/delegatedAdminRelationships/{id}/accessAssignments | DelegatedAdminRelationship.Read.All |
| GET /tenantRelationships/delegatedAdminCustomers                            | DelegatedAdminRelationship.Read.All |
| GET /contracts                                                              | Directory.Read.All                  |

Assumption: an application may read them, as permissions.json says; older pages of Microsoft's said the opposite of
customers and access assignments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from msp.errors import AccountMissing, Refused
from msp.microsoft.clouds import Ability
from msp.microsoft.line import Line
from msp.microsoft.methods import moment
from msp.microsoft.odata import asking
from msp.microsoft.partner_ports import Grant, PartnerCustomer, Relationship

RELATIONSHIPS = "/v1.0/tenantRelationships/delegatedAdminRelationships"
CUSTOMERS = "/v1.0/tenantRelationships/delegatedAdminCustomers"
CONTRACTS = "/v1.0/contracts"
MOST_RELATIONSHIPS = 300
"""The largest page of relationships ("list delegatedAdminRelationships")."""

TO_READ_RELATIONSHIPS = "DelegatedAdminRelationship.Read.All"
TO_READ_CONTRACTS = "Directory.Read.All"

NO_EXTENSION = frozenset({"", "PT0S", "P0D"})


class GraphPartner:
    """The partner's tenant, read through Microsoft Graph. Safe to use from any thread."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def relationships(self) -> Iterator[Relationship]:
        """Every relationship, ended ones too."""
        path = asking(RELATIONSHIPS, top=MOST_RELATIONSHIPS)
        return map(_relationship, self._delegated(path, "reading the delegated admin relationships"))

    def grants_of(self, relationship_id: str) -> tuple[Grant, ...]:
        """Which groups hold which roles under one relationship."""
        path = f"{RELATIONSHIPS}/{quote(relationship_id, safe='')}/accessAssignments"
        doing = f"reading the grants of the relationship {relationship_id}"
        try:
            return tuple(map(_grant, self._delegated(path, doing)))
        except AccountMissing as missing:
            raise Refused(
                f"Microsoft knows no such relationship while {doing} in tenant {self._line.tenant_id}. Nothing was "
                "changed. Read the relationships anew; it may have ended.",
                code=missing.code,
                request_id=missing.request_id,
            ) from None

    def customers(self) -> Iterator[PartnerCustomer]:
        """The customers of delegated administration."""
        for item in self._delegated(CUSTOMERS, "reading the customers of delegated administration"):
            yield PartnerCustomer(str(item.get("tenantId") or item.get("id") or ""), _name(item))

    def contracts(self) -> Iterator[PartnerCustomer]:
        """The customers of the older kind of contract, with their default domain."""
        call = self._line.reading(CONTRACTS, "reading the contracts with customers", needs=TO_READ_CONTRACTS)
        for item in self._line.pages(call):
            domain = str(item.get("defaultDomainName") or "")
            yield PartnerCustomer(str(item.get("customerId") or ""), _name(item), domain)

    def _delegated(self, path: str, doing: str) -> Iterator[Mapping[str, Any]]:
        call = self._line.reading(path, doing, needs=TO_READ_RELATIONSHIPS)
        self._line.demand(Ability.DELEGATED_ADMIN, call)
        return self._line.pages(call)


def _relationship(item: Mapping[str, Any]) -> Relationship:
    customer = item.get("customer") or {}
    return Relationship(
        relationship_id=str(item.get("id") or ""),
        display_name=_name(item),
        customer_tenant_id=str(customer.get("tenantId") or ""),
        customer_name=_name(customer),
        status=str(item.get("status") or ""),
        ends_at=moment(item.get("endDateTime")),
        auto_extends=str(item.get("autoExtendDuration") or "") not in NO_EXTENSION,
        roles=_roles(item),
    )


def _grant(item: Mapping[str, Any]) -> Grant:
    container = item.get("accessContainer") or {}
    return Grant(
        grant_id=str(item.get("id") or ""),
        group_id=str(container.get("accessContainerId") or ""),
        status=str(item.get("status") or ""),
        roles=_roles(item),
    )


def _roles(item: Mapping[str, Any]) -> frozenset[str]:
    roles = (item.get("accessDetails") or {}).get("unifiedRoles") or ()
    return frozenset(str(role["roleDefinitionId"]) for role in roles if role.get("roleDefinitionId"))


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("displayName") or "")
