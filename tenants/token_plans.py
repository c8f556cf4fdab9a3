"""How tokens of our own are named, and when a step of theirs is done. No database, no network, no clock."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from msp.microsoft.ports import SLOTS_PER_ACCOUNT

SECONDS, DIGITS = 30, 6
"""Of a code: what every authenticator app takes."""

MAKER = "Latchkey"
"""The manufacturer that every token of ours names at Microsoft: by it and by the serial a sweep knows them again."""

LONGEST_NAME = 60
"""Of a display name. Assumption: Microsoft names no limit; its portal shows about this much."""


def places_left(methods: int, under_way: int) -> int:
    """How many of the five places are left for somebody who wants to enrol now, never below zero.

    `methods` are the present methods that take a place, `under_way` the enrolments that will need one.
    """
    return max(0, SLOTS_PER_ACCOUNT - methods - under_way)


def short_code(identity: object, *, letters: int = 6) -> str:
    """A short opaque code of a tenant's or a person's id: the same one every time, and nothing to be read from it."""
    digest = hashlib.sha256(str(identity).encode()).digest()
    return base64.b32encode(digest).decode()[:letters]


def new_serial(*, tenant_id: Any, holder_id: Any, nonce: bytes) -> str:
    """`LK-<tenant>-<person>-<once>`. `nonce` is 5 random bytes: a person may enrol many times in one tenant."""
    return f"LK-{short_code(tenant_id)}-{short_code(holder_id)}-{base64.b32encode(nonce).decode()[:8]}"


def is_ours(serial: str, manufacturer: str = MAKER) -> bool:
    return manufacturer == MAKER and serial.startswith("LK-") and serial.count("-") == 3


def display_name(person: str, reseller: str) -> str:
    """What an administrator reads in the Entra admin center."""
    return f"{person} ({reseller})"[:LONGEST_NAME]
