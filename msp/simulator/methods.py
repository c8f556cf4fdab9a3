"""The methods service: everything under /users/{id}/authentication, with its own dialect of errors.

Which permission opens what is judged before (permissions.py); hardware tokens have a room of their own before this.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import kinds, organisation, passes, rules, shapes
from .answers import Answer, Refusal, no_such_resource
from .graph import Call
from .state import SimMethod, SimUser

MFA_STATES = ("disabled", "enabled", "enforced")
_PHONE_NUMBER = re.compile(r"\+[0-9]{1,3} [0-9]{4,15}(x[0-9]{1,10})?")
_EMAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CHOSEN_BY_SYSTEM = ("push", "oath", "sms", "voiceMobile", "voiceAlternateMobile", "voiceOffice")
"""Strongest first, after entra-docs concept-system-preferred-multifactor-authentication, whose other kinds have no
word here."""


def answer(call: Call) -> Answer | None:
    """Judge one call below /users/{id}/authentication."""
    if [part.lower() for part in call.parts[:1] + call.parts[2:3]] != ["users", "authentication"]:
        return None
    key, tail = call.parts[1], [part.lower() for part in call.parts[3:]]
    match tail:
        case ["methods"]:
            return _list_all(call, key)
        case ["methods", method_id]:
            return _one_of_all(call, key, method_id)
        case ["signinpreferences"] if call.version == "beta":
            return _preferences(call, key)
        case ["requirements"] if call.version == "beta":
            return _requirements(call, key)
        case [collection, *rest] if collection in kinds.COLLECTIONS and len(rest) <= 1:
            return _typed(call, key, kinds.COLLECTIONS[collection], rest[0] if rest else "")
    raise call.unknown_segment(call.parts[-1])


# Reading


def _reading(call: Call, key: str) -> SimUser:
    return call.user(key).as_read_at(call.cloud.now())


def _shape(call: Call, user: SimUser, method: SimMethod) -> dict[str, Any]:
    return shapes.method(call.tenant, user, method, call.cloud.now())


def _list_all(call: Call, key: str) -> Answer:
    _only(call, "GET")
    if call.query:
        # Assumption: the code and text; that the list takes no query options is documented.
        raise _refused(call, "The query specified in the URI is not valid.")
    user = _reading(call, key)
    shown = [_shape(call, user, m) for m in user.methods.values() if call.version in kinds.KINDS[m.kind].listed_in]
    return Answer(200, {"@odata.context": call.context(f"users('{key}')/authentication/methods"), "value": shown})


def _one_of_all(call: Call, key: str, method_id: str) -> Answer:
    """There is no generic delete: the service does not know such a route (a public issue of msgraph-sdk-powershell)."""
    _only(call, "GET")
    user = _reading(call, key)
    method = _find(call, user, method_id)
    if call.version not in kinds.KINDS[method.kind].listed_in:
        raise _absent(call, method_id)
    where = f"users('{key}')/authentication/methods/$entity"
    return Answer(200, {"@odata.context": call.context(where)} | _shape(call, user, method))


def _typed(call: Call, key: str, kind: kinds.Kind, method_id: str) -> Answer:
    if call.version not in kind.versions:
        raise call.unknown_segment(kind.collection)
    if call.method == "DELETE" and kind.deletable and (method_id or kind.singleton):
        return _delete(call, key, kind, method_id)
    if call.method == "POST" and kind.name in _CREATED and not method_id:
        return _create(call, key, kind)
    if call.method == "PATCH" and kind.name in _CHANGED and method_id:
        return _change(call, key, kind, method_id)
    _only(call, "GET")
    user = _reading(call, key)
    where = f"users('{key}')/authentication/{kind.collection}"
    if method_id or kind.singleton:
        method = _find(call, user, method_id, kind)
        return Answer(200, {"@odata.context": call.context(f"{where}/$entity")} | _shape(call, user, method))
    shown = [_shape(call, user, m) for m in user.methods.values() if m.kind == kind.name]
    return Answer(200, {"@odata.context": call.context(where), "value": shown})


# Deleting


def _delete(call: Call, key: str, kind: kinds.Kind, method_id: str) -> Answer:
    # The rules look at what is true now, not at what a lagging read shows.
    user = call.user(key)
    method = _find(call, user, method_id, kind)
    refusal = rules.deletion_refusal(user, method)
    if refusal:
        raise _refused(call, refusal)
    if not call.lies:
        call.cloud.drop_method(call.tenant, user, method, by="graph", request_id=call.ids.request_id)
    return Answer(204)


# Making and changing: what an administrator may, for another user


def _create(call: Call, key: str, kind: kinds.Kind) -> Answer:
    user = call.user(key)
    method, once_only = _CREATED[kind.name](call, user, _given(call, may_be_empty=kind.name == passes.KIND))
    if not call.lies:
        if kind.name == passes.KIND:
            # A user has one pass at most, and a new one replaces it (Graph reference).
            for former in [m for m in user.methods.values() if m.kind == passes.KIND]:
                call.cloud.drop_method(call.tenant, user, former, by="graph", request_id=call.ids.request_id)
        call.cloud.admit(call.tenant, user, method, by="graph", request_id=call.ids.request_id)
    where = call.context(f"users('{key}')/authentication/{kind.collection}/$entity")
    return Answer(201, {"@odata.context": where} | _shape(call, user, method) | once_only)


def _change(call: Call, key: str, kind: kinds.Kind, method_id: str) -> Answer:
    """Assumption: 204 without a body."""
    user = call.user(key)
    method = _find(call, user, method_id, kind)
    changed = _CHANGED[kind.name](call, method, _given(call))
    if not call.lies:
        with call.cloud.changing(call.tenant, user):
            user.methods[method.id] = changed
            call.cloud.note(
                "method_changed", call.tenant, user, by="graph", method=changed, request_id=call.ids.request_id
            )
    return Answer(204)


Made = tuple[SimMethod, dict[str, Any]]
"""A new method, and the fields that only the answer to its making shows."""


def _new_phone(call: Call, user: SimUser, asked: dict[str, Any]) -> Made:
    """Assumption: the texts. The order of phones and at most one of each type are documented."""
    number, word = _phone_number(call, asked), str(asked.get("phoneType"))
    if set(asked) - {"@odata.type", "phoneNumber", "phoneType"} or word not in kinds.PHONE_IDS:
        raise _refused(call, "The phone number and a phone type (mobile, alternateMobile or office) are required.")
    _demand_phone_policy(call, word)
    if kinds.PHONE_IDS[word] in user.methods:
        raise _refused(call, f"The user already has a phone method of type [{word}].")
    if word == "alternateMobile" and kinds.PHONE_IDS["mobile"] not in user.methods:
        raise _refused(call, "An alternate mobile phone method cannot be added without a mobile phone method.")
    details = {"phoneNumber": number, "phoneType": word}
    return SimMethod(kinds.PHONE_IDS[word], "phone", call.cloud.now(), details=details), {}


def _changed_phone(call: Call, method: SimMethod, asked: dict[str, Any]) -> SimMethod:
    """Assumption: the type stays what it is, since the id says it."""
    number, word = _phone_number(call, asked), method.details["phoneType"]
    if set(asked) - {"@odata.type", "phoneNumber", "phoneType"} or asked.get("phoneType", word) != word:
        raise _refused(call, "Only the number of a phone method can be changed.")
    _demand_phone_policy(call, word)
    return replace(method, details=method.details | {"phoneNumber": number})


def _phone_number(call: Call, asked: dict[str, Any]) -> str:
    number = asked.get("phoneNumber")
    if not isinstance(number, str) or not _PHONE_NUMBER.fullmatch(number):
        raise _refused(call, "The phone number must have the format +{country code} {number}x{extension}.")
    return number


def _demand_phone_policy(call: Call, word: str) -> None:
    """Assumption: a mobile needs text messages or calls allowed, any other phone needs calls."""
    wanted = ("Sms", "Voice") if word == "mobile" else ("Voice",)
    if not any(organisation.policy_allows(call.tenant, one) for one in wanted):
        raise _refused(call, kinds.refused_by_policy(wanted[0]))


def _new_email(call: Call, user: SimUser, asked: dict[str, Any]) -> Made:
    """Assumption: the texts, and that the policy of emails stands against it. One per user (Graph reference)."""
    address = _email_address(call, asked)
    if any(method.kind == "email" for method in user.methods.values()):
        raise _refused(call, "The user already has an email method.")
    return SimMethod(call.cloud.new_id(), "email", call.cloud.now(), details={"emailAddress": address}), {}


def _changed_email(call: Call, method: SimMethod, asked: dict[str, Any]) -> SimMethod:
    return replace(method, details=method.details | {"emailAddress": _email_address(call, asked)})


def _email_address(call: Call, asked: dict[str, Any]) -> str:
    address = asked.get("emailAddress")
    whole = isinstance(address, str) and _EMAIL_ADDRESS.fullmatch(address)
    if not whole or set(asked) - {"@odata.type", "emailAddress"}:
        raise _refused(call, "An email method takes one valid email address.")
    if not organisation.policy_allows(call.tenant, "Email"):
        raise _refused(call, kinds.refused_by_policy("Email"))
    return str(address)


def _new_pass(call: Call, user: SimUser, asked: dict[str, Any]) -> Made:
    """Assumptions: the texts, except the policy's; a start in the past is taken; guests are refused."""
    given = {name: value for name, value in asked.items() if value is not None and name != "@odata.type"}
    if set(given) - {"startDateTime", "lifetimeInMinutes", "isUsableOnce"}:
        raise _refused(call, "Invalid or unsupported properties were found in the request.")
    if rules.is_guest(user):
        raise _refused(call, "A Temporary Access Pass cannot be created for a guest user.")
    if not passes.allowed_in(call.tenant):
        raise _refused(call, kinds.refused_by_policy(passes.CONFIGURATION))
    minutes, once = given.get("lifetimeInMinutes", passes.USUAL), given.get("isUsableOnce", False)
    if type(minutes) is not int or not passes.SHORTEST <= minutes <= passes.LONGEST:
        raise _refused(call, f"lifetimeInMinutes must be between {passes.SHORTEST} and {passes.LONGEST} minutes.")
    if not isinstance(once, bool):
        raise _refused(call, "isUsableOnce must be true or false.")
    start = _moment(call, given["startDateTime"]) if "startDateTime" in given else None
    text = passes.new_text(call.cloud.chance("passes"))
    method = passes.made(call.cloud.new_id(), text, call.cloud.now(), start=start, minutes=minutes, once=once)
    return method, {"temporaryAccessPass": text}


