"""Users at Graph: read and listed, their password and their state changed, their sessions revoked."""

from __future__ import annotations

import datetime as dt
from typing import Any

from . import filters, permissions, rules
from .answers import Answer
from .graph import DENIED, Call
from .pages import page
from .state import SimEvent, SimTenant, SimUser, stamp

_DEFAULT_PROPERTIES = (
    "businessPhones displayName givenName jobTitle mail mobilePhone officeLocation preferredLanguage surname "
    "userPrincipalName id"
)
_FILTERABLE = ("id", "userPrincipalName", "displayName", "accountEnabled", "userType", "onPremisesSyncEnabled", "mail")
_SEARCHABLE = ("displayName", "userPrincipalName", "mail")
_MOST_WITH_ACTIVITY = 500
_ACTIVITY = "signInActivity"


def answer(call: Call) -> Answer | None:
    """None for a call that is not known here."""
    match call.lower:
        case ["users"]:
            return _list(call)
        case ["users", _]:
            return _change(call) if call.method == "PATCH" else _one(call)
        case ["users", _, "revokesigninsessions" | "microsoft.graph.revokesigninsessions"]:
            return _revoke(call)
    return None


# Reading


def facts_of(user: SimUser) -> dict[str, Any]:
    """Every property of a user that this cloud keeps, sign-in activity apart."""
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


def _wanted(call: Call) -> list[str]:
    """The names in $select; 403 and 400 for what may not be or cannot be selected."""
    wanted = [name.strip() for name in call.query.get("$select", "").split(",") if name.strip()]
    if _ACTIVITY.lower() in (name.lower() for name in wanted):
        call.need_premium()
        call.need(frozenset({"AuditLog.Read.All"}))
    return wanted


def shown(call: Call, user: SimUser, wanted: list[str]) -> dict[str, Any]:
    """One user as this caller may see it: the wanted properties and the id, or the default ones."""
    facts = facts_of(user)
    by_lower_case = {name.lower(): name for name in [*facts, _ACTIVITY]}
    unknown = [name for name in wanted if name.lower() not in by_lower_case]
    if unknown:
        raise call.error(
            400, "Request_BadRequest", f"Could not find a property named '{unknown[0]}' on type 'microsoft.graph.user'."
        )
    chosen = {by_lower_case[name.lower()] for name in wanted} | {"id"} if wanted else set(_DEFAULT_PROPERTIES.split())
    row = permissions.TABLE["GET", "/users/{}"]
    if call.held & (row.delegated if call.is_delegated else row.application) <= {"User.ReadBasic.All"}:
        # Assumption: a property beyond the basic set is refused when asked for, and left out when only a default.
        if wanted and chosen - rules.BASIC_PROPERTIES:
            raise call.error(403, *DENIED)
        chosen &= rules.BASIC_PROPERTIES
    if _ACTIVITY in chosen:
        facts[_ACTIVITY] = _activity(call.tenant, user, call.cloud.now())
    return {name: value for name, value in facts.items() if name in chosen}


def _activity(tenant: SimTenant, user: SimUser, now: dt.datetime) -> dict[str, str | None]:
    """The user's last sign-ins. A try counts as one too, as the reference says of lastSignInDateTime."""

    def last(events: list[SimEvent]) -> tuple[str | None, str | None]:
        newest = max(events, key=lambda event: event.at, default=None)
        return (stamp(newest.at), newest.body.get("id")) if newest else (None, None)

    seen = [e for e in tenant.sign_ins if e.visible_at <= now and e.body.get("userId") == user.id]
    tries = last([e for e in seen if e.body.get("isInteractive", True)])
    background = last([e for e in seen if not e.body.get("isInteractive", True)])
    right = last([e for e in seen if e.body.get("status", {}).get("errorCode") == 0])
    return {
        "lastSignInDateTime": tries[0],
        "lastSignInRequestId": tries[1],
        "lastNonInteractiveSignInDateTime": background[0],
        "lastNonInteractiveSignInRequestId": background[1],
        "lastSuccessfulSignInDateTime": right[0],
        "lastSuccessfulSignInRequestId": right[1],
    }


def _entity_context(call: Call) -> str:
    select = call.query.get("$select", "")
    return f"users({select})" if select else "users"


def _one(call: Call) -> Answer:
    call.only("GET")
    wanted = _wanted(call)
    user = call.user(call.parts[1]).as_read_at(call.cloud.now())
    return Answer(200, {"@odata.context": call.context(f"{_entity_context(call)}/$entity")} | shown(call, user, wanted))


def _list(call: Call) -> Answer:
    call.only("GET")
    if "$orderby" in call.query:
        raise call.unsupported("Sorting not supported for current query.")
    wanted, queries, now = _wanted(call), _queries(call), call.cloud.now()
    tenant = call.tenant

    def passes(key: str) -> bool:
        facts = facts_of(tenant.users[key].as_read_at(now)) if queries else {}
        return all(query.test(facts) for query in queries)

    with_activity = _ACTIVITY.lower() in (name.lower() for name in wanted)
    keys, link = page(call, tenant.ids_in_order, passes, most=_MOST_WITH_ACTIVITY if with_activity else 999)
    body: dict[str, Any] = {"@odata.context": call.context(_entity_context(call))}
    if call.query.get("$count", "").lower() == "true" and call.is_eventual:
        # Without the header the option is ignored (Graph concepts, advanced queries).
        body["@odata.count"] = sum(passes(key) for key in tenant.ids_in_order) if queries else len(tenant.users)
    if link:
        body["@odata.nextLink"] = link
    return Answer(200, body | {"value": [shown(call, tenant.users[key].as_read_at(now), wanted) for key in keys]})


