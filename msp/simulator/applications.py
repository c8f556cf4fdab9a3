"""Applications at this cloud: their credentials, what tenants grant them, and the tokens that they hold."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable

from .dice import Dice
from .grants import Grant, Grants, thumbprints
from .knobs import KnobBoard
from .state import (
    DEFAULT_PERMISSIONS,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    AppRegistration,
    Consent,
    SimTenant,
    SimUser,
)


class NotThere(Exception):
    """No such tenant, user, method or application in this cloud."""


class Applications(Dice, ABC):
    """The part of the cloud that is about applications."""

    apps: dict[str, AppRegistration]
    tenants: dict[str, SimTenant]
    knobs: KnobBoard
    _grants: Grants
    _everywhere: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    _lock: threading.RLock

    @abstractmethod
    def tenant(self, key: str) -> SimTenant:
        """By id or domain. Raises NotThere."""

    @abstractmethod
    def changed(self) -> None:
        """Note that a snapshot would differ now."""

    def register_app(
        self,
        client_id: str = "",
        *,
        certificate_pem: str = "",
        secret: str = "",
        secret_expired: bool = False,
        public_client: bool = False,
        wanted: Iterable[str] = DEFAULT_PERMISSIONS,
    ) -> str:
        """Register an application, or replace its registration; answers its client id.

        `wanted` are the permissions that its consent page asks for.
        """
        client_id = (client_id or self.new_id()).lower()
        sha256, sha1 = thumbprints(certificate_pem) if certificate_pem else ("", "")
        with self._lock:
            self.apps[client_id] = AppRegistration(
                client_id, certificate_pem, sha256, sha1, secret, secret_expired, public_client, tuple(wanted)
            )
        self.changed()
        return client_id

    def consent(
        self,
        client_id: str,
        tenant_id: str = "",
        *,
        permissions: Iterable[str] = DEFAULT_PERMISSIONS,
        roles: Iterable[str] = (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,),
    ) -> None:
        """An administrator's consent in one tenant, or ("") in all present and later ones. It replaces the former."""
        client_id, permissions, roles = client_id.lower(), tuple(permissions), tuple(roles)
        with self._lock:
            if not tenant_id:
                self.remember_consent(client_id, permissions, roles)
            for tenant in [self.tenant(tenant_id)] if tenant_id else list(self.tenants.values()):
                self._consent_in(tenant, client_id, permissions, roles)
        self.changed()

    def remember_consent(self, client_id: str, permissions: tuple[str, ...], roles: tuple[str, ...]) -> None:
        """Consent in every tenant that will be added."""
        self._everywhere[client_id] = (permissions, roles)

    def consented_everywhere(self) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        return [(client_id, *granted) for client_id, granted in self._everywhere.items()]

    def _consent_in(
        self, tenant: SimTenant, client_id: str, permissions: tuple[str, ...], roles: tuple[str, ...]
    ) -> None:
        with tenant.lock:
            before = tenant.consents.get(client_id)
            principal = before.service_principal_id if before else self.new_id()
            tenant.consents[client_id] = Consent(principal, permissions, roles)

    def withdraw_consent(self, client_id: str, tenant_id: str) -> None:
        """Take the application out of one tenant; tokens already issued stop at once."""
        tenant = self.tenant(tenant_id)
        with tenant.lock:
            tenant.consents.pop(client_id.lower(), None)
        self.changed()

    def issue_token(self, tenant: SimTenant, client_id: str) -> tuple[str, int]:
        """(opaque access token, seconds it lives)."""
        life = self.knobs.of(tenant.id).token_life
        with tenant.lock:
            consent = tenant.consents[client_id]
        permissions, principal_id = frozenset(consent.permissions), consent.service_principal_id
        return self._grants.issue(tenant.id, client_id, permissions, life, principal_id=principal_id), int(life)

    def issue_token_for(self, tenant: SimTenant, client_id: str, user: SimUser) -> tuple[str, int]:
        """(access token of a user who signed in here with an application, seconds it lives); it may do nothing."""
        life = self.knobs.of(tenant.id).token_life
        grant = Grant(
            tenant.id, client_id, frozenset(), time.time() + life,
            user_id=user.id, user_tenant_id=tenant.id, directory_roles=tuple(user.roles),
        )  # fmt: skip
        return self._grants.keep(grant), int(life)

    def keep_grant(self, grant: Grant) -> str:
        """The access token of a grant that was judged already."""
        return self._grants.keep(grant)

    def grant_of(self, token: str) -> Grant | None:
        """What a live token stands for."""
        grant = self._grants.of(token)
        tenant = self.tenants.get(grant.tenant_id) if grant else None
        return grant if grant and tenant and grant.client_id in tenant.consents else None

    def expire_tokens(self, tenant_id: str = "") -> None:
        """Make every access token (of one tenant) worthless now."""
        self._grants.expire(tenant_id)