def _moment(call: Call, text: Any) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _refused(call, "startDateTime must be a date and time with its offset from UTC.")
    return moment


_CREATED: dict[str, Callable[[Call, SimUser, dict[str, Any]], Made]] = {
    "phone": _new_phone,
    "email": _new_email,
    passes.KIND: _new_pass,
}
_CHANGED: dict[str, Callable[[Call, SimMethod, dict[str, Any]], SimMethod]] = {
    "phone": _changed_phone,
    "email": _changed_email,
}
"""Kinds that an administrator may make and change. Software tokens are not among them: no published contract has it."""


# What is asked of a user


def _preferences(call: Call, key: str) -> Answer:
    """Which kind is asked for first. Assumption: the permissions are those of the common list."""
    _only(call, "GET", "PATCH")
    if call.method == "PATCH":
        return _prefer(call, call.user(key), _given(call))
    user = _reading(call, key)
    words = {word for method in user.methods.values() for word in rules.preferences(method)}
    strongest = next((word for word in _CHOSEN_BY_SYSTEM if word in words), None)
    body: dict[str, Any] = {
        "@odata.context": call.context(f"users('{key}')/authentication/signInPreferences"),
        "isSystemPreferredAuthenticationMethodEnabled": user.system_preferred,
        "userPreferredMethodForSecondaryAuthentication": user.default or None,
        "systemPreferredAuthenticationMethod": strongest if user.system_preferred else None,
    }
    return Answer(200, body)


