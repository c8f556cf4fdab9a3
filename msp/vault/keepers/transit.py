"""The root key in the transit engine of OpenBao or HashiCorp Vault, which encrypts and never gives it away."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

from msp.errors import KeyTrouble
from msp.key_services.transit import Transit
from msp.vault.envelope import KEY_BYTES

KIND = "aes256-gcm96"
CIPHERTEXT = re.compile(r"[a-z]+:v(\d+):[A-Za-z0-9+/=]+")

_VERSION = bytes([1])


class TransitKeeper:
    """Root keys are the versions of one key of the engine: `transit:<mount>/<key>:v3`.

    `retire` lifts the key's `min_decryption_version`. The engine keeps what is below in its archive, where the
    operator can lower it again to read an old backup, or trim it for ever.
    """

    def __init__(self, transit: Transit) -> None:
        self._transit = transit
        self._key = transit.name.key
        self._retired: set[int] = set()

    def describe(self) -> str:
        return self._transit.describe()

    def is_there(self) -> bool:
        return bool(self._versions(missing_is_fine=True))

    def make_unless_there(self) -> None:
        if not self.is_there():
            self._transit.ask("POST", f"keys/{self._key}", {"type": KIND})

    def current(self) -> str:
        return self._id(max(self._versions()))

    def wrap(self, data_key: bytes, bound: bytes) -> tuple[bytes, str]:
        # Asking for the version first also keeps the engine from making a key that is not there ("Encrypt data").
        version = max(self._versions())
        reply = self._transit.ask(
            "POST",
            f"encrypt/{self._key}",
            {
                "plaintext": _base64(data_key + _digest(bound)),
                "key_version": version,
                "associated_data": _base64(bound),
            },
        )
        ciphertext = self._transit.data_of(reply).get("ciphertext")
        found = CIPHERTEXT.fullmatch(ciphertext) if isinstance(ciphertext, str) else None
        if found is None or int(found[1]) != version:
            raise self._transit.refused("what it answered is no ciphertext of this key. Check the address")
        return _VERSION + found[0].encode("ascii"), self._id(version)

    def unwrap(self, wrapped: bytes, wrapped_by: str, bound: bytes, *, what: str) -> bytes:
        version = self._version_in(wrapped_by)
        if version is None:
            raise KeyTrouble(
                f"{what} was wrapped by {wrapped_by}, and LATCHKEY_KEYS names {self.describe()}; nothing was changed. "
                "Name the keeper that has that root key."
            )
        if not wrapped.startswith(_VERSION):
            raise KeyTrouble(f"{what} has a format that this version of Latchkey cannot read.")
        ciphertext = CIPHERTEXT.fullmatch(wrapped[1:].decode("ascii", "replace"))
        if ciphertext is None or int(ciphertext[1]) != version:
            raise self._does_not_open(what)
        reply = self._transit.ask(
            "POST",
            f"decrypt/{self._key}",
            {"ciphertext": ciphertext[0], "associated_data": _base64(bound)},
            expected=(400,),
        )
        if reply.status == 400 and version not in self._versions():
            raise self._transit.refused(
                f"it has no version {version} of the key that may decrypt, which {what} needs. Lower its "
                "min_decryption_version there, or restore the key from its backup"
            )
        opened = _from_base64(self._transit.data_of(reply).get("plaintext"))
        data_key, proof = opened[:KEY_BYTES], opened[KEY_BYTES:]
        # An engine older than its parameter associated_data ignores it without a word; this it cannot ignore.
        if len(data_key) != KEY_BYTES or not hmac.compare_digest(proof, _digest(bound)):
            raise self._does_not_open(what)
        return data_key

    def make_next(self) -> str:
        self._transit.ask("POST", f"keys/{self._key}/rotate")
        return self.current()

    def retire(self, root_key_id: str) -> None:
        """A version between two that are in use stays until those before it are retired, too: the engine knows one
        lowest version, and no gaps.
        """
        versions, version = self._versions(), self._version_in(root_key_id)
        if version is None:
            return
        if version >= max(versions):
            raise KeyTrouble(f"{root_key_id} is the root key in use ({self.describe()}); it stays.")
        self._retired.add(version)
        lowest = before = min(versions)
        while lowest in self._retired:
            lowest += 1
        if lowest > before:
            self._transit.ask("POST", f"keys/{self._key}/config", {"min_decryption_version": lowest})

    def _does_not_open(self, what: str) -> KeyTrouble:
        return KeyTrouble(
            f"{what} does not open with {self.describe()}: it was damaged, or belongs to another place or key. "
            "Nothing was changed or shown; restore the row from a backup."
        )

    def _versions(self, *, missing_is_fine: bool = False) -> list[int]:
        """The versions that may decrypt; the highest one encrypts. Empty only when a missing key is fine."""
        reply = self._transit.ask("GET", f"keys/{self._key}", expected=(404,))
        if reply.status == 404 and missing_is_fine:
            return []
        if reply.status == 404:
            raise self._transit.refused(
                "it has no such key, but secrets in this database were sealed with it. Correct LATCHKEY_KEYS, or "
                "restore the key from its backup: no other can open them"
            )
        data = self._transit.data_of(reply)
        if data.get("type") != KIND or data.get("derived"):
            raise self._transit.refused(f"the key there is not of the type {KIND} without derivation. Name another one")
        try:
            found = [int(version) for version in data["keys"]]
        except (KeyError, TypeError, ValueError):
            found = []
        if not found:
            raise self._transit.refused("what it answered describes no key. Check the address")
        return found

    def _id(self, version: int) -> str:
        return f"{self._prefix}{version}"

    def _version_in(self, root_key_id: str) -> int | None:
        number = root_key_id.removeprefix(self._prefix)
        return int(number) if root_key_id.startswith(self._prefix) and number.isdecimal() else None

    @property
    def _prefix(self) -> str:
        return f"transit:{self._transit.name.mount}/{self._key}:v"


def _digest(bound: bytes) -> bytes:
    return hashlib.sha256(bound).digest()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _from_base64(text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""
