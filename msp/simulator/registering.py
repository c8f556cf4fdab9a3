"""How a method comes to a user and leaves again, as plain state: its id and seed, its place, and what follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from . import inventory, kinds, rules, signin
from .state import SimMethod, SimTenant, SimUser


class NoRoom(Exception):
    """The user's five authenticator places are taken, or the only place of this kind is."""


def new_method(
    kind: kinds.Kind,
    label: str,
    details: dict[str, Any],
    *,
    now: dt.datetime,
    new_id: Callable[[], str],
    new_seed: Callable[[], str],
) -> SimMethod:
    """`details` are Graph's own field names, plus seed, interval (seconds) and digest for OATH kinds."""
    seed = details.pop("seed", "") or (new_seed() if kind.name.endswith("_oath") else "")
    interval, digest = int(details.pop("interval", 30)), str(details.pop("digest", "sha1"))
    if kind.name == "phone":
        details = {"phoneType": "mobile", "phoneNumber": "+1 5555550100"} | details
        method_id = kinds.PHONE_IDS[details["phoneType"]]
    else:
        method_id = kinds.PASSWORD_METHOD_ID if kind.name == "password" else new_id()
    if kind.name == "hardware_oath":
        details = {"serialNumber": method_id[:8].upper()} | details
    return SimMethod(method_id, kind.name, now, label, seed, interval, digest, details)


def demand_room(user: SimUser, kind: kinds.Kind, method: SimMethod) -> None:
    """Raises NoRoom when the user cannot have this method beside the present ones."""
    if method.id in user.methods or (kind.singleton and any(m.kind == kind.name for m in user.methods.values())):
        raise NoRoom(f"{user.upn} already has its one method of this kind ({kind.name}).")
    if kind.takes_a_slot and not inventory.has_room(user):
        raise NoRoom(f"{user.upn} already has {kinds.SLOTS} authenticators.")


def admit(user: SimUser, method: SimMethod) -> None:
    """The first method that can be the default becomes it; the first second factor turns enabled MFA into enforced."""
    user.methods[method.id] = method
    if not user.default and rules.preferences(method):
        user.default = rules.preferences(method)[0]
    if user.mfa_state == "enabled" and method.kind in signin.SECOND_FACTORS:
        user.mfa_state = "enforced"


def drop(tenant: SimTenant, user: SimUser, method: SimMethod) -> None:
    """A hardware token goes back to the inventory; another kind becomes the default when the last of its kind goes."""
    del user.methods[method.id]
    if method.id in tenant.tokens:
        inventory.release(tenant.tokens[method.id], method)
    if not any(user.default in rules.preferences(m) for m in user.methods.values()):
        left = [word for m in user.methods.values() for word in rules.preferences(m)]
        user.default = left[0] if left else ""
