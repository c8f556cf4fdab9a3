"""The report on who registered which kinds of method: kinds, not devices.

Source: Graph reference, authenticationmethodsroot-list-userregistrationdetails. Assumptions: it needs Entra ID P1;
it is computed at once, where Microsoft's is some hours old; the words for kinds other than phone, email,
authenticator and software token.
"""

from __future__ import annotations

from typing import Any

from . import filters, rules, signin
from .answers import Answer
from .graph import Call
from .pages import page
from .state import SimMethod, SimUser, stamp

_WORDS = {
    "email": "email",
    "microsoft_authenticator": "microsoftAuthenticatorPush",
    "passwordless_authenticator": "microsoftAuthenticatorPasswordless",
    "software_oath": "softwareOneTimePasscode",
    "hardware_oath": "hardwareOneTimePasscode",
    "fido2": "passKeyDeviceBound",
    "windows_hello": "windowsHelloForBusiness",
    "platform_credential": "macOsSecureEnclaveKey",
    "temporary_access_pass": "temporaryAccessPass",
}
_PHONES = {"mobile": "mobilePhone", "alternateMobile": "alternateMobilePhone", "office": "officePhone"}
_PASSWORDLESS = frozenset({"fido2", "windows_hello", "platform_credential", "passwordless_authenticator"})
_RESETTING = frozenset({"phone", "email", "microsoft_authenticator", "software_oath", "hardware_oath"})
_FILTERABLE = ("id", "userPrincipalName", "userDisplayName", "isAdmin", "isMfaRegistered", "isMfaCapable")
_WHERE = "reports/authenticationMethods/userRegistrationDetails"


def answer(call: Call) -> Answer | None:
    """None for a call that is not known here."""
    match call.lower:
        case ["reports", "authenticationmethods", "userregistrationdetails"]:
            return _list(call)
        case ["reports", "authenticationmethods", "userregistrationdetails", _]:
            return _one(call)
    return None


def _list(call: Call) -> Answer:
    call.only("GET")
    call.need_premium()
    try:
        query = filters.read(call.query["$filter"], _FILTERABLE) if "$filter" in call.query else None
    except filters.Unreadable:
        raise call.unsupported() from None
    users = call.tenant.users
    keys, link = page(call, call.tenant.ids_in_order, lambda key: not query or query.test(_line(call, users[key])))
    body: dict[str, Any] = {"@odata.context": call.context(_WHERE)} | ({"@odata.nextLink": link} if link else {})
    return Answer(200, body | {"value": [_line(call, users[key]) for key in keys]})


def _one(call: Call) -> Answer:
    call.only("GET")
    call.need_premium()
    user = call.user(call.parts[3])
    return Answer(200, {"@odata.context": call.context(f"{_WHERE}/$entity")} | _line(call, user))


def _word(method: SimMethod) -> str | None:
    if method.kind == "phone":
        return _PHONES.get(str(method.details.get("phoneType", "mobile")))
    return _WORDS.get(method.kind)


def _line(call: Call, user: SimUser) -> dict[str, Any]:
    now = call.cloud.now()
    user = user.as_read_at(now)
    registered = list(dict.fromkeys(word for method in user.methods.values() if (word := _word(method))))
    strong, kinds = signin.has_second_factor(user), {method.kind for method in user.methods.values()}
    return {
        "id": user.id,
        "userPrincipalName": user.upn,
        "userDisplayName": user.display_name,
        "userType": "guest" if rules.is_guest(user) else "member",
        "isAdmin": bool(user.roles),
        "isSsprRegistered": bool(kinds & _RESETTING),
        "isSsprEnabled": False,
        "isSsprCapable": False,
        "isMfaRegistered": strong,
        "isMfaCapable": strong,
        "isPasswordlessCapable": bool(kinds & _PASSWORDLESS),
        "methodsRegistered": registered,
        "isSystemPreferredAuthenticationMethodEnabled": False,
        "systemPreferredAuthenticationMethods": [],
        "userPreferredMethodForSecondaryAuthentication": user.default or "none",
        "lastUpdatedDateTime": stamp(now),
    }
