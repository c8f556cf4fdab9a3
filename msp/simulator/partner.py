"""The partner's view: delegated admin relationships, their access assignments, customers and contracts."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

from . import filters
from .answers import Answer
from .delegation import status_of
from .graph import Call
from .pages import page
from .state import SimRelationship, stamp

MOST_RELATIONSHIPS = 300
EXTENSION = dt.timedelta(days=180)
"""What autoExtendDuration adds. Assumption: at the end, and again at each later one."""
_CONTRACTS_BY = ("customerId", "defaultDomainName", "displayName")
_TYPE = "#microsoft.graph.delegatedAdmin"


def answer(call: Call) -> Answer | None:
    """`/tenantRelationships/delegatedAdmin...` and `/contracts`, of the tenant whose token is shown."""
    match call.lower:
        case ["tenantrelationships", "delegatedadminrelationships", *rest]:
            call.only("GET")
            return _relationships(call, *rest)
        case ["tenantrelationships", "delegatedadmincustomers", *rest] if len(rest) <= 1:
            call.only("GET")
            return _customers(call, *rest)
        case ["contracts", *rest] if len(rest) <= 1:
            call.only("GET")
            return _contracts(call, *rest)
    return None


def _relationships(call: Call, *rest: str) -> Answer | None:
    known = call.tenant.relationships
    if not rest:
        shown, link = page(call, sorted(known), lambda _key: True, usual=MOST_RELATIONSHIPS, most=MOST_RELATIONSHIPS)
        return _list(call, "delegatedAdminRelationships", [_relationship(call, known[key]) for key in shown], link)
    found = known.get(rest[0])
    if found is None:
        raise call.absent(rest[0])
    match rest[1:]:
        case []:
            return _one(call, "delegatedAdminRelationships", _relationship(call, found))
        case ["accessassignments"]:
            return _list(call, "accessAssignments", [_assignment(found, grant) for grant in found.grants])
        case ["accessassignments", key]:
            for grant in found.grants:
                if grant["id"] == key:
                    return _one(call, "accessAssignments", _assignment(found, grant))
            raise call.absent(key)
    return None


def _relationship(call: Call, one: SimRelationship) -> dict[str, Any]:
    days = max(1, (one.ends_at - one.created_at).days)
    return {
        "@odata.type": f"{_TYPE}Relationship",
        "@odata.etag": _etag(one.id),
        "id": one.id,
        "displayName": one.display_name,
        "duration": f"P{days}D",
        "customer": {"tenantId": one.customer_id, "displayName": one.customer_name},
        "accessDetails": {"unifiedRoles": [{"roleDefinitionId": role} for role in one.roles]},
        "status": status_of(one, call.cloud.now()),
        "autoExtendDuration": "P180D" if one.auto_extends else "PT0S",
        "createdDateTime": stamp(one.created_at),
        "lastModifiedDateTime": stamp(one.created_at),
        "activatedDateTime": stamp(one.created_at),
        "endDateTime": stamp(_end_of(one, call.cloud.now())),
    }


def _end_of(one: SimRelationship, now: dt.datetime) -> dt.datetime:
    """When it ends, with the extensions up to now."""
    extends = one.auto_extends and one.status == "active" and one.ends_at <= now
    return one.ends_at + ((now - one.ends_at) // EXTENSION + 1) * EXTENSION if extends else one.ends_at


def _assignment(one: SimRelationship, grant: dict[str, Any]) -> dict[str, Any]:
    return {
        "@odata.type": f"{_TYPE}AccessAssignment",
        "@odata.etag": _etag(grant["id"]),
        "id": grant["id"],
        "status": grant["status"],
        "createdDateTime": stamp(one.created_at),
        "lastModifiedDateTime": stamp(one.created_at),
        "accessContainer": {"accessContainerId": grant["group_id"], "accessContainerType": "securityGroup"},
        "accessDetails": {"unifiedRoles": [{"roleDefinitionId": role} for role in grant["roles"]]},
    }


def _customers(call: Call, key: str = "") -> Answer:
    known = {one.customer_id: one.customer_name for one in call.tenant.relationships.values()}
    if key:
        if key not in known:
            raise call.absent(key)
        return _one(call, "delegatedAdminCustomers", _customer(key, known[key]))
    shown, link = page(call, sorted(known), lambda _key: True, usual=300, most=300)
    return _list(call, "delegatedAdminCustomers", [_customer(one, known[one]) for one in shown], link)


def _customer(tenant_id: str, name: str) -> dict[str, Any]:
    return {
        "@odata.type": f"{_TYPE}Customer",
        "@odata.etag": _etag(tenant_id),
        "id": tenant_id,
        "tenantId": tenant_id,
        "displayName": name,
    }


def _contracts(call: Call, key: str = "") -> Answer:
    known = {str(one["id"]): {"contractType": "Contract", **one} for one in call.tenant.contracts}
    if key:
        found = {name.lower(): one for name, one in known.items()}.get(key)
        if found is None:
            raise call.absent(key)
        return Answer(200, {"@odata.context": call.context("contracts/$entity"), **found})
    try:
        query = filters.read(call.query["$filter"], _CONTRACTS_BY) if "$filter" in call.query else None
    except filters.Unreadable:
        raise call.unsupported() from None
    shown, link = page(
        call, sorted(known), lambda one: query is None or query.test(dict.fromkeys(_CONTRACTS_BY) | known[one])
    )
    body: dict[str, Any] = {"@odata.context": call.context("contracts")}
    if link:
        body["@odata.nextLink"] = link
    return Answer(200, body | {"value": [known[one] for one in shown]})


def _list(call: Call, what: str, values: list[dict[str, Any]], link: str = "") -> Answer:
    body: dict[str, Any] = {"@odata.context": _context(call, what)}
    if link:
        body["@odata.nextLink"] = link
    return Answer(200, body | {"value": values})


def _one(call: Call, what: str, value: dict[str, Any]) -> Answer:
    return Answer(200, {"@odata.context": _context(call, f"{what}/$entity")} | value)


def _context(call: Call, what: str) -> str:
    return f"{call.base}/{call.version}/tenantRelationships/$metadata#{what}"


def _etag(key: str) -> str:
    return f'W/"{base64.b64encode(key.encode()).decode()}"'
