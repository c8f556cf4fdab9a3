"""Who may do what in a tenant: directory roles, their holders, and the service principals of applications."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import permissions
from .answers import Answer
from .graph import Call
from .state import Consent, SimTenant
from .users import facts_of

ROLE_NAMES = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13": "Privileged Authentication Administrator",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
    "0526716b-113d-4c15-b2c8-68e3c22b9f80": "Authentication Policy Administrator",
    "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator",
    "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
    "966707d0-3269-4727-9be2-8c3a10f19b9d": "Password Administrator",
    "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": "Conditional Access Administrator",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
    "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
    "5d6b6bb7-de71-4623-b4af-96380a352509": "Security Reader",
    "f2ef992c-3afb-46b9-b7cf-a126ee74c451": "Global Reader",
    "4a5d8f65-41da-4de4-8968-e035b65339cf": "Reports Reader",
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b": "Directory Readers",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "95e79109-95c0-4d8e-aee3-d01accf2d47b": "Guest Inviter",
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b": "Message Center Reader",
    "fdd7a751-b60b-444a-984c-02652fe8fa1c": "Groups Administrator",
}
"""Template id -> name (entra-docs permissions-reference)."""

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
_FILTER = re.compile(r"\s*(principalId|roleDefinitionId)\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_APP_FILTER = re.compile(r"\s*appId\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_BY_APP = re.compile(r"serviceprincipals\(appid='([^']*)'\)", re.IGNORECASE)
_BY_TEMPLATE = re.compile(r"(?:directoryroles\()?roletemplateid=(?:'([^']*)'\)|\{?([^'{}]*)\}?)", re.IGNORECASE)


def answer(call: Call) -> Answer | None:
    """None for a call that is not known here."""
    match call.lower:
        case ["rolemanagement", "directory", "roleassignments"]:
            return _assignments(call)
        case ["rolemanagement", "directory", "roledefinitions"]:
            call.only("GET")
            return _listed(call, "roleManagement/directory/roleDefinitions", map(_definition, _known(call.tenant)))
        case ["rolemanagement", "directory", "roledefinitions", template]:
            return _one_definition(call, template)
        case ["directoryroles"]:
            call.only("GET")
            return _listed(call, "directoryRoles", (_activated(call.tenant, one) for one in _held(call.tenant)))
        case ["directoryroles", key] | ["directoryroles", key, "members"]:
            return _one_activated(call, key)
        case [first, *rest] if first.startswith("directoryroles(") and rest in ([], ["members"]):
            return _one_activated(call, first)
        case ["serviceprincipals"]:
            return _principals(call)
        case [first, *rest] if first.startswith("serviceprincipals"):
            return _one_principal(call, first, rest)
    return None


def _listed(call: Call, what: str, rows: Iterator[dict[str, Any]]) -> Answer:
    return Answer(200, {"@odata.context": call.context(what), "value": [call.chosen(row) for row in rows]})


# Principals: whoever can hold a role


@dataclass(frozen=True)
class Principal:
    """A user or a service principal with its roles, and as Graph shows it."""

    id: str
    roles: tuple[str, ...]
    body: dict[str, Any]


def _everybody(call: Call) -> Iterator[Principal]:
    now = call.cloud.now()
    for user in call.tenant.users.values():
        if user.roles:
            read = user.as_read_at(now)
            yield Principal(user.id, tuple(read.roles), {"@odata.type": "#microsoft.graph.user"} | facts_of(read))
    for client_id, consent in call.tenant.consents.items():
        body = {"@odata.type": "#microsoft.graph.servicePrincipal"} | _principal(client_id, consent)
        yield Principal(consent.service_principal_id, consent.roles, body)


def _held(tenant: SimTenant) -> list[str]:
    """The roles that somebody holds: only those are activated."""
    held = {role for user in tenant.users.values() for role in user.roles}
    return sorted(held | {role for consent in tenant.consents.values() for role in consent.roles})


def _known(tenant: SimTenant) -> list[str]:
    return sorted(ROLE_NAMES.keys() | set(_held(tenant)))


# Role management


def _definition(template: str) -> dict[str, Any]:
    """Assumption: what a role allows in detail is left out; a role that is not built in is a custom one."""
    return {
        "id": template,
        "description": None,
        "displayName": ROLE_NAMES.get(template, "Custom role"),
        "isBuiltIn": template in ROLE_NAMES,
        "isEnabled": True,
        "resourceScopes": ["/"],
        "templateId": template,
        "version": "1",
        "rolePermissions": [],
    }


def _one_definition(call: Call, template: str) -> Answer:
    call.only("GET")
    if template not in _known(call.tenant):
        raise call.absent(template)
    where = call.context("roleManagement/directory/roleDefinitions/$entity")
    return Answer(200, {"@odata.context": where} | call.chosen(_definition(template)))


def _assignments(call: Call) -> Answer:
    """$filter by principalId or roleDefinitionId, with at most one of $expand=principal or $expand=roleDefinition.

    Assumption: only one $expand at a time, and no list without a filter.
    """
    call.only("GET")
    found = _FILTER.fullmatch(call.query.get("$filter", ""))
    expand = call.query.get("$expand", "")
    if not found or expand not in ("", "principal", "roleDefinition"):
        raise call.unsupported()
    by_principal, wanted = found[1].lower() == "principalid", found[2].lower()
    rows = [
        _assignment(principal, role, expand)
        for principal in _everybody(call)
        if not by_principal or principal.id == wanted
        for role in principal.roles
        if by_principal or role == wanted
    ]
    suffix = f"({expand}())" if expand else ""
    where = call.context(f"roleManagement/directory/roleAssignments{suffix}")
    return Answer(200, {"@odata.context": where, "value": rows})


def _assignment(principal: Principal, role: str, expand: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": base64.urlsafe_b64encode(json.dumps([principal.id, role]).encode()).decode().rstrip("="),
        "principalId": principal.id,
        "resourceScope": "/",
        "directoryScopeId": "/",
        "roleDefinitionId": role,
    }
    if expand == "principal":
        row["principal"] = principal.body
    elif expand == "roleDefinition":
        row["roleDefinition"] = _definition(role)
    return row


# Activated roles


def _activated(tenant: SimTenant, template: str) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.UUID(tenant.id), template)),
        "deletedDateTime": None,
        "description": None,
        "displayName": ROLE_NAMES.get(template, "Custom role"),
        "roleTemplateId": template,
    }


def _one_activated(call: Call, key: str) -> Answer:
    """By id, or by template in either spelling: roleTemplateId={id}, directoryRoles(roleTemplateId='{id}')."""
    call.only("GET")
    by_template = _BY_TEMPLATE.fullmatch(key)
    wanted = (by_template[1] or by_template[2]).lower() if by_template else key
    for template in _held(call.tenant):
        role = _activated(call.tenant, template)
        if wanted == (template if by_template else role["id"]):
            if call.lower[-1] != "members":
                return Answer(200, {"@odata.context": call.context("directoryRoles/$entity")} | call.chosen(role))
            return _listed(call, "directoryObjects", (one.body for one in _everybody(call) if template in one.roles))
    raise call.absent(wanted)


# Service principals (Graph reference, serviceprincipal-list, serviceprincipal-get, -list-approleassignments)


def _role_id(permission: str) -> str:
    """The id of an application permission. Assumption: invented here; a caller finds it in the app roles of Graph."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, permission))


