"""A file for a person, encrypted under a passphrase: it opens anywhere, without this installation and its keys.

One JSON object (docs/exporting.md): `format`, `version`, `kdf` (scrypt, RFC 7914, with its cost), `nonce` and
`ciphertext` (AES-256-GCM). Everything but the ciphertext is bound to it as associated data, in canonical JSON
(RFC 8785), so no parameter can be changed.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.vault.envelope import KEY_BYTES, NONCE_BYTES, TAG_BYTES

FORMAT = "latchkey-sealed-file"
VERSION = 1
COST = {"name": "scrypt", "n": 2**17, "r": 8, "p": 1}
"""128 MB and some tenths of a second for each try (OWASP's first choice for scrypt)."""
MOST = {"n": 2**20, "r": 16, "p": 4}
"""What a file may ask of whoever opens it: 2 GB at the most."""
SALT_BYTES = 16
SHORTEST = 16
DIFFERENT = 8


def seal_file(content: bytes, passphrase: str) -> bytes:
    """Raises BadInput for a passphrase that could be guessed."""
    if weakness := why_weak(passphrase):
        raise BadInput(weakness)
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    head: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "kdf": {**COST, "salt": _text(salt)},
        "nonce": _text(nonce),
    }
    ciphertext = AESGCM(_key(passphrase, salt, COST)).encrypt(nonce, content, rfc8785.dumps(head))
    return json.dumps({**head, "ciphertext": _text(ciphertext)}).encode() + b"\n"


def open_file(data: bytes, passphrase: str) -> bytes:
    """Raises BadInput, in a sentence: no such file, another version, damaged, or another passphrase."""
    if not is_sealed_file(data):
        raise BadInput(_("This is no encrypted file of Latchkey. Nothing was read."))
    try:
        whole: dict[str, Any] = json.loads(data)
        ciphertext = base64.b64decode(whole.pop("ciphertext"), validate=True)
        cost, nonce = whole["kdf"], base64.b64decode(whole["nonce"], validate=True)
        salt = base64.b64decode(cost["salt"], validate=True)
        bound = rfc8785.dumps(whole)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        binascii.Error,
        rfc8785.CanonicalizationError,
    ):
        raise _damaged() from None
    if whole.get("version") != VERSION or cost.get("name") != COST["name"]:
        raise BadInput(_("Another version of Latchkey wrote this file; this one cannot open it. Nothing was read."))
    if not all(isinstance(cost.get(name), int) and 1 <= cost[name] <= most for name, most in MOST.items()):
        raise _damaged()
    if len(nonce) != NONCE_BYTES or len(salt) != SALT_BYTES or len(ciphertext) < TAG_BYTES:
        raise _damaged()
    try:
        return AESGCM(_key(passphrase, salt, cost)).decrypt(nonce, ciphertext, bound)
    except InvalidTag:
        raise BadInput(
            _("The file does not open: the passphrase is another one, or the file was damaged. Nothing was read.")
        ) from None
    except ValueError:
        raise _damaged() from None


def is_sealed_file(data: bytes) -> bool:
    """By its first bytes; whether it opens is another question."""
    return data.lstrip()[:80].replace(b" ", b"").startswith(b'{"format":"' + FORMAT.encode() + b'"')


def why_weak(passphrase: str) -> str:
    """What speaks against a passphrase, "" if nothing. The file may lie about for years, so guessing must not pay."""
    if len(passphrase) < SHORTEST:
        return _("The passphrase has fewer than %(least)d characters; nothing was written.") % {"least": SHORTEST}
    if len(set(passphrase)) < DIFFERENT:
        return _("The passphrase has fewer than %(least)d different characters; nothing was written.") % {
            "least": DIFFERENT
        }
    return ""


def _key(passphrase: str, salt: bytes, cost: dict[str, Any]) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost["n"], r=cost["r"], p=cost["p"]).derive(passphrase.encode())


def _damaged() -> BadInput:
    return BadInput(_("This encrypted file was damaged. Nothing was read; take another copy of it."))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
