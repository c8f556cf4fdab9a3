"""The root key in an Azure Key Vault: an RSA key that wraps and unwraps there and never leaves."""

from __future__ import annotations

import secrets

from msp.errors import KeyTrouble
from msp.key_services.azure import AzureVault, base64url, from_base64url
from msp.key_services.line import Reply
from msp.vault.envelope import KEY_BYTES, lock, unlock

WRAPPING = "RSA-OAEP-256"
NEW_KEY = {"kty": "RSA", "key_size": 3072, "key_ops": ["wrapKey", "unwrapKey"]}

_VERSION = bytes([1])
_LENGTH_BYTES = 2


class AzureKeeper:
    """Root keys are the versions of one key of the vault: `azure:<key>/<version>`.

    RSA binds nothing to what it wraps. So the vault wraps a fresh key, and that one locks the data key here, bound to
    its place. `retire` disables a version, which an operator can enable again to read an old backup.
    """

    def __init__(self, vault: AzureVault) -> None:
        self._vault = vault

    def describe(self) -> str:
        return self._vault.describe()

    def is_there(self) -> bool:
        return self._latest(missing_is_fine=True) != ""

    def make_unless_there(self) -> None:
        if not self.is_there():
            self._vault.ask("POST", "/create", NEW_KEY)

    def current(self) -> str:
        return self._id(self._latest())

    def wrap(self, data_key: bytes, bound: bytes) -> tuple[bytes, str]:
        version, fresh = self._latest(), secrets.token_bytes(KEY_BYTES)
        reply = self._vault.ask("POST", f"/{version}/wrapkey", {"alg": WRAPPING, "value": base64url(fresh)})
        away = from_base64url(reply.body.get("value"))
        if not away:
            raise self._vault.refused("what it answered is no wrapped key. Check the address")
        return (
            _VERSION + len(away).to_bytes(_LENGTH_BYTES, "big") + away + lock(fresh, data_key, bound),
            self._id(version),
        )

    def unwrap(self, wrapped: bytes, wrapped_by: str, bound: bytes, *, what: str) -> bytes:
        version = self._version_in(wrapped_by)
        if not version:
            raise KeyTrouble(
                f"{what} was wrapped by {wrapped_by}, and LATCHKEY_KEYS names {self.describe()}; nothing was changed. "
                "Name the keeper that has that root key."
            )
        if not wrapped.startswith(_VERSION):
            raise KeyTrouble(f"{what} has a format that this version of Latchkey cannot read.")
        begin = len(_VERSION) + _LENGTH_BYTES
        end = begin + int.from_bytes(wrapped[len(_VERSION) : begin], "big")
        reply = self._vault.ask(
            "POST",
            f"/{version}/unwrapkey",
            {"alg": WRAPPING, "value": base64url(wrapped[begin:end])},
            expected=(400,),
        )
        fresh = from_base64url(reply.body.get("value"))
        if len(fresh) != KEY_BYTES:
            raise KeyTrouble(
                f"{what} does not open with {self.describe()}: it was damaged, or belongs to another key. Nothing was "
                "changed or shown; restore the row from a backup."
            )
        return unlock(fresh, wrapped[end:], bound, what=what)

    def make_next(self) -> str:
        return self._id(self._version_of(self._vault.ask("POST", "/rotate")))

    def retire(self, root_key_id: str) -> None:
        version = self._version_in(root_key_id)
        if version and version == self._latest():
            raise KeyTrouble(f"{root_key_id} is the root key in use ({self.describe()}); it stays.")
        if version:
            self._vault.ask("PATCH", f"/{version}", {"attributes": {"enabled": False}}, expected=(404,))

    def _latest(self, *, missing_is_fine: bool = False) -> str:
        reply = self._vault.ask("GET", "", expected=(404,))
        if reply.status == 404 and missing_is_fine:
            return ""
        if reply.status == 404:
            raise self._vault.refused(
                "it has no such key, but secrets in this database were sealed with it. Correct LATCHKEY_KEYS, or "
                "recover the deleted key: no other can open them"
            )
        return self._version_of(reply)

    def _version_of(self, reply: Reply) -> str:
        """Of an answer that describes the key; its id is an address that ends with the version."""
        key = reply.body.get("key")
        key = key if isinstance(key, dict) else {}
        version = str(key.get("kid", "")).rpartition(f"/keys/{self._vault.name.key}/")[2]
        if not version.isalnum():
            raise self._vault.refused("what it answered describes no key. Check the address")
        if not str(key.get("kty", "")).startswith("RSA") or not {"wrapKey", "unwrapKey"} <= set(key.get("key_ops", ())):
            raise self._vault.refused("the key there is no RSA key that may wrap and unwrap. Name another one")
        return version

    def _id(self, version: str) -> str:
        return f"{self._prefix}{version}"

    def _version_in(self, root_key_id: str) -> str:
        version = root_key_id.removeprefix(self._prefix)
        return version if root_key_id.startswith(self._prefix) and version.isalnum() else ""

    @property
    def _prefix(self) -> str:
        return f"azure:{self._vault.name.key}/"