def _prefer(call: Call, user: SimUser, asked: dict[str, Any]) -> Answer:
    """Assumption: a kind that the user has not registered is refused; the user's own choice is kept, and counts for
    the rule of the default method, while Microsoft chooses."""
    by_system = asked.get("isSystemPreferredAuthenticationMethodEnabled", user.system_preferred)
    word = asked.get("userPreferredMethodForSecondaryAuthentication", user.default)
    known = {"isSystemPreferredAuthenticationMethodEnabled", "userPreferredMethodForSecondaryAuthentication"}
    if not known & set(asked) or set(asked) - known - {"@odata.type"} or not isinstance(by_system, bool):
        raise _refused(call, "Invalid or unsupported properties were found in the request.")
    registered = any(word in rules.preferences(method) for method in user.methods.values())
    if "userPreferredMethodForSecondaryAuthentication" in asked and not registered:
        raise _refused(call, "The requested default method is not registered for the user.")
    if call.lies:
        return Answer(204)
    if by_system != user.system_preferred:
        with call.cloud.changing(call.tenant, user):
            user.system_preferred = by_system
    if "userPreferredMethodForSecondaryAuthentication" in asked:
        call.cloud.move_default(call.tenant, user, word, by="graph", request_id=call.ids.request_id)
    return Answer(204)


