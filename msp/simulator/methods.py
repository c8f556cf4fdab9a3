"""The methods service: everything under /users/{id}/authentication, with its own dialect of errors."""

from __future__ import annotations

from typing import Any

from . import kinds, rules
from .answers import Answer, Refusal, no_such_resource
from .graph import Call
from .state import SimMethod, SimUser, stamp


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
        case [collection, *rest] if collection in kinds.COLLECTIONS and len(rest) <= 1:
            return _typed(call, key, kinds.COLLECTIONS[collection], rest[0] if rest else "")
    raise call.unknown_segment(call.parts[-1])


def _reading(call: Call, key: str) -> SimUser:
    return call.user(key).as_read_at(call.cloud.now())


def _list_all(call: Call, key: str) -> Answer:
    _only(call, "GET")
    call.need_for_methods(rules.READ_METHODS)
    if call.query:
        # Assumption: the code and text; that the list takes no query options is documented.
        raise call.methods_error(400, "badRequest", "The query specified in the URI is not valid.")
    user = _reading(call, key)
    shown = [shape(user, m) for m in user.methods.values() if call.version in kinds.KINDS[m.kind].listed_in]
    return Answer(200, {"@odata.context": call.context(f"users('{key}')/authentication/methods"), "value": shown})


def _one_of_all(call: Call, key: str, method_id: str) -> Answer:
    """There is no generic delete: the service does not know such a route (a public issue of msgraph-sdk-powershell)."""
    _only(call, "GET")
    call.need_for_methods(rules.READ_METHODS)
    user = _reading(call, key)
    method = _find(call, user, method_id)
    if call.version not in kinds.KINDS[method.kind].listed_in:
        raise _absent(call, method_id)
    where = f"users('{key}')/authentication/methods/$entity"
    return Answer(200, {"@odata.context": call.context(where)} | shape(user, method))


def _typed(call: Call, key: str, kind: kinds.Kind, method_id: str) -> Answer:
    if call.version not in kind.versions:
        raise call.unknown_segment(kind.collection)
    if call.method == "DELETE" and kind.deletable and (method_id or kind.singleton):
        return _delete(call, key, kind, method_id)
    _only(call, "GET")
    call.need_for_methods(rules.typed_permissions(kind, write=False))
    user = _reading(call, key)
    where = f"users('{key}')/authentication/{kind.collection}"
    if method_id or kind.singleton:
        method = _find(call, user, method_id, kind)
        return Answer(200, {"@odata.context": call.context(f"{where}/$entity")} | shape(user, method))
    shown = [shape(user, m) for m in user.methods.values() if m.kind == kind.name]
    return Answer(200, {"@odata.context": call.context(where), "value": shown})


def _delete(call: Call, key: str, kind: kinds.Kind, method_id: str) -> Answer:
    call.need_for_methods(rules.typed_permissions(kind, write=True))
    # The rules look at what is true now, not at what a lagging read shows.
    user = call.user(key)
    method = _find(call, user, method_id, kind)
    refusal = rules.deletion_refusal(user, method)
    if refusal:
        raise call.methods_error(400, "badRequest", refusal)
    if not call.lies:
        call.cloud.drop_method(call.tenant, user, method, by="graph", request_id=call.ids.request_id)
    return Answer(204)


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


def _only(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise Refusal(no_such_resource(call.url, call.method))


def _preferences(call: Call, key: str) -> Answer:
    """Which kind is asked for first. Assumption: the permissions are those of the common list."""
    _only(call, "GET", "PATCH")
    if call.method == "GET":
        call.need_for_methods(rules.READ_METHODS)
        user = _reading(call, key)
        body: dict[str, Any] = {
            "@odata.context": call.context(f"users('{key}')/authentication/signInPreferences"),
            "isSystemPreferredAuthenticationMethodEnabled": False,
            "userPreferredMethodForSecondaryAuthentication": user.default or None,
        }
        return Answer(200, body)
    call.need_for_methods(rules.WRITE_METHODS)
    asked = call.body if isinstance(call.body, dict) else {}
    word = str(asked.get("userPreferredMethodForSecondaryAuthentication"))
    user = call.user(key)
    if not any(word in rules.preferences(method) for method in user.methods.values()):
        # Assumption: a kind that the user has not registered is refused.
        raise call.methods_error(400, "badRequest", "The requested default method is not registered for the user.")
    if not call.lies:
        call.cloud.move_default(call.tenant, user, word, by="graph", request_id=call.ids.request_id)
    return Answer(204)


USUAL: dict[str, dict[str, Any]] = {
    "microsoft_authenticator": {"deviceTag": "SoftwareTokenActivated", "phoneAppVersion": "6.8.1"},
    "fido2": {
        "aaGuid": "2fc0579f-8113-47ea-b116-555a8db9202a",
        "model": "NFC key",
        "attestationCertificates": ["dbe793efdf1945e2df25d93653a1e8a3268a9075"],
        "attestationLevel": "attested",
    },
    "windows_hello": {"keyStrength": "normal"},
    "platform_credential": {"keyStrength": "normal", "platform": "macOS"},
}
"""What a method of a kind shows beside its name and date, unless its details say otherwise."""


def shape(user: SimUser, method: SimMethod) -> dict[str, Any]:
    """One method as Graph shows it, with the fields that its reference page lists."""
    body: dict[str, Any] = {"@odata.type": f"#microsoft.graph.{kinds.KINDS[method.kind].odata_type}", "id": method.id}
    created = {"createdDateTime": stamp(method.created_at)}
    further = method.details
    match method.kind:
        case "password":
            return body | {"password": None} | created
        case "phone":
            shown = _some(further, "phoneNumber", "phoneType", "smsSignInState")
            return body | {"smsSignInState": "notAllowedByPolicy"} | shown
        case "email":
            return body | {"emailAddress": method.label or None} | _some(further, "emailAddress")
        case "software_oath":
            # No name and no date: an existing token cannot be told from another by looking at it.
            return body | {"secretKey": None}
        case "hardware_oath":
            return body | {"device": _device(user, method)} | created
        case "temporary_access_pass":
            return body | created | _pass(method) | further
        case "qr_code_pin":
            return body | created | {"standardQRCode": None, "temporaryQRCode": None, "pin": None}
        case "external":
            further = {"configurationId": method.id} | further
    return body | {"displayName": method.label or None} | created | USUAL.get(method.kind, {}) | further


def _pass(method: SimMethod) -> dict[str, Any]:
    """A temporary access pass; the pass itself is shown only when it is made."""
    return {
        "temporaryAccessPass": None,
        "startDateTime": stamp(method.created_at),
        "lifetimeInMinutes": 60,
        "isUsableOnce": False,
        "isUsable": True,
        "methodUsabilityReason": "EnabledByPolicy",
    }


def _some(details: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: details[name] for name in names if name in details}


def _device(user: SimUser, method: SimMethod) -> dict[str, Any]:
    """The token object inside a hardware OATH method; method id and device id are the same in all samples."""
    defaults = {"manufacturer": "Contoso", "model": "Hardware Token 1000"}
    fixed = {
        "id": method.id,
        "displayName": method.label or None,
        "secretKey": None,
        "timeIntervalInSeconds": method.interval,
        "status": "activated",
        "hashFunction": f"hmac{method.digest}",
        "assignedTo": {"id": user.id, "displayName": user.display_name},
    }
    return defaults | method.details | fixed
