"""Delegated administration (GDAP): relationships, the groups they give roles to, and the partner's own sign-in.

The secure application model (reference pages auth-cloudsolutionprovider, secure-sample-application): a user of the
partner signs in with a second factor and an application keeps the refresh token, which is then redeemed at each
customer's token endpoint.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from .applications import NotThere
from .cloud import Cloud
from .grants import Grant
from .state import Consent, SimRelationship, SimTenant, SimUser

INACTIVE_AFTER = dt.timedelta(days=90)
EXPIRING = dt.timedelta(days=30)
"""So long before its end an active relationship says `expiring`. Assumption: the length."""


@dataclass
class RefreshToken:
    """What the partner's sign-in left behind. `used_at` moves with every use."""

    home_id: str
    user_id: str
    client_id: str
    issued_at: dt.datetime
    used_at: dt.datetime


def add_group(cloud: Cloud, tenant_id: str, user_ids: Iterable[str]) -> str:
    """A security group of these users; answers its id."""
    tenant, group_id = cloud.tenant(tenant_id), cloud.new_id()
    with tenant.lock:
        tenant.groups[group_id] = list(user_ids)
    cloud.changed()
    return group_id


def add_relationship(
    cloud: Cloud,
    partner_id: str,
    customer_id: str,
    *,
    roles: Iterable[str],
    group: str,
    status: str = "active",
    days: float = 365,
    auto_extends: bool = False,
) -> SimRelationship:
    """A relationship that gives a group of the partner these roles (template ids) in the customer's tenant."""
    partner, customer, now, held = cloud.tenant(partner_id), cloud.tenant(customer_id), cloud.now(), list(roles)
    if group not in partner.groups:
        raise NotThere(f"There is no group {group} in tenant {partner_id}.")
    made = SimRelationship(
        id=f"{cloud.new_id()}-{customer.id}",
        display_name=f"Administration of {customer.name}",
        customer_id=customer.id,
        customer_name=customer.name,
        status=status,
        ends_at=now + dt.timedelta(days=days),
        created_at=now,
        auto_extends=auto_extends,
        roles=held,
        grants=[{"id": cloud.new_id(), "group_id": group, "status": "active", "roles": held}],
    )
    with partner.lock:
        partner.relationships[made.id] = made
    cloud.changed()
    return made


def status_of(relationship: SimRelationship, now: dt.datetime) -> str:
    """What it says now: an active one is expiring near its end, and expired after it unless it extends itself."""
    if relationship.status != "active":
        return relationship.status
    if now >= relationship.ends_at:
        return "active" if relationship.auto_extends else "expired"
    return "expiring" if relationship.ends_at - now <= EXPIRING and not relationship.auto_extends else "active"


def roles_in(cloud: Cloud, home: SimTenant, user: SimUser, customer: SimTenant) -> tuple[str, ...]:
    """The directory roles that the user's groups hold in a customer's tenant; in the user's own, the user's roles."""
    if customer.id == home.id:
        return tuple(user.roles)
    now = cloud.now()
    return tuple(
        role
        for relationship in home.relationships.values()
        if relationship.customer_id == customer.id and status_of(relationship, now) in ("active", "expiring")
        for grant in relationship.grants
        if grant["status"] == "active" and user.id in home.groups.get(grant["group_id"], ())
        for role in grant["roles"]
    )


def consent_delegated(cloud: Cloud, client_id: str, tenant_id: str, scopes: Iterable[str]) -> None:
    """What Partner Center's application consents do: delegated permissions of an application in one tenant."""
    tenant, client_id = cloud.tenant(tenant_id), client_id.lower()
    with tenant.lock:
        tenant.scopes[client_id] = list(scopes)
        tenant.consents.setdefault(client_id, Consent(cloud.new_id(), (), ()))
    cloud.changed()


def partner_refresh_token(cloud: Cloud, home_id: str, upn: str, client_id: str) -> str:
    """What the browser sign-in of a partner's user with a second factor leaves with the application."""
    return refresh_token_of(cloud, cloud.tenant(home_id).id, cloud.user(home_id, upn), client_id)


def refresh_token_of(cloud: Cloud, home_id: str, user: SimUser, client_id: str) -> str:
    """A session of this user with an application, which goes on until it is ended."""
    now, token = cloud.now(), f"0.{secrets.token_urlsafe(60)}"
    cloud.refresh_tokens[token] = RefreshToken(home_id, user.id, client_id.lower(), now, now)
    return token


def redeem(cloud: Cloud, tenant: SimTenant, client_id: str, text: str) -> tuple[int, dict[str, object]]:
    """(AADSTS code or 0, the answer's body) for a refresh token at one tenant's token endpoint.

    Assumption: the order in which the reasons are looked at, and that the token used stays good beside the new one.
    """
    token = cloud.refresh_tokens.get(text)
    if token is None or token.client_id != client_id:
        return 70008, {}
    home = cloud.tenant(token.home_id)
    user, now = home.users.get(token.user_id), cloud.now()
    if user is None or not user.enabled:
        return 50057, {}
    if token.issued_at < max(user.sessions_valid_from, user.password_changed_at):
        return 50173, {}
    if now - token.used_at > INACTIVE_AFTER:
        return 700082, {}
    if user.at_risk:
        return 530034, {}
    scopes = tenant.scopes.get(client_id)
    if not scopes:
        return 65001, {}
    roles = roles_in(cloud, home, user, tenant)
    if not roles and tenant.id != home.id:
        return 90099, {}
    token.used_at = now
    new = f"0.{secrets.token_urlsafe(60)}"
    cloud.refresh_tokens[new] = RefreshToken(token.home_id, token.user_id, token.client_id, token.issued_at, now)
    life = cloud.knobs.of(tenant.id).token_life
    issued = cloud.keep_grant(
        Grant(
            tenant.id, client_id, frozenset(), time.time() + life, user_id=user.id, scopes=frozenset(scopes),
            user_tenant_id=home.id, directory_roles=roles,
        )
    )  # fmt: skip
    return 0, {
        "token_type": "Bearer",
        "scope": " ".join(sorted(scopes)),
        "expires_in": int(life),
        "access_token": issued,
        "refresh_token": new,
    }
