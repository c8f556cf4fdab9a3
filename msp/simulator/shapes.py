"""How methods and hardware tokens look at Graph, with the fields that their reference pages list."""

from __future__ import annotations

import datetime as dt
from typing import Any

from . import inventory, kinds, passes
from .state import SimMethod, SimTenant, SimToken, SimUser, stamp

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

DEVICE_TYPE = "#microsoft.graph.hardwareOathTokenAuthenticationMethodDevice"


def typed(kind: str, method_id: str) -> dict[str, Any]:
    """The type and the id of a method."""
    return {"@odata.type": f"#microsoft.graph.{kinds.KINDS[kind].odata_type}", "id": method_id}


def method(tenant: SimTenant, user: SimUser, shown: SimMethod, now: dt.datetime) -> dict[str, Any]:
    """One method of a user."""
    body = typed(shown.kind, shown.id)
    created = {"createdDateTime": stamp(shown.created_at)}
    further = shown.details
    match shown.kind:
        case "password":
            return body | {"password": None} | created
        case "phone":
            given = _some(further, "phoneNumber", "phoneType", "smsSignInState")
            return body | {"smsSignInState": "notAllowedByPolicy"} | given
        case "email":
            return body | {"emailAddress": shown.label or None} | _some(further, "emailAddress")
        case "software_oath":
            # No name and no date: an existing token cannot be told from another by looking at it.
            return body | {"secretKey": None}
        case "hardware_oath":
            return body | {"device": token(inventory.behind(user, shown), user)} | created
        case "temporary_access_pass":
            return body | _pass(tenant, shown, now)
        case "qr_code_pin":
            return body | created | {"standardQRCode": None, "temporaryQRCode": None, "pin": None}
        case "external":
            further = {"configurationId": shown.id} | further
    return body | {"displayName": shown.label or None} | created | USUAL.get(shown.kind, {}) | further


def waiting(found: SimToken, holder: SimUser) -> dict[str, Any]:
    """The method that a token becomes with its activation. Assumption: until then it has no date."""
    return typed(inventory.KIND, found.id) | {"device": token(found, holder), "createdDateTime": None}


def token(found: SimToken, holder: SimUser | None) -> dict[str, Any]:
    """A token without its seed, as it stands inside a method."""
    return {
        "id": found.id,
        "displayName": found.display_name or None,
        "serialNumber": found.serial,
        "manufacturer": found.manufacturer,
        "model": found.model,
        "secretKey": None,
        "timeIntervalInSeconds": found.interval,
        "status": found.status,
        "hashFunction": f"hmac{found.digest}",
        "assignedTo": {"id": holder.id, "displayName": holder.display_name} if holder else None,
    }


def device(tenant: SimTenant, found: SimToken) -> dict[str, Any]:
    """A token as the inventory shows it. Assumption: lastUsedDateTime stays empty, as in every published sample."""
    holder = tenant.users.get(found.assigned_to)
    return {"@odata.type": DEVICE_TYPE} | token(found, holder) | {"lastUsedDateTime": None}


def _pass(tenant: SimTenant, shown: SimMethod, now: dt.datetime) -> dict[str, Any]:
    """A pass without its text, which is shown only when it is made."""
    reason = passes.usability(shown, now, allowed=passes.allowed_in(tenant))
    return {
        "temporaryAccessPass": None,
        "createdDateTime": stamp(shown.created_at),
        "startDateTime": stamp(passes.starts_at(shown)),
        "lifetimeInMinutes": passes.minutes_of(shown),
        "isUsableOnce": passes.serves_once(shown),
        "isUsable": reason == passes.USABLE,
        "methodUsabilityReason": reason,
    }


def _some(details: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: details[name] for name in names if name in details}
