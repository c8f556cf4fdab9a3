"""Envelopes: one secret, encrypted, that opens only with its key and only in its own place. Cryptography only.

Layout: format version (1 byte), algorithm (1 byte), data key id (16 bytes), nonce (12 bytes), then the AES-256-GCM
ciphertext with its 16-byte tag. The associated data binds the first 18 bytes and the place, so an envelope that was
moved to another row, tenant or version does not open.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from msp.errors import KeyTrouble

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_ID_BYTES = 16

_START = bytes([1, 1])  # format version 1, algorithm 1: AES-256-GCM
KEY_ID_AT = len(_START)
_HEADER_BYTES = KEY_ID_AT + KEY_ID_BYTES


@dataclass(frozen=True)
class Place:
    """Where a secret lives: our ids as text (`tenant_id` is "" outside any tenant), its kind, and its version."""

    reseller_id: str
    tenant_id: str
    kind: str
    object_id: str
    version: int

    @property
    def what(self) -> str:
        """The kind, as a message says it."""
        return self.kind.replace("_", " ")


def seal(key: bytes, plaintext: bytes, place: Place, *, key_id: bytes) -> bytes:
    """Encrypt for one place. `key` has 32 bytes; `key_id` (16 bytes) is readable in the envelope and bound to it."""
    if len(key_id) != KEY_ID_BYTES:
        raise KeyTrouble(f"A data key id must have {KEY_ID_BYTES} bytes; nothing was sealed.")
    header = _START + key_id
    return header + lock(key, plaintext, _bound(header, place))


def open_(key: bytes, envelope: bytes, place: Place) -> bytes:
    """Decrypt. Raises KeyTrouble when key, place or a single bit is not the one it was sealed with."""
    key_id_of(envelope)
    header, locked = envelope[:_HEADER_BYTES], envelope[_HEADER_BYTES:]
    return unlock(key, locked, _bound(header, place), what=f"The sealed {place.what}")


def key_id_of(envelope: bytes) -> bytes:
    """The id of the data key that this envelope asks for. Raises KeyTrouble when it is no envelope of ours."""
    if len(envelope) < _HEADER_BYTES + NONCE_BYTES + TAG_BYTES or not envelope.startswith(_START):
        raise KeyTrouble("This is not an envelope that this version of Latchkey can open; nothing was shown.")
    return envelope[KEY_ID_AT:_HEADER_BYTES]


def lock(key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """Nonce and AES-256-GCM ciphertext of `plaintext`, bound to `bound`."""
    # A random 96-bit nonce is safe for about 2^32 messages under one key (NIST SP 800-38D, 8.3): far beyond one tenant.
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound)


def unlock(key: bytes, locked: bytes, bound: bytes, *, what: str) -> bytes:
    """The plaintext of what `lock` made. Raises KeyTrouble, naming `what`, when anything differs."""
    try:
        return AESGCM(key).decrypt(locked[:NONCE_BYTES], locked[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise KeyTrouble(
            f"{what} does not open: it was damaged, or belongs to another place or key. Nothing was changed or shown; "
            "restore the row from a backup that was made together with the root key."
        ) from None


def side_by_side(*parts: bytes) -> bytes:
    """Join parts, each behind its length, so that no two different lists give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _bound(header: bytes, place: Place) -> bytes:
    names = (place.reseller_id, place.tenant_id, place.kind, place.object_id, str(place.version))
    return side_by_side(b"latchkey envelope", header, *(name.encode() for name in names))
