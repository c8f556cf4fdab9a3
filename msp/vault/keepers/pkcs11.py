"""The root key in a PKCS#11 token (HSM, SoftHSM): an AES key that works there and never leaves."""

from __future__ import annotations

import secrets
from typing import Any

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass

from msp.errors import KeyTrouble
from msp.key_services.pkcs11_token import Pkcs11Token
from msp.vault.envelope import KEY_BYTES, NONCE_BYTES, TAG_BYTES

_VERSION = bytes([1])
_COUNTER_BYTES = 4
DOES_NOT_OPEN = (
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
    pkcs11.FunctionFailed,
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.SignatureInvalid,
)
"""What libraries say to a wrong tag; PKCS#11 has no single word for it. SoftHSM 2.6: GeneralError, see `_opened`."""


class Pkcs11Keeper:
    """Root keys are AES-256 keys under one label; CKA_ID counts them: `pkcs11:<label>:3`.

    Two processes that make the next key at once make two with one number. Both then stay: one of them wraps, and
    unwrapping tries each.
    """

    def __init__(self, token: Pkcs11Token) -> None:
        self._token = token

    def describe(self) -> str:
        return self._token.describe()

    def is_there(self) -> bool:
        return bool(self._token.use(self._numbers))

    def make_unless_there(self) -> None:
        if not self.is_there():
            self._token.use(lambda session: self._made(session, 1))

    def current(self) -> str:
        return self._id(self._token.use(self._latest))

    def wrap(self, data_key: bytes, bound: bytes) -> tuple[bytes, str]:
        def act(session: pkcs11.Session) -> tuple[bytes, str]:
            number = self._latest(session)
            nonce = secrets.token_bytes(NONCE_BYTES)
            key = self._keys(session, number)[0]
            locked = key.encrypt(data_key, **_gcm(nonce, bound))
            return _VERSION + nonce + locked, self._id(number)

        return self._token.use(act)

    def unwrap(self, wrapped: bytes, wrapped_by: str, bound: bytes, *, what: str) -> bytes:
        number = self._number_in(wrapped_by)
        if number is None:
            raise KeyTrouble(
                f"{what} was wrapped by {wrapped_by}, and LATCHKEY_KEYS names {self.describe()}; nothing was changed. "
                "Name the keeper that has that root key."
            )
        if not wrapped.startswith(_VERSION):
            raise KeyTrouble(f"{what} has a format that this version of Latchkey cannot read.")
        nonce, locked = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]

        def act(session: pkcs11.Session) -> bytes | None:
            keys = self._keys(session, number)
            if not keys:
                raise self._token.refused(
                    f"it has no key number {number}, which {what} needs. Restore the token from its backup"
                )
            return next((opened for key in keys if (opened := _opened(key, nonce, locked, bound))), None)

        right_length = len(locked) == KEY_BYTES + TAG_BYTES
        data_key = self._token.use(act) if right_length else None
        if data_key is None:
            raise KeyTrouble(
                f"{what} does not open with {self.describe()}: it was damaged, or belongs to another place or key. "
                "Nothing was changed or shown; restore the row from a backup."
            )
        return data_key

    def make_next(self) -> str:
        return self._id(self._token.use(lambda session: self._made(session, self._latest(session) + 1)))

    def retire(self, root_key_id: str) -> None:
        """Destroys it: a backup of the database from before needs the token's backup from before."""
        number = self._number_in(root_key_id)
        if number is None:
            return

        def act(session: pkcs11.Session) -> None:
            if number == self._latest(session):
                raise KeyTrouble(f"{root_key_id} is the root key in use ({self.describe()}); it stays.")
            for key in self._keys(session, number):
                key.destroy()

        self._token.use(act)

    def _made(self, session: pkcs11.Session, number: int) -> int:
        session.generate_key(
            KeyType.AES,
            8 * KEY_BYTES,
            id=number.to_bytes(_COUNTER_BYTES, "big"),
            label=self._token.name.object,
            store=True,
            capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
            template={Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        )
        return number

    def _latest(self, session: pkcs11.Session) -> int:
        numbers = self._numbers(session)
        if not numbers:
            raise self._token.refused(
                "it has no such key, but secrets in this database were sealed with it. Attach the right token, or "
                "restore it from its backup: no other key can open them"
            )
        return max(numbers)

    def _numbers(self, session: pkcs11.Session) -> list[int]:
        keys = self._token.labelled(session, ObjectClass.SECRET_KEY, KeyType.AES)
        if any(key[Attribute.EXTRACTABLE] for key in keys):
            raise self._token.refused("the key there may leave the token. Name one that was made inside and stays")
        return [_number(key) for key in keys]

    def _keys(self, session: pkcs11.Session, number: int) -> list[Any]:
        keys = self._token.labelled(session, ObjectClass.SECRET_KEY, KeyType.AES)
        return [key for key in keys if _number(key) == number]

    def _id(self, number: int) -> str:
        return f"{self._prefix}{number}"

    def _number_in(self, root_key_id: str) -> int | None:
        number = root_key_id.removeprefix(self._prefix)
        return int(number) if root_key_id.startswith(self._prefix) and number.isdecimal() else None

    @property
    def _prefix(self) -> str:
        return f"pkcs11:{self._token.name.object}:"


def _number(key: Any) -> int:
    return int.from_bytes(key[Attribute.ID], "big")


def _opened(key: Any, nonce: bytes, locked: bytes, bound: bytes) -> bytes | None:
    """None when it does not open with this key and in this place."""
    try:
        return _decrypted(key, nonce, locked, bound)
    except DOES_NOT_OPEN:
        return None
    except pkcs11.GeneralError:
        # A broken token says this, too. If the key still opens what it locks, then it was the wrapped key.
        another = secrets.token_bytes(NONCE_BYTES)
        _decrypted(key, another, key.encrypt(bytes(KEY_BYTES), **_gcm(another, bound)), bound)
        return None


def _decrypted(key: Any, nonce: bytes, locked: bytes, bound: bytes) -> bytes:
    return bytes(key.decrypt(locked, **_gcm(nonce, bound)))


def _gcm(nonce: bytes, bound: bytes) -> dict[str, Any]:
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(nonce, bound)}
