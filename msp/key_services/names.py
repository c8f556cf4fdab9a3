"""How a setting names a key of a key service: three forms, read once, and refused with the name of the setting.

The form of PKCS#11 is RFC 7512; of its attributes those are known that a key of ours needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from msp.errors import BadInput

FORMS = (
    "transit+https://host/mount/key, azure+https://name.vault.azure.net/key, "
    "or pkcs11:token=...;object=...?module-path=/...&pin-source=file:/..."
)
LONGEST_KEY = 150
"""Of mount and key, or of an object: the ids of root keys are made of them."""

TRANSIT = re.compile(r"transit\+(https://[^\s/?#@]+)/([\w.-]+(?:/[\w.-]+)*/[\w.-]+)")
AZURE = re.compile(r"azure\+(https://[A-Za-z0-9-]+((?:\.[A-Za-z0-9-]+)+))/([0-9A-Za-z-]{1,127})(?:\?(\S*))?")
IDENTITY = re.compile(r"[0-9A-Za-z.-]{1,100}")


@dataclass(frozen=True)
class TransitKey:
    """`address` is `https://host:port`; the engine is mounted at `mount`."""

    address: str
    mount: str
    key: str


@dataclass(frozen=True)
class AzureKey:
    """`vault` is `https://name.vault.azure.net`, `domain` what follows the name: it tells the cloud.

    Without `tenant` a managed identity asks for tokens (`client`: which, when the machine has several); with it the
    app `client` does, by its password.
    """

    vault: str
    domain: str
    key: str
    tenant: str = ""
    client: str = ""


@dataclass(frozen=True)
class Pkcs11Key:
    """`module` is the path of the vendor's library, `object` the label of the key, `pin_file` the path of the PIN."""

    module: str
    token: str
    object: str
    pin_file: str


KeyName = TransitKey | AzureKey | Pkcs11Key


def key_named(text: str, setting: str, *, otherwise: str) -> KeyName:
    """The key that a setting names. Raises BadInput, without the value, which may hold what belongs elsewhere."""
    if text.startswith("pkcs11:"):
        return _pkcs11(text.removeprefix("pkcs11:"), setting)
    if found := TRANSIT.fullmatch(text):
        address, path = found.groups()
        if len(path) <= LONGEST_KEY:
            mount, _, key = path.rpartition("/")
            return TransitKey(address, mount, key)
    if found := AZURE.fullmatch(text):
        vault, domain, key, query = found.groups()
        return _azure(AzureKey(vault.lower(), domain[1:].lower(), key), query or "", setting)
    raise BadInput(f"{setting} must be {otherwise} or look like {FORMS}. Nothing was sent.")


def _azure(key: AzureKey, query: str, setting: str) -> AzureKey:
    known = _attributes(parse_qsl(query, keep_blank_values=True), {"tenant", "client"}, setting)
    if not all(IDENTITY.fullmatch(value) for value in known.values()) or ("tenant" in known and "client" not in known):
        raise BadInput(
            f"{setting} must end with ?tenant=...&client=... (an app and its directory), with ?client=... (one of "
            "several managed identities), or with the key. Nothing was sent."
        )
    return AzureKey(key.vault, key.domain, key.key, known.get("tenant", ""), known.get("client", ""))


def _pkcs11(text: str, setting: str) -> Pkcs11Key:
    path, _, query = text.partition("?")
    pairs = [part.partition("=") for part in (*path.split(";"), *query.split("&")) if part]
    known = _attributes(
        ((name, unquote(value)) for name, _, value in pairs),
        {"token", "object", "module-path", "pin-source"},
        setting,
    )
    pin_file = re.sub(r"^file:(//)?(?=/)", "", known.get("pin-source", ""))
    module = known.get("module-path", "")
    if not known.get("token") or not known.get("object") or not module.startswith("/") or not pin_file.startswith("/"):
        raise BadInput(
            f"{setting} must name token, object, module-path and pin-source, the last two as whole paths: "
            "pkcs11:token=...;object=...?module-path=/...&pin-source=file:/... . Nothing was opened."
        )
    if len(known["object"]) > LONGEST_KEY:
        raise BadInput(f"{setting} must name an object of at most {LONGEST_KEY} characters. Nothing was opened.")
    return Pkcs11Key(module, known["token"], known["object"], pin_file)


def _attributes(pairs: Iterable[tuple[str, str]], known: set[str], setting: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name == "pin-value":
            raise BadInput(f"{setting} must not hold the PIN itself: put it into a file and name that by pin-source.")
        if name not in known or name in found:
            raise BadInput(
                f"{setting} must have each attribute once and no other than {', '.join(sorted(known))}. "
                "Nothing was opened or sent."
            )
        found[name] = value
    return found
