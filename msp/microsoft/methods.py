"""How our kinds of authentication method are called at Microsoft, and where each of them is deleted.

There is no generic delete: every kind has its own collection (permissions.json names no application
permission for DELETE /methods/{id}). Types and collections after Microsoft's OpenAPI and CSDL files.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from msp.microsoft.ports import MethodKind, ObservedMethod

PREFIX = "#microsoft.graph."


@dataclass(frozen=True)
class Place:
    """Where one kind lives. `version` is that of its DELETE, "" when no application can delete it.

    `single` marks a place that holds one method and is addressed without an id.
    """

    raw_type: str
    collection: str
    version: str
    single: bool = False


PLACES = {
    MethodKind.PASSWORD: Place("passwordAuthenticationMethod", "passwordMethods", ""),
    MethodKind.PHONE: Place("phoneAuthenticationMethod", "phoneMethods", "v1.0"),
    MethodKind.EMAIL: Place("emailAuthenticationMethod", "emailMethods", "v1.0"),
    MethodKind.FIDO2: Place("fido2AuthenticationMethod", "fido2Methods", "v1.0"),
    MethodKind.MICROSOFT_AUTHENTICATOR: Place(
        "microsoftAuthenticatorAuthenticationMethod", "microsoftAuthenticatorMethods", "v1.0"
    ),
    MethodKind.PASSWORDLESS_AUTHENTICATOR: Place(
        "passwordlessMicrosoftAuthenticatorAuthenticationMethod", "passwordlessMicrosoftAuthenticatorMethods", "beta"
    ),
    MethodKind.SOFTWARE_OATH: Place("softwareOathAuthenticationMethod", "softwareOathMethods", "v1.0"),
    MethodKind.HARDWARE_OATH: Place("hardwareOathAuthenticationMethod", "hardwareOathMethods", "beta"),
    MethodKind.TEMPORARY_ACCESS_PASS: Place(
        "temporaryAccessPassAuthenticationMethod", "temporaryAccessPassMethods", "v1.0"
    ),
    MethodKind.WINDOWS_HELLO: Place(
        "windowsHelloForBusinessAuthenticationMethod", "windowsHelloForBusinessMethods", "v1.0"
    ),
    MethodKind.PLATFORM_CREDENTIAL: Place(
        "platformCredentialAuthenticationMethod", "platformCredentialMethods", "v1.0"
    ),
    MethodKind.EXTERNAL: Place("externalAuthenticationMethod", "externalAuthenticationMethods", "v1.0"),
    MethodKind.QR_CODE_PIN: Place("qrCodePinAuthenticationMethod", "qrCodePinMethod", "beta", single=True),
}

KIND_OF = {place.raw_type: kind for kind, place in PLACES.items()}

PHONE_IDS = {
    "3179e48a-750b-4051-897c-87b9720928f7": "mobile",
    "b6332ec1-7057-4abe-9331-3d72feddfe41": "alternateMobile",
    "e37fc753-ff3b-4958-9484-eaa9425c82bc": "office",
}
"""A phone's id is its type, the same for every user (page "list phoneMethods")."""

EXTENSION = re.compile(r"\s*x\d+$")
ALL_BUT_FOUR_DIGITS = re.compile(r"\d(?=(?:\D*\d){4})")

PREFERENCE_OF_PHONE = {"mobile": "sms", "alternateMobile": "voiceAlternateMobile", "office": "voiceOffice"}
PREFERENCE_OF_KIND = {
    MethodKind.SOFTWARE_OATH: "oath",
    MethodKind.HARDWARE_OATH: "oath",
    MethodKind.MICROSOFT_AUTHENTICATOR: "push",
}
# A push on a shared account rings on several phones, so a typed code is the better default.
PREFERENCES = ("oath", "push", "sms", "voiceAlternateMobile", "voiceOffice")


def user_path(key: str) -> str:
    """`/users/{key}`, quoted: a guest's name holds "#EXT#", which would cut the address short."""
    return f"/users/{quote(key, safe='@')}"


def delete_path(user_key: str, method: ObservedMethod) -> str | None:
    """Version and path of the DELETE for one method, or None when no application can remove its kind."""
    place = PLACES.get(method.kind)
    if place is None or not place.version:
        return None
    path = f"/{place.version}{user_path(user_key)}/authentication/{place.collection}"
    return path if place.single else f"{path}/{quote(method.directory_id, safe='')}"


def observed(item: Mapping[str, Any]) -> ObservedMethod:
    """Read one element of a methods list. A type that is not in the table becomes UNKNOWN, never nothing."""
    raw_type = str(item.get("@odata.type") or "").removeprefix(PREFIX)
    kind = KIND_OF.get(raw_type, MethodKind.UNKNOWN)
    return ObservedMethod(
        kind=kind,
        directory_id=str(item.get("id") or ""),
        label=label_of(kind, item),
        created_at=moment(item.get("createdDateTime")),
        raw_type=raw_type,
    )


def label_of(kind: MethodKind, item: Mapping[str, Any]) -> str:
    """What tells this method from its siblings, or "" when Microsoft shows nothing that would."""
    match kind:
        case MethodKind.PHONE:
            number = masked(str(item.get("phoneNumber") or ""))
            return f"{item.get('phoneType') or ''} {number}".strip()
        case MethodKind.EMAIL:
            return str(item.get("emailAddress") or "")
        case MethodKind.HARDWARE_OATH:
            device = item.get("device") or {}
            return str(device.get("serialNumber") or device.get("displayName") or "")
        case _:
            return str(item.get("displayName") or "")


def masked(number: str) -> str:
    """A phone number with all but the country code and the last four digits hidden; no extension."""
    country, space, rest = EXTENSION.sub("", number).rpartition(" ")
    return f"{country}{space}" + ALL_BUT_FOUR_DIGITS.sub("*", rest)


def preference_of(method: ObservedMethod) -> str | None:
    """What the method is called as a user's default, or None when its kind cannot be the default."""
    if method.kind is MethodKind.PHONE:
        return PREFERENCE_OF_PHONE.get(PHONE_IDS.get(method.directory_id, ""))
    return PREFERENCE_OF_KIND.get(method.kind)


def next_default(away_from: ObservedMethod, stays: tuple[ObservedMethod, ...]) -> str | None:
    """The default to choose among the methods that stay, so that `away_from` can go; None when none fits.

    A default is a kind, not one method. Another kind than the leaving method's is taken first; its own kind
    is left for last. Assumption: which sibling of one kind Microsoft then takes is not documented.
    """
    possible = {preference for method in stays if (preference := preference_of(method))}
    own = preference_of(away_from)
    others = [preference for preference in PREFERENCES if preference in possible and preference != own]
    return others[0] if others else own if own in possible else None


def moment(text: object) -> dt.datetime | None:
    """Graph's ISO 8601 text as a UTC time; None when it is absent or not a time.

    Assumption: year 1, .NET's empty date, means "not known".
    """
    if not isinstance(text, str):
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.year == 1:
        return None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
