"""What an administrator changes at Microsoft's own pages, past every application: settings of tenants and users.

The rest of what happens past Graph (methods, passwords, consent) is in `cloud.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any, TypeGuard

from . import delegation, inventory, rules
from .cloud import Cloud
from .roles import ROLE_NAMES
from .state import SimPolicies, SimRelationship, SimTenant, SimUser

CLOUDS = ("global", "us_gov_l4", "us_gov_l5", "china")
CONDITIONS = ("", "suspended", "decommissioned")
MFA_STATES = ("disabled", "enabled", "enforced")
RELATIONSHIP_STATUSES = ("active", "approvalPending", "expiring", "expired", "terminated")

_TEMPLATES = {name.lower(): template for template, name in ROLE_NAMES.items()}
_TEMPLATE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_TYPES: dict[str, tuple[Callable[[object], bool], str]] = {
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "list[str]": (_is_words, "a list of texts"),
    "dict[str, str]": (lambda v: isinstance(v, dict) and all(isinstance(one, str) for one in v.values()), "words"),
    "list[dict[str, Any]]": (
        lambda v: isinstance(v, list) and all(isinstance(one, dict) for one in v),
        "a list of objects",
    ),
}
"""Type of a field -> (whether a value fits, what to say when not)."""


def _settings(kind: type, *left_out: str) -> dict[str, str]:
    """The fields of a record that can be set here, with their types; a new field of such a type needs no change."""
    return {f.name: str(f.type) for f in fields(kind) if str(f.type) in _TYPES and f.name not in left_out}


TENANT_SETTINGS = _settings(SimTenant, "id", "domain", "contracts")
USER_SETTINGS = _settings(SimUser, "id", "password", "wrong_passwords")
POLICY_SETTINGS = _settings(SimPolicies)


def role_ids(roles: Iterable[str]) -> list[str]:
    """Template ids of directory roles that are given by name or by id."""
    found = [_TEMPLATES.get(role.lower(), role.lower()) for role in roles]
    for role in found:
        if not _TEMPLATE.fullmatch(role):
            raise ValueError(f"{role!r} is no directory role; there are {', '.join(sorted(ROLE_NAMES.values()))}.")
    return found


def set_tenant(cloud: Cloud, tenant_key: str, changes: dict[str, Any]) -> SimTenant:
    """Change settings of a tenant: all of TENANT_SETTINGS and `policies`, in which what is not named stays.

    Raises ValueError, and then changes nothing.
    """
    tenant, changes = cloud.tenant(tenant_key), dict(changes)
    policies = changes.pop("policies", {})
    _check("tenant", TENANT_SETTINGS, changes, further=("policies",))
    _one_of("cloud", CLOUDS, changes)
    _one_of("condition", CONDITIONS, changes)
    with tenant.lock:
        tenant.policies = _policies(tenant.policies, policies)
        for name, value in changes.items():
            setattr(tenant, name, value)
    cloud.changed()
    return tenant


def _policies(before: SimPolicies, changes: dict[str, Any]) -> SimPolicies:
    if not isinstance(changes, dict):
        raise ValueError("policies is an object.")
    _check("policies", POLICY_SETTINGS, changes)
    states = changes.get("methods", {})
    wrong = sorted(name for name, state in states.items() if state not in ("enabled", "disabled"))
    if wrong:
        raise ValueError(f"The state of {', '.join(wrong)} is enabled or disabled.")
    merged = {name.lower(): (name, state) for name, state in (before.methods | states).items()}
    return replace(before, **changes | {"methods": dict(merged.values())})


def set_user(cloud: Cloud, tenant_key: str, key: str, changes: dict[str, Any]) -> SimUser:
    """Change settings of a user, found by name or id: all of USER_SETTINGS, of which `upn` renames.

    Readings lag behind as the knob says. Raises ValueError, and then changes nothing.
    """
    tenant, user, changes = cloud.tenant(tenant_key), cloud.user(tenant_key, key), dict(changes)
    _check("user", USER_SETTINGS, changes)
    _one_of("mfa_state", MFA_STATES, changes)
    if "roles" in changes:
        changes["roles"] = role_ids(changes["roles"])
    enabled, upn = changes.pop("enabled", user.enabled), changes.pop("upn", user.upn)
    with tenant.lock:
        _check_default(user, changes.get("default", ""))
        if tenant.user(upn) not in (None, user):
            raise ValueError(f"There is already a user {upn}.")
        if enabled != user.enabled:
            cloud.block_or_unblock(tenant, user, enabled, by="person")
        if not changes and upn == user.upn:
            return user
        with cloud.changing(tenant, user):
            _forget_name(tenant, user)
            user.upn = upn
            tenant.place(user)
            for name, value in changes.items():
                setattr(user, name, value)
            cloud.note("user_changed", tenant, user, by="person")
    return user


def _check_default(user: SimUser, word: str) -> None:
    served = sorted({one for method in user.methods.values() for one in rules.preferences(method)})
    if word and word not in served:
        raise ValueError(f"{user.upn} has no method for the default {word!r}; it has {', '.join(served) or 'none'}.")


def remove_user(cloud: Cloud, tenant_key: str, upn: str) -> None:
    """Delete a user with everything of theirs. Another one made under the same name has another id."""
    tenant, user = cloud.tenant(tenant_key), cloud.user(tenant_key, upn)
    with tenant.lock:
        for token in tenant.tokens.values():
            if token.assigned_to == user.id:
                inventory.release(token, user.methods.get(token.id))
        _forget_name(tenant, user)
        del tenant.users[user.id]
        tenant.sessions = {key: one for key, one in tenant.sessions.items() if one.user_id != user.id}
        cloud.note("user_removed", tenant, user, by="person")
    cloud.changed()


def enable_app(cloud: Cloud, client_id: str, tenant_key: str, enabled: bool) -> list[str]:
    """Let an application's service principal sign in, or not, in one tenant or ("") in all that consented.

    Answers the ids of the tenants; raises ValueError when there is none.
    """
    found = []
    for tenant in [cloud.tenant(tenant_key)] if tenant_key else list(cloud.tenants.values()):
        with tenant.lock:
            consent = tenant.consents.get(client_id.lower())
            if consent:
                consent.enabled = enabled
                found.append(tenant.id)
    if not found:
        raise ValueError(f"No such tenant has consented to the application {client_id}.")
    cloud.changed()
    return found


def add_group(cloud: Cloud, tenant_key: str, members: Iterable[str]) -> str:
    """A security group of these users (by name or id); answers its id."""
    return delegation.add_group(cloud, tenant_key, [cloud.user(tenant_key, one).id for one in members])


def add_relationship(
    cloud: Cloud,
    partner_key: str,
    customer_key: str,
    *,
    roles: Iterable[str],
    group: str = "",
    members: Iterable[str] = (),
    status: str = "active",
    days: float = 365,
    auto_extends: bool = False,
) -> SimRelationship:
    """A delegated admin relationship that gives roles in the customer's tenant to a group of the partner's.

    The group is one that exists, or a new one of `members`. `days` from now it ends.
    """
    partner, held = cloud.tenant(partner_key), role_ids(roles)
    cloud.tenant(customer_key)
    _one_of("status", RELATIONSHIP_STATUSES, {"status": status})
    if group and group not in partner.groups:
        raise ValueError(f"{partner.name} has no group {group}.")
    return delegation.add_relationship(
        cloud,
        partner_key,
        customer_key,
        roles=held,
        group=group or add_group(cloud, partner_key, members),
        status=status,
        days=days,
        auto_extends=auto_extends,
    )


def set_logs(cloud: Cloud, delay: object = None, noise: object = None) -> None:
    """How events reach the logs: late by a time between two numbers of seconds; some twice, by that chance (0 to 1)."""
    if delay is not None:
        if not isinstance(delay, list) or len(delay) != 2 or not all(_is_amount(one) for one in delay):
            raise ValueError("delay is a list of two numbers of seconds, the shortest and the longest.")
        if delay[0] > delay[1]:
            raise ValueError(f"The shortest delay, {delay[0]}, is longer than the longest, {delay[1]}.")
    if noise is not None and not (_is_amount(noise) and noise <= 1):
        raise ValueError("noise is a number from 0 to 1.")
    if delay is not None:
        cloud.log_delay = (float(delay[0]), float(delay[1]))
    if noise is not None:
        cloud.log_noise = float(noise)
    cloud.changed()


def _is_amount(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _forget_name(tenant: SimTenant, user: SimUser) -> None:
    tenant.ids_by_name.pop(user.upn.lower(), None)


def _check(what: str, known: dict[str, str], changes: dict[str, Any], further: tuple[str, ...] = ()) -> None:
    unknown = sorted(changes.keys() - known.keys())
    if unknown:
        names = ", ".join(sorted([*known, *further]))
        raise ValueError(f"A {what} has no setting {', '.join(unknown)}; there are {names}.")
    for name, value in changes.items():
        fits, words = _TYPES[known[name]]
        if not fits(value):
            raise ValueError(f"{name} of a {what} is {words}.")


def _one_of(name: str, known: tuple[str, ...], changes: dict[str, Any]) -> None:
    if name in changes and changes[name] not in known:
        words = ", ".join(repr(word) for word in known)
        raise ValueError(f"{name} is one of {words}, not {changes[name]!r}.")
