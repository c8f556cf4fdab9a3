"""A tenant's inventory of hardware OATH tokens as plain state: who holds which, and whose codes count.

A token is available, then assigned to one user, then activated by a code of its own; a wrong code makes it
failedActivation, which a right one mends. Only an activated token is also a method of its user, under the same id.
Facts: Graph beta reference, hardwareOathAuthenticationMethod; entra-docs, how-to-mfa-upload-oath-tokens.
"""

from __future__ import annotations

import datetime as dt
import re

from . import kinds, totp
from .state import SimMethod, SimTenant, SimToken, SimUser

AVAILABLE, ASSIGNED, ACTIVATED, FAILED = "available", "assigned", "activated", "failedActivation"
KIND = "hardware_oath"
INTERVALS = (30, 60)
DIGESTS = {"hmacsha1": "sha1", "hmacsha256": "sha256"}
"""Graph's word for a hash function -> ours."""

_SEED = re.compile(r"[A-Z2-7]{1,128}")
_CODE = re.compile(r"[0-9]{6}")
_REMEMBERED = 5


def is_seed(text: object) -> bool:
    """Base32 that can be decoded, at most 128 characters.

    Assumption: no minimum, and neither padding nor lower case is taken.
    """
    return isinstance(text, str) and bool(_SEED.fullmatch(text)) and len(text) % 8 in (0, 2, 4, 5, 7)


def behind(user: SimUser, method: SimMethod) -> SimToken:
    """The activated token that a method stands for."""
    return SimToken(
        id=method.id,
        serial=str(method.details.get("serialNumber", "")),
        seed=method.seed,
        display_name=method.label,
        manufacturer=str(method.details.get("manufacturer", SimToken.manufacturer)),
        model=str(method.details.get("model", SimToken.model)),
        interval=method.interval,
        digest=method.digest,
        status=ACTIVATED,
        assigned_to=user.id,
        used_steps=list(method.used_steps),
    )


def as_method(token: SimToken, now: dt.datetime) -> SimMethod:
    """The method that an activated token is to its user."""
    return SimMethod(
        id=token.id,
        kind=KIND,
        created_at=now,
        label=token.display_name,
        seed=token.seed,
        interval=token.interval,
        digest=token.digest,
        details={"serialNumber": token.serial, "manufacturer": token.manufacturer, "model": token.model},
        used_steps=list(token.used_steps),
    )


def release(token: SimToken, method: SimMethod | None = None) -> None:
    """Back to the inventory. What the method used up stays used."""
    token.status, token.assigned_to = AVAILABLE, ""
    if method:
        token.used_steps = list(method.used_steps)


def step_of(token: SimToken, code: object, now: dt.datetime) -> int | None:
    """The time step whose code this is: the one of now, the one before or the one after; None when it does not count.

    That is one minute for 30 seconds and two for 60, as the portal says; each code serves once (see `use_up`).
    """
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    step = totp.matching_step(token.seed, code, now.timestamp(), interval=token.interval, digest=token.digest)
    return None if step in token.used_steps else step


def use_up(token: SimToken, step: int) -> None:
    token.used_steps = [*token.used_steps[1 - _REMEMBERED :], step]


def with_serial(tenant: SimTenant, serial: str) -> list[SimToken]:
    """Every token of this serial number. Assumption: in any case of letters."""
    return [token for token in tenant.tokens.values() if token.serial.lower() == serial.lower()]


def waiting_for(tenant: SimTenant, user: SimUser) -> list[SimToken]:
    """Tokens that are assigned to a user and not activated."""
    return [token for token in tenant.tokens.values() if token.assigned_to == user.id and token.status != ACTIVATED]


def has_room(user: SimUser) -> bool:
    """Whether one more authenticator fits. Assumption: a token takes its place with the activation, not before."""
    return sum(kinds.KINDS[method.kind].takes_a_slot for method in user.methods.values()) < kinds.SLOTS
