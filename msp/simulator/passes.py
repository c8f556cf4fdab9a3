"""Temporary Access Passes: when one can be used, and the sign-in with one.

Facts: Graph reference, temporaryAccessPassAuthenticationMethod.
"""

from __future__ import annotations

import datetime as dt
import hmac
import random
from dataclasses import replace

from .state import SimMethod, SimTenant, SimUser, stamp

KIND = "temporary_access_pass"
CONFIGURATION = "TemporaryAccessPass"
SHORTEST, LONGEST, USUAL = 10, 43_200, 60
"""Minutes. Assumption: the usual life is the policy's default of one hour."""

USABLE = "EnabledByPolicy"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789+*#&"
_LENGTH = 8


def allowed_in(tenant: SimTenant) -> bool:
    """Whether the tenant's policy lets passes be made and used: off unless it was turned on."""
    states = {name.lower(): state for name, state in tenant.policies.methods.items()}
    return states.get(CONFIGURATION.lower()) == "enabled"


def new_text(chance: random.Random) -> str:
    """What the person types. Not secret: it comes from the cloud's seed."""
    return "".join(chance.choices(_LETTERS, k=_LENGTH))


def made(
    method_id: str, text: str, now: dt.datetime, *, start: dt.datetime | None, minutes: int, once: bool
) -> SimMethod:
    """A new pass; without a start it counts from now on."""
    details = {
        "temporaryAccessPass": text,
        "startDateTime": stamp(start or now),
        "lifetimeInMinutes": minutes,
        "isUsableOnce": once,
    }
    return SimMethod(method_id, KIND, now, details=details)


def starts_at(method: SimMethod) -> dt.datetime:
    text = method.details.get("startDateTime")
    return dt.datetime.fromisoformat(str(text)) if text else method.created_at


def minutes_of(method: SimMethod) -> int:
    return int(method.details.get("lifetimeInMinutes", USUAL))


def serves_once(method: SimMethod) -> bool:
    return bool(method.details.get("isUsableOnce", False))


def usability(method: SimMethod, now: dt.datetime, *, allowed: bool) -> str:
    """methodUsabilityReason. Assumption: which reason is named when several hold."""
    if not allowed:
        return "DisabledByPolicy"
    if serves_once(method) and method.details.get("wasUsed"):
        return "OneTimeUsed"
    start = starts_at(method)
    if now < start:
        return "NotYetValid"
    return "Expired" if now >= start + dt.timedelta(minutes=minutes_of(method)) else USABLE


def judge(tenant: SimTenant, user: SimUser | None, text: str, now: dt.datetime) -> str:
    """The answer of the sign-in page to a pass, which is password and second factor in one.

    "signed_in", "wrong_code" for a pass that is wrong or cannot be used now, "disabled" or "no_such_user". The
    tenant's lock must be held. Assumption: wrong passes do not count towards smart lockout.
    """
    if user is None:
        return "no_such_user"
    for method in user.methods.values():
        known = method.details.get("temporaryAccessPass") if method.kind == KIND else None
        if not known or not hmac.compare_digest(known.encode(), text.encode()):
            continue
        if usability(method, now, allowed=allowed_in(tenant)) != USABLE:
            return "wrong_code"
        if not user.enabled:
            return "disabled"
        user.methods[method.id] = replace(method, details=method.details | {"wasUsed": True})
        return "signed_in"
    return "wrong_code"