def _queries(call: Call) -> list[filters.Query]:
    """$filter and $search, refused where they need more than was sent with them."""
    queries = []
    try:
        if "$filter" in call.query:
            queries.append(filters.read(call.query["$filter"], _FILTERABLE))
        if "$search" in call.query:
            queries.append(filters.search(call.query["$search"], _SEARCHABLE))
    except filters.Unreadable:
        raise call.unsupported() from None
    advanced = [operator for query in queries for operator in query.advanced]
    if "$search" in advanced and not call.is_eventual:
        raise call.unsupported(
            "Request with $search query parameter only works through MSGraph with a special request header: "
            "'ConsistencyLevel: eventual'"
        )
    if advanced and not call.is_eventual:
        raise call.unsupported(
            f"Operator '{advanced[0]}' is not supported because the 'ConsistencyLevel:eventual' header is missing. "
            "Refer to https://aka.ms/graph-docs/advanced-queries for more information"
        )
    if set(advanced) - {"$search"} and call.query.get("$count", "").lower() != "true":
        # Assumption: the text; that these operators need $count beside the header is documented.
        raise call.unsupported(f"Operator '{advanced[0]}' is not supported because '$count=true' is missing.")
    return queries


# Changing


def _change(call: Call) -> Answer:
    """Only the password profile and accountEnabled can be changed here. Everything is judged before anything is."""
    user = call.user(call.parts[1])
    # Microsoft's own libraries name the type of what they send.
    sent = call.body if isinstance(call.body, dict) else {}
    asked = {name: value for name, value in sent.items() if "@odata." not in name}
    if not asked or set(asked) - {"passwordProfile", "accountEnabled"}:
        raise call.error(400, "Request_BadRequest", "Invalid or unsupported properties were found in the request.")
    password = _judged_password(call, user, asked["passwordProfile"]) if "passwordProfile" in asked else None
    enabled = _judged_state(call, user, asked["accountEnabled"]) if "accountEnabled" in asked else None
    if call.lies:
        return Answer(204)
    if password is not None:
        call.cloud.set_password(call.tenant, user, password, by="graph", request_id=call.ids.request_id)
    if enabled is not None:
        call.cloud.block_or_unblock(call.tenant, user, enabled, by="graph", request_id=call.ids.request_id)
    return Answer(204)


def _judged_password(call: Call, user: SimUser, profile: Any) -> str:
    """The new password, when caller, user and password all allow it."""
    call.need(permissions.SET_PASSWORD)
    if not isinstance(profile, dict):
        raise call.error(400, "Request_BadRequest", "Invalid value specified for property 'passwordProfile'.")
    if not rules.may_reset_password(call.roles, user.roles):
        raise call.error(403, *DENIED)
    _refuse_foreign_password(call, user)
    password = profile.get("password")
    if not isinstance(password, str) or not rules.password_is_complex(password):
        raise call.error(
            400,
            "Request_BadRequest",
            "The specified password does not comply with password complexity requirements. "
            "Please provide a different password.",
        )
    if rules.is_banned(call.tenant, password):
        # Assumption: the code and the text of a password on the list of banned ones.
        raise call.error(
            400,
            "Request_BadRequest",
            "The specified password is on the list of banned passwords. Please provide a different password.",
        )
    return password


def _refuse_foreign_password(call: Call, user: SimUser) -> None:
    """400 for a user whose password is not kept in this directory.

    Assumption: the codes and the texts; that it is refused follows from where the password is.
    """
    if rules.is_guest(user):
        sentence = "The password of a guest user can only be changed in the guest's home directory."
    elif rules.is_federated(call.tenant, user):
        sentence = "The password of a user of a federated domain can only be changed at the federation's provider."
    elif user.synced:
        sentence = "Unable to update the specified properties for on-premises mastered Directory Sync objects."
    else:
        return
    raise call.error(400, "Request_BadRequest", sentence)


def _judged_state(call: Call, user: SimUser, enabled: Any) -> bool:
    """The new accountEnabled, when caller and user allow it."""
    alone = bool(permissions.SET_ENABLED & call.held)
    if not alone and not {"User.EnableDisableAccount.All", "User.Read.All"} <= call.held:
        raise call.error(403, *DENIED)
    if not isinstance(enabled, bool):
        raise call.error(400, "Request_BadRequest", "Invalid value specified for property 'accountEnabled'.")
    if not rules.may_block(call.roles, user.roles):
        raise call.error(403, *DENIED)
    if user.synced:
        # Assumption: as for the other properties that the source of authority keeps.
        raise call.error(
            400,
            "Request_BadRequest",
            "Unable to update the specified properties for on-premises mastered Directory Sync objects.",
        )
    return enabled


def _revoke(call: Call) -> Answer:
    call.only("POST")
    user = call.user(call.parts[1])
    if not call.lies:
        call.cloud.revoke(call.tenant, user, by="graph", request_id=call.ids.request_id)
    return Answer(200, {"@odata.context": call.context("Edm.Boolean"), "value": True})
