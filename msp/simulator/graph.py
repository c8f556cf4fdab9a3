"""Microsoft Graph, the directory service: one call in, one answer out. `methods.py` has the methods service."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

from . import rules
from .answers import Answer, Ids, Refusal, graph_error, methods_error
from .cloud import Cloud
from .grants import Grant
from .state import Consent, SimTenant, SimUser, stamp

DENIED = ("Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
_DEFAULT_PROPERTIES = (
    "businessPhones displayName givenName jobTitle mail mobilePhone officeLocation preferredLanguage surname "
    "userPrincipalName id"
)
_QUOTED = r"'((?:[^']|'')*)'"


@dataclass(frozen=True)
class Call:
    """One Graph call with everything that judging it needs. `parts` are the path's pieces after the version."""

    cloud: Cloud
    tenant: SimTenant
    grant: Grant
    consent: Consent
    ids: Ids
    method: str
    version: str
    parts: tuple[str, ...]
    query: dict[str, str]
    body: Any
    base: str
    url: str

    @property
    def lies(self) -> bool:
        return self.cloud.knobs.of(self.tenant.id).lies

    def context(self, what: str) -> str:
        return f"{self.base}/{self.version}/$metadata#{what}"

    def error(self, status: int, code: str, message: str) -> Refusal:
        return Refusal(graph_error(self.ids, status, code, message))

    def methods_error(self, status: int, code: str, message: str) -> Refusal:
        return Refusal(methods_error(self.ids, status, code, message))

    def need(self, permissions: frozenset[str]) -> None:
        """403 in the directory's dialect unless the token carries one of these."""
        if not permissions & self.grant.permissions:
            raise self.error(403, *DENIED)

    def need_for_methods(self, permissions: frozenset[str]) -> None:
        """403 in the methods service's dialect unless the token carries one of these."""
        if not permissions & self.grant.permissions:
            raise self.methods_error(403, "accessDenied", "Request Authorization failed")

    def user(self, key: str) -> SimUser:
        found = self.tenant.user(key)
        if found is None:
            raise self.error(
                404,
                "Request_ResourceNotFound",
                f"Resource '{key}' does not exist or one of its queried reference-property objects are not present.",
            )
        return found

    def only(self, *methods: str) -> None:
        if self.method not in methods:
            raise self.error(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")

    def unknown_segment(self, segment: str) -> Refusal:
        return self.error(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def split_path(path: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in path.split("/") if part)


Room = Callable[[Call], Answer | None]
"""A part of Graph that answers the calls it knows; None for any other. Raises Refusal."""


def answer(call: Call, rooms: tuple[Room, ...]) -> Answer:
    """Judge one call under its tenant's lock, in the first of the rooms that knows it."""
    with call.tenant.lock:
        try:
            for room in (*rooms, route):
                if (found := room(call)) is not None:
                    return found
            raise call.unknown_segment(call.parts[-1] if call.parts else "")
        except Refusal as refusal:
            return refusal.answer


def route(call: Call) -> Answer | None:
    """Users, and what belongs to the directory itself."""
    match [part.lower() for part in call.parts]:
        case ["users"]:
            return _list_users(call)
        case ["users", _]:
            return _one_user(call)
        case ["users", _, "revokesigninsessions" | "microsoft.graph.revokesigninsessions"]:
            return _revoke(call)
        case ["organization"]:
            return _organization(call)
        case ["rolemanagement", "directory", "roleassignments"]:
            return _role_assignments(call)
    return None


# Users


def user_facts(user: SimUser) -> dict[str, Any]:
    """Every property of a user that this cloud keeps."""
    return {
        "businessPhones": [],
        "displayName": user.display_name,
        "givenName": None,
        "jobTitle": None,
        "mail": None,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": None,
        "userPrincipalName": user.upn,
        "id": user.id,
        "accountEnabled": user.enabled,
        "userType": user.user_type,
        "onPremisesSyncEnabled": True if user.synced else None,
        "lastPasswordChangeDateTime": stamp(user.password_changed_at),
        "signInSessionsValidFromDateTime": stamp(user.sessions_valid_from),
        "passwordPolicies": None,
        "isManagementRestricted": None,
    }


def _selected(call: Call, user: SimUser) -> dict[str, Any]:
    facts = user_facts(user)
    wanted = [name.strip() for name in call.query.get("$select", "").split(",") if name.strip()]
    if "signInActivity" in wanted:
        raise call.error(
            403,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Neither tenant is B2C or tenant doesn't have premium license",
        )
    by_lower_case = {name.lower(): name for name in facts}
    unknown = [name for name in wanted if name.lower() not in by_lower_case]
    if unknown:
        raise call.error(
            400, "Request_BadRequest", f"Could not find a property named '{unknown[0]}' on type 'microsoft.graph.user'."
        )
    chosen = {by_lower_case[name.lower()] for name in wanted} | {"id"} if wanted else set(_DEFAULT_PROPERTIES.split())
    if not (rules.READ_USERS - {"User.ReadBasic.All"}) & call.grant.permissions and chosen - rules.BASIC_PROPERTIES:
        # Assumption: a property beyond the basic set is refused when asked for, and left out when only a default.
        if wanted:
            raise call.error(403, *DENIED)
        chosen &= rules.BASIC_PROPERTIES
    return {name: value for name, value in facts.items() if name in chosen}


def _entity_context(call: Call) -> str:
    select = call.query.get("$select", "")
    return f"users({select})" if select else "users"


def _list_users(call: Call) -> Answer:
    call.only("GET")
    call.need(rules.READ_USERS)
    now = call.cloud.now()
    users = [user.as_read_at(now) for _, user in sorted(call.tenant.users.items())]
    if "$filter" in call.query:
        users = [user for user in users if _passes(call, user)]
    page, link = _page(call, users)
    body: dict[str, Any] = {"@odata.context": call.context(_entity_context(call))}
    if link:
        body["@odata.nextLink"] = link
    return Answer(200, body | {"value": [_selected(call, user) for user in page]})


def _passes(call: Call, user: SimUser) -> bool:
    found = re.fullmatch(rf"\s*(userPrincipalName|id)\s+eq\s+{_QUOTED}\s*", call.query["$filter"], re.IGNORECASE)
    if not found:
        raise call.error(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified.")
    value = found[2].replace("''", "'").lower()
    return value == (user.id if found[1].lower() == "id" else user.upn.lower())


def _page(call: Call, users: list[SimUser]) -> tuple[list[SimUser], str]:
    """(one page, link to the next or ""). The token is opaque to the caller: the last id that was shown."""
    if "$skip" in call.query:
        raise call.error(400, "Request_BadRequest", "'$skip' is not supported by the service.")
    try:
        top = int(call.query.get("$top", "100"))
        after = base64.urlsafe_b64decode(call.query.get("$skiptoken", "").encode()).decode()
    except (ValueError, binascii.Error):
        raise call.error(400, "Request_BadRequest", "Invalid page size or skip token specified.") from None
    if not 1 <= top <= 999:
        raise call.error(400, "Request_BadRequest", "Invalid page size specified: must be between 1 and 999 inclusive.")
    rest = [user for user in users if user.id > after]
    if len(rest) <= top:
        return rest, ""
    skip = base64.urlsafe_b64encode(rest[top - 1].id.encode()).decode()
    query = {name: value for name, value in call.query.items() if name != "$skiptoken"} | {"$skiptoken": skip}
    return rest[:top], f"{call.base}/{call.version}/users?{urlencode(query)}"


def _one_user(call: Call) -> Answer:
    call.only("GET", "PATCH")
    if call.method == "PATCH":
        return _patch_user(call)
    call.need(rules.READ_USERS)
    user = call.user(call.parts[1]).as_read_at(call.cloud.now())
    return Answer(200, {"@odata.context": call.context(f"{_entity_context(call)}/$entity")} | _selected(call, user))


def _patch_user(call: Call) -> Answer:
    """Only the password profile can be changed here."""
    call.need(rules.SET_PASSWORD)
    user = call.user(call.parts[1])
    asked = call.body if isinstance(call.body, dict) else {}
    profile = asked.get("passwordProfile")
    if set(asked) != {"passwordProfile"} or not isinstance(profile, dict):
        raise call.error(400, "Request_BadRequest", "Invalid or unsupported properties were found in the request.")
    if not rules.may_reset_password(call.consent.roles, user.roles):
        raise call.error(403, *DENIED)
    if user.synced:
        # Assumption: the code and the text; that a synced user's password does not come from here is documented.
        raise call.error(
            400,
            "Request_BadRequest",
            "Unable to update the specified properties for on-premises mastered Directory Sync objects.",
        )
    password = profile.get("password")
    if not isinstance(password, str) or not rules.password_is_complex(password):
        raise call.error(
            400,
            "Request_BadRequest",
            "The specified password does not comply with password complexity requirements. "
            "Please provide a different password.",
        )
    if not call.lies:
        call.cloud.set_password(call.tenant, user, password, by="graph", request_id=call.ids.request_id)
    return Answer(204)


def _revoke(call: Call) -> Answer:
    call.only("POST")
    call.need(rules.REVOKE)
    user = call.user(call.parts[1])
    if not call.lies:
        call.cloud.revoke(call.tenant, user, by="graph", request_id=call.ids.request_id)
    return Answer(200, {"@odata.context": call.context("Edm.Boolean"), "value": True})


# The tenant


def _organization(call: Call) -> Answer:
    call.only("GET")
    call.need(rules.READ_ORGANIZATION)
    domain = {
        "capabilities": "Email, OfficeCommunicationsOnline",
        "isDefault": True,
        "isInitial": True,
        "name": call.tenant.domain,
        "type": "Managed",
    }
    one = {
        "id": call.tenant.id,
        "displayName": call.tenant.name,
        "assignedPlans": [],
        "businessPhones": [],
        "onPremisesSyncEnabled": None,
        "tenantType": "AAD",
        "verifiedDomains": [domain],
    }
    return Answer(200, {"@odata.context": call.context("organization"), "value": [one]})


def _role_assignments(call: Call) -> Answer:
    """`$filter=principalId eq '...'`, with at most one of $expand=principal or $expand=roleDefinition."""
    call.only("GET")
    call.need(rules.READ_ROLES)
    found = re.fullmatch(rf"\s*principalId\s+eq\s+{_QUOTED}\s*", call.query.get("$filter", ""), re.IGNORECASE)
    expand = call.query.get("$expand", "")
    if not found or expand not in ("", "principal", "roleDefinition"):
        raise call.error(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified.")
    principal_id = found[1].lower()
    user = call.tenant.users.get(principal_id)
    app = next((c for c in call.tenant.consents.values() if c.service_principal_id == principal_id), None)
    held = user.roles if user else app.roles if app else ()
    rows = []
    for role in held:
        key = base64.urlsafe_b64encode(json.dumps([principal_id, role]).encode()).decode().rstrip("=")
        row: dict[str, Any] = {
            "id": key,
            "principalId": principal_id,
            "resourceScope": "/",
            "directoryScopeId": "/",
            "roleDefinitionId": role,
        }
        if expand == "principal" and user:
            row["principal"] = {"@odata.type": "#microsoft.graph.user"} | user_facts(user)
        elif expand == "roleDefinition":
            row["roleDefinition"] = {"id": role, "templateId": role, "isBuiltIn": True, "isEnabled": True}
        rows.append(row)
    suffix = f"({expand}())" if expand else ""
    return Answer(
        200, {"@odata.context": call.context(f"roleManagement/directory/roleAssignments{suffix}"), "value": rows}
    )
