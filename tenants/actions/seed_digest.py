"""The keyed fingerprint of a seed: it tells two seeds apart, and without the reseller's key it tells nothing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING
from uuid import UUID

from msp.vault.kept import Kept
from tenants.models import Reseller

if TYPE_CHECKING:
    from msp.outside import Outside

HMAC_BLOCK = 64
"""Bytes. RFC 2104 fills a shorter key with zeros, so a seed with zeros at its end makes the same codes as without."""


def seed_digest(seed: bytes, key: str) -> bytes:
    """HMAC-SHA-256 of the seed, 32 bytes: equal for two seeds that make the same codes."""
    told_apart = seed if len(seed) > HMAC_BLOCK else seed.rstrip(b"\0")
    return hmac.new(bytes.fromhex(key), told_apart, hashlib.sha256).digest()


def digest_key(reseller_id: UUID, outside: Outside) -> str:
    """The reseller's key, made at the first need. Two first needs at once wait for each other. Raises KeyTrouble."""
    kept = _kept(reseller_id, outside)
    if not (key := kept.read()):
        Reseller.objects.select_for_update(no_key=True).get(pk=reseller_id)
        if not (key := kept.read()):
            key = secrets.token_hex(32)
            kept.store(key, reseller_id=reseller_id)
    return key


def digest_key_if_any(reseller_id: UUID, outside: Outside) -> str:
    """The reseller's key, or "" while no seed was ever seen. Raises KeyTrouble."""
    return _kept(reseller_id, outside).read()


def _kept(reseller_id: UUID, outside: Outside) -> Kept:
    return Kept(outside.vault, f"seed_fingerprints.{reseller_id.hex}")
