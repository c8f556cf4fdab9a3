"""Files that an authenticator app imports, always encrypted with a password that the person chooses. Pure: no Django.

Such a file holds many seeds outside the vault, so it is made only where a policy allows it, and is never written to a
disk of ours. Footing of the facts: read in the project's source or documentation unless an assumption is named.
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from msp.access.migration import MigrationAccount
from msp.access.otpauth import address_of

SHORTEST_PASSWORD = 12
"""Characters. 2FAS stretches a password only 10,000 times, so a short one would fall to whoever finds the file."""
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
AEGIS_SALT_BYTES, AEGIS_N, AEGIS_R, AEGIS_P = 32, 2**15, 8, 1
AEGIS_PASSWORD_SLOT = 1
TWO_FAS_SALT_BYTES, TWO_FAS_ROUNDS, TWO_FAS_SCHEMA = 256, 10_000, 4
TWO_FAS_REFERENCE = (
    "tRViSsLKzd86Hprh4ceC2OP7xazn4rrt4xhfEUbOjxLX8Rc3mkISXE0lWbmnWfggogbBJhtYgpK6fMl1D6mtsy92R3HkdGfwuXbzLebqVFJs"
    "R7IZ2w58t938iymwG4824igYy1wi6n2WDpO1Q1P69zwJGs2F5a1qP4MyIiDSD7NCV2OvidXQCBnDlGfmz0f1BQySRkkt4ryiJeCjD2o4Qsve"
    "J9uDBUn8ELyOrESv5R5DMDkD4iAF8TXU7KyoJujd"
)
"""A public constant of the format: the app opens it to tell whether the password is right."""


class PasswordTooShort(ValueError):
    """The password of such a file has at least 12 characters."""


def aegis_file(accounts: Sequence[MigrationAccount], *, password: str) -> bytes:
    """An encrypted vault of Aegis (version 1, content version 3). Raises PasswordTooShort.

    A random master key seals the content; a slot holds that key, sealed by scrypt of the password. AES-256-GCM with
    the tags apart from what they seal, in hexadecimal (docs/vault.md of Aegis). Assumption: the password's bytes are
    its UTF-8.
    """
    _check(password)
    master, salt = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(AEGIS_SALT_BYTES)
    wrapping = Scrypt(salt=salt, length=KEY_BYTES, n=AEGIS_N, r=AEGIS_R, p=AEGIS_P).derive(password.encode())
    sealed_key, key_params = _apart(wrapping, master)
    content = {"version": 3, "entries": [_aegis_entry(account) for account in accounts], "groups": []}
    sealed, params = _apart(master, _json(content))
    slot = {
        "type": AEGIS_PASSWORD_SLOT,
        "uuid": str(uuid.uuid4()),
        "key": sealed_key.hex(),
        "key_params": key_params,
        "n": AEGIS_N,
        "r": AEGIS_R,
        "p": AEGIS_P,
        "salt": salt.hex(),
        "repaired": True,
        "is_backup": False,
    }
    return _json({"version": 1, "header": {"slots": [slot], "params": params}, "db": _base64(sealed)})


def two_fas_file(accounts: Sequence[MigrationAccount], *, password: str, now: datetime) -> bytes:
    """An encrypted backup of 2FAS (`.2fas`, schema 4). Raises PasswordTooShort.

    `services` stands empty; `servicesEncrypted` and `reference` are base64 of sealed text with its tag, salt and
    nonce, parted by colons; the key is PBKDF2-HMAC-SHA256 of the password. Read in the app's source, as are the names
    of the fields. Assumptions: the app takes a file that names no version of an app, and services without an icon.
    """
    _check(password)
    salt = secrets.token_bytes(TWO_FAS_SALT_BYTES)
    kdf = PBKDF2HMAC(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, iterations=TWO_FAS_ROUNDS)
    key = AESGCM(kdf.derive(password.encode()))
    millis = int(now.timestamp() * 1000)
    services = [_two_fas_service(account, position, millis) for position, account in enumerate(accounts)]
    file = {
        "services": [],
        "groups": [],
        "updatedAt": millis,
        "schemaVersion": TWO_FAS_SCHEMA,
        "servicesEncrypted": _joined(key, _json(services), salt),
        "reference": _joined(key, TWO_FAS_REFERENCE.encode(), salt),
    }
    return _json(file)


def _check(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordTooShort(f"The password of an app's file needs at least {SHORTEST_PASSWORD} characters.")


def _aegis_entry(account: MigrationAccount) -> dict[str, Any]:
    return {
        "type": "totp",
        "uuid": str(uuid.uuid4()),
        "name": account.name,
        "issuer": account.issuer,
        "note": "",
        "favorite": False,
        "icon": None,
        "info": {"secret": _base32(account.key), "algo": "SHA1", "digits": 6, "period": 30},
        "groups": [],
    }


def _two_fas_service(account: MigrationAccount, position: int, millis: int) -> dict[str, Any]:
    """Every key that the app's own file has, also those without a value: its reader has no default for some."""
    otp = {
        "link": address_of(key=account.key, issuer=account.issuer, account=account.name),
        "label": f"{account.issuer}:{account.name}",
        "account": account.name,
        "issuer": account.issuer,
        "digits": 6,
        "period": 30,
        "algorithm": "SHA1",
        "counter": None,
        "tokenType": "TOTP",
        "source": "Link",
    }
    return {
        "name": account.issuer,
        "secret": _base32(account.key),
        "updatedAt": millis,
        "serviceTypeID": None,
        "otp": otp,
        "order": {"position": position},
        "badge": None,
        "icon": None,
        "groupId": None,
    }


def _apart(key: bytes, plain: bytes) -> tuple[bytes, dict[str, str]]:
    """Sealed without its tag, and nonce and tag as Aegis writes them."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plain, None)
    return sealed[:-TAG_BYTES], {"nonce": nonce.hex(), "tag": sealed[-TAG_BYTES:].hex()}


def _joined(key: AESGCM, plain: bytes, salt: bytes) -> str:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return ":".join(_base64(part) for part in (key.encrypt(nonce, plain, None), salt, nonce))


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _base32(key: bytes) -> str:
    return base64.b32encode(key).decode().rstrip("=")