def _requirements(call: Call, key: str) -> Answer:
    """Per-user MFA."""
    _only(call, "GET", "PATCH")
    if call.method == "GET":
        where = call.context(f"users('{key}')/authentication/requirements")
        return Answer(200, {"@odata.context": where, "perUserMfaState": _reading(call, key).mfa_state})
    user, asked = call.user(key), _given(call)
    state = asked.get("perUserMfaState")
    if set(asked) - {"@odata.type", "perUserMfaState"} or state not in MFA_STATES:
        raise _refused(call, "perUserMfaState must be disabled, enabled or enforced.")
    if not call.lies:
        with call.cloud.changing(call.tenant, user):
            user.mfa_state = state
            call.cloud.note("mfa_demanded", call.tenant, user, by="graph", request_id=call.ids.request_id)
    return Answer(204)


# How a call is refused


def _given(call: Call, *, may_be_empty: bool = False) -> dict[str, Any]:
    found = {} if call.body is None and may_be_empty else call.body
    if not isinstance(found, dict) or not (found or may_be_empty):
        raise _refused(call, "A non-empty request body is required.")
    return found


def _find(call: Call, user: SimUser, method_id: str, kind: kinds.Kind | None = None) -> SimMethod:
    """By id, of this kind only when one is named; a singleton is found without an id."""
    for method in user.methods.values():
        if kind is not None and method.kind != kind.name:
            continue
        if method.id.lower() == method_id.lower() or (kind is not None and kind.singleton):
            return method
    raise _absent(call, method_id)


def _absent(call: Call, method_id: str) -> Refusal:
    # Assumption: code and text of a method that is not there; 404 is what clients report.
    return call.methods_error(
        404, "resourceNotFound", f"The requested authentication method [{method_id}] was not found for the user."
    )


def _refused(call: Call, sentence: str) -> Refusal:
    return call.methods_error(400, "badRequest", sentence)


def _only(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise Refusal(no_such_resource(call.url, call.method))
