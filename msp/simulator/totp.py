"""Time-based one-time codes (RFC 6238 over RFC 4226). Pure; times are seconds since 1970."""

from __future__ import annotations

import base64
import hashlib
import hmac

_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}


def step_of(at: float, interval: int = 30) -> int:
    """The number of the time step that holds this moment."""
    return int(at // interval)


def code_of_step(seed: str, step: int, *, digits: int = 6, digest: str = "sha1") -> str:
    """The code of one step. `seed` is Base32; missing padding, blanks and lower case are forgiven."""
    plain = seed.replace(" ", "").upper()
    key = base64.b32decode(plain + "=" * (-len(plain) % 8))
    mac = hmac.digest(key, step.to_bytes(8, "big"), _HASHES[digest])
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def code(seed: str, at: float, *, interval: int = 30, digits: int = 6, digest: str = "sha1") -> str:
    """The code a phone shows at this moment."""
    return code_of_step(seed, step_of(at, interval), digits=digits, digest=digest)


def matching_step(seed: str, given: str, at: float, *, interval: int = 30, digest: str = "sha1") -> int | None:
    """The step (now, one before or one after) whose code this is, or None."""
    now = step_of(at, interval)
    for step in (now, now - 1, now + 1):
        if step >= 0 and hmac.compare_digest(code_of_step(seed, step, digest=digest).encode(), given.encode()):
            return step
    return None
