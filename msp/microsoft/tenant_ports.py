"""What Latchkey reads of a whole tenant: what it is, what it allows, who may do what there, and what happened.

`TenantReader` changes nothing. It raises the errors of `Directory` that a read can raise (NotSent, NoConnection,
Refused) and, where it is named, `NeedsLicence`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from msp.microsoft.ports import AccountRef, FoundAccount


@dataclass(frozen=True)
class Domain:
    """A domain of the tenant. A federated one signs in elsewhere, so no password of it is set here."""

    name: str
    verified: bool
    federated: bool
    default: bool = False


@dataclass(frozen=True)
class Organisation:
    """The tenant itself. `plans` are the service plans in force ("AAD_PREMIUM" ...)."""

    tenant_id: str
    display_name: str
    default_domain: str
    synced: bool
    plans: frozenset[str]

    @property
    def premium(self) -> bool:
        """Entra ID P1 or better. Assumption: its service plans are called AAD_PREMIUM and AAD_PREMIUM_P2."""
        return bool({"AAD_PREMIUM", "AAD_PREMIUM_P2"} & self.plans)


@dataclass(frozen=True)
class Role:
    """A directory role that somebody holds. `scope` is "/" for the whole tenant."""

    template_id: str
    name: str
    scope: str = "/"


@dataclass(frozen=True)
class OwnAccess:
    """What our own app may do in this tenant.

    `permissions` are the application permissions (or delegated scopes) of a token fetched just now; `roles` are the
    directory roles of its service principal, None when they could not be read.
    """

    service_principal_id: str
    permissions: frozenset[str]
    roles: tuple[Role, ...] | None
    enabled: bool = True


@dataclass(frozen=True)
class MethodPolicy:
    """Which methods the tenant allows, by Microsoft's id of the configuration, in lower case.

    ("softwareoath", "hardwareoath", "temporaryaccesspass", "microsoftauthenticator", "fido2", "sms", "voice" ...)
    """

    enabled: Mapping[str, bool]

    def allows(self, name: str) -> bool:
        return self.enabled.get(name.lower(), False)


@dataclass(frozen=True)
class AccessPolicy:
    """A Conditional Access policy, as far as it is of interest here."""

    policy_id: str
    name: str
    state: str


@dataclass(frozen=True)
class Registration:
    """One line of the registration report. It counts kinds, not devices, and is some hours old."""

    object_id: str
    user_principal_name: str
    admin: bool
    mfa_registered: bool
    kinds: tuple[str, ...]
    preferred: str
    updated_at: dt.datetime | None


@dataclass(frozen=True)
class AuditEvent:
    """One event of the directory's own log. `targets` are object ids.

    `by` is a user's or an app's name, `by_id` the object id of that user or of that app's service principal.
    """

    event_id: str
    at: dt.datetime
    activity: str
    service: str
    result: str
    by: str
    targets: tuple[str, ...]
    correlation_id: str = ""
    by_id: str = ""


@dataclass(frozen=True)
class SignInEvent:
    """One sign-in. `error` is an AADSTS number, 0 for success, -1 when Microsoft named none.

    `factors` are what was used, in Microsoft's words, with a device's name in brackets where it is known.
    """

    event_id: str
    at: dt.datetime
    object_id: str
    error: int
    interactive: bool
    ip_address: str
    app: str
    device: str
    factors: tuple[str, ...]

    @property
    def succeeded(self) -> bool:
        return self.error == 0


@dataclass(frozen=True)
class Cursor:
    """How far a log was read. `seen` are the events inside the overlap (id -> when), so that none counts twice.

    Events come late and out of order, so the next reading begins some minutes before `newest` (see `logs.py`). The
    first one of all starts from `Cursor(newest=...)`.
    """

    newest: dt.datetime
    seen: Mapping[str, dt.datetime] = field(default_factory=dict)


class TenantReader(Protocol):
    """Reads a tenant."""

    def organisation(self) -> Organisation:
        """The tenant's name, domain and licences."""
        ...

    def domains(self) -> tuple[Domain, ...]:
        """Every domain, federated ones marked."""
        ...

    def own_access(self) -> OwnAccess:
        """What our app may do here, by a token fetched just now."""
        ...

    def roles_of(self, object_id: str) -> tuple[Role, ...]:
        """The active directory roles of a user or service principal. Roles by group or merely eligible are not seen."""
        ...

    def users(self, *, starts_with: str = "") -> Iterator[FoundAccount]:
        """Every user, page by page, or those whose name or user name starts so."""
        ...

    def find(self, key: str) -> FoundAccount | None:
        """One user by object id or user name."""
        ...

    def security_defaults(self) -> bool:
        """Whether security defaults are on."""
        ...

    def method_policy(self) -> MethodPolicy:
        """Which methods the tenant allows."""
        ...

    def access_policies(self) -> tuple[AccessPolicy, ...]:
        """The Conditional Access policies. Raises NeedsLicence where there are none to be had."""
        ...

    def registrations(self) -> Iterator[Registration]:
        """The registration report of all users. Raises NeedsLicence."""
        ...

    def audits(self, since: Cursor) -> tuple[tuple[AuditEvent, ...], Cursor]:
        """The events not seen yet, oldest first, and where to go on."""
        ...

    def sign_ins(self, account: AccountRef, since: Cursor) -> tuple[tuple[SignInEvent, ...], Cursor]:
        """The sign-ins of one account not seen yet, oldest first. Raises NeedsLicence."""
        ...

    def clock_difference(self) -> float:
        """Microsoft's clock minus ours, in seconds, by the Date header of an answer."""
        ...

    def raw_properties(self, account: AccountRef) -> Mapping[str, Any]:
        """Facts of a user that only the tenant check asks for: guest, restricted management, password policies."""
        ...