def _principal(client_id: str, consent: Consent) -> dict[str, Any]:
    return {
        "id": consent.service_principal_id,
        "deletedDateTime": None,
        "accountEnabled": consent.enabled,
        "appId": client_id,
        "appDisplayName": f"Application {client_id[:8]}",
        "displayName": f"Application {client_id[:8]}",
        "servicePrincipalType": "Application",
        "appRoles": [],
    }


def _graph_itself(tenant: SimTenant) -> dict[str, Any]:
    """Microsoft Graph's own service principal, whose app roles are the application permissions."""
    known = sorted({name for row in permissions.TABLE.values() for name in row.application})
    return {
        "id": str(uuid.uuid5(uuid.UUID(tenant.id), GRAPH_APP)),
        "deletedDateTime": None,
        "accountEnabled": True,
        "appId": GRAPH_APP,
        "appDisplayName": "Microsoft Graph",
        "displayName": "Microsoft Graph",
        "servicePrincipalType": "Application",
        "appRoles": [
            {
                "id": _role_id(name),
                "value": name,
                "displayName": name,
                "description": name,
                "isEnabled": True,
                "allowedMemberTypes": ["Application"],
            }
            for name in known
        ],
    }


def _all_principals(call: Call) -> list[dict[str, Any]]:
    own = [_principal(client_id, consent) for client_id, consent in call.tenant.consents.items()]
    return [*own, _graph_itself(call.tenant)]


def _principals(call: Call) -> Answer:
    call.only("GET")
    found = _APP_FILTER.fullmatch(call.query["$filter"]) if "$filter" in call.query else None
    if "$filter" in call.query and not found:
        raise call.unsupported()
    rows = [one for one in _all_principals(call) if not found or one["appId"] == found[1].lower()]
    return _listed(call, "servicePrincipals", iter(rows))


def _one_principal(call: Call, first: str, rest: list[str]) -> Answer | None:
    """By object id or by appId; alone or with its app role assignments."""
    by_app = _BY_APP.fullmatch(first)
    if not by_app and first != "serviceprincipals":
        return None
    key, rest = (by_app[1].lower(), rest) if by_app else (rest[0], rest[1:])
    if rest not in ([], ["approleassignments"]):
        return None
    call.only("GET")
    found = next((one for one in _all_principals(call) if one["appId" if by_app else "id"] == key), None)
    if found is None:
        raise call.absent(key)
    if not rest:
        return Answer(200, {"@odata.context": call.context("servicePrincipals/$entity")} | call.chosen(found))
    consent = call.tenant.consents.get(found["appId"])
    granted = consent.permissions if consent else ()
    graph = _graph_itself(call.tenant)
    return _listed(call, "appRoleAssignments", (_app_role_assignment(found, graph, name) for name in granted))


def _app_role_assignment(principal: dict[str, Any], graph: dict[str, Any], permission: str) -> dict[str, Any]:
    return {
        "id": base64.urlsafe_b64encode(f"{principal['id']}/{permission}".encode()).decode().rstrip("="),
        "deletedDateTime": None,
        "appRoleId": _role_id(permission),
        "principalDisplayName": principal["displayName"],
        "principalId": principal["id"],
        "principalType": "ServicePrincipal",
        "resourceDisplayName": graph["displayName"],
        "resourceId": graph["id"],
    }
