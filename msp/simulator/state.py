"""What the cloud knows: tenants, users, methods, sessions, applications. Plain data; `cloud.py` changes it.

Times are aware datetimes in UTC. Passwords and seeds stand here in clear: this is the other side of the wire.
"""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field, replace
from typing import Any

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"

DEFAULT_PERMISSIONS = (
    "UserAuthenticationMethod.ReadWrite.All",
    "User-PasswordProfile.ReadWrite.All",
    "User.RevokeSessions.All",
    "User.Read.All",
    "RoleManagement.Read.Directory",
    "AuditLog.Read.All",
    "Policy.Read.All",
)
"""Application permissions that a whole offboarding needs, and no more."""


@dataclass
class SimMethod:
    """One registered method. `seed` (Base32) only for OATH kinds; `details` are further Graph fields.

    Kind microsoft_authenticator has no seed: it answers pushes. `used_steps` are the time steps whose code was used.
    """

    id: str
    kind: str
    created_at: dt.datetime
    label: str = ""
    seed: str = ""
    interval: int = 30
    digest: str = "sha1"
    details: dict[str, Any] = field(default_factory=dict)
    used_steps: list[int] = field(default_factory=list)


@dataclass
class SimUser:
    """One directory user. `default` is the word of userPreferredMethodForSecondaryAuthentication, "" for none.

    system_preferred: whether Microsoft chooses the kind that is asked for first. mfa_state: disabled, enabled or
    enforced.
    `past` holds earlier states that lagging reads still see, each with the moment until which they see it.
    """

    id: str
    upn: str
    display_name: str
    password: str
    password_changed_at: dt.datetime
    sessions_valid_from: dt.datetime
    enabled: bool = True
    synced: bool = False
    user_type: str = "Member"
    roles: list[str] = field(default_factory=list)
    methods: dict[str, SimMethod] = field(default_factory=dict)
    default: str = ""
    system_preferred: bool = False
    mfa_state: str = "disabled"
    password_expired: bool = False
    at_risk: bool = False
    wrong_passwords: list[str] = field(default_factory=list)
    lockouts: int = 0
    locked_until: dt.datetime | None = None
    past: list[tuple[dt.datetime, SimUser]] = field(default_factory=list, repr=False)

    def remember_for_lagging_reads(self, until: dt.datetime) -> None:
        """Keep a copy of this state for reads up to `until`; call it right before a change."""
        self.past.append((until, replace(self, methods=dict(self.methods), roles=list(self.roles), past=[])))

    def as_read_at(self, moment: dt.datetime) -> SimUser:
        """The state that a GET sees: the oldest one whose successor is not visible yet."""
        self.past = [(until, old) for until, old in self.past if until > moment]
        return self.past[0][1] if self.past else self


@dataclass
class SimSession:
    """What a browser keeps after a sign-in. It dies by revocation, password change or a disabled user."""

    user_id: str
    issued_at: dt.datetime
    ended: bool = False


@dataclass
class Consent:
    """What one tenant granted to one application: its service principal there."""

    service_principal_id: str
    permissions: tuple[str, ...]
    roles: tuple[str, ...]
    enabled: bool = True


@dataclass
class AppRegistration:
    """One application: its credentials, and the permissions `wanted` that an administrator is asked for.

    Thumbprints are the base64url values of x5t#S256 and x5t.
    """

    client_id: str
    certificate_pem: str = ""
    sha256_thumbprint: str = ""
    sha1_thumbprint: str = ""
    secret: str = ""
    secret_expired: bool = False
    public_client: bool = False
    wanted: tuple[str, ...] = DEFAULT_PERMISSIONS


@dataclass
class SimToken:
    """One hardware OATH token of a tenant's inventory. `assigned_to` is a user's id, or "".

    status: available, assigned, activated, failedActivation. `used_steps` are the time steps whose code was used.
    """

    id: str
    serial: str
    seed: str
    display_name: str = ""
    manufacturer: str = "Contoso"
    model: str = "Hardware Token 1000"
    interval: int = 30
    digest: str = "sha1"
    status: str = "available"
    assigned_to: str = ""
    used_steps: list[int] = field(default_factory=list)


@dataclass
class SimEvent:
    """One line of a log: its Graph body, and from when on a reading shows it."""

    body: dict[str, Any]
    at: dt.datetime
    visible_at: dt.datetime


@dataclass
class SimRelationship:
    """One delegated admin relationship, kept in the partner's tenant.

    `grants` are access assignments: {id, group_id, status, roles}. `roles` are role template ids.
    """

    id: str
    display_name: str
    customer_id: str
    customer_name: str
    status: str
    ends_at: dt.datetime
    created_at: dt.datetime
    auto_extends: bool = False
    roles: list[str] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class SimPolicies:
    """What a tenant allows.

    methods maps a configuration's id (SoftwareOath ...) to enabled or disabled. banned: words that no password may
    hold; with any of them the tenant's own name is banned too.
    """

    security_defaults: bool = True
    methods: dict[str, str] = field(default_factory=dict)
    conditional_access: list[dict[str, Any]] = field(default_factory=list)
    banned: list[str] = field(default_factory=list)


@dataclass
class SimTenant:
    """One Entra directory. Everything inside is read and changed under `lock`.

    cloud: global, us_gov_l4, us_gov_l5 or china. condition: "" lives, "suspended" answers no token, "decommissioned"
    is not found. plans: the service plans in force. federated: domains that sign in elsewhere. groups: id -> ids of
    the users in it. scopes: application -> its delegated permissions. contracts: {id, customerId, displayName,
    defaultDomainName} of a partner's tenant.
    """

    id: str
    name: str
    domain: str
    cloud: str = "global"
    condition: str = ""
    plans: list[str] = field(default_factory=list)
    federated: list[str] = field(default_factory=list)
    policies: SimPolicies = field(default_factory=SimPolicies)
    tokens: dict[str, SimToken] = field(default_factory=dict)
    audits: list[SimEvent] = field(default_factory=list)
    sign_ins: list[SimEvent] = field(default_factory=list)
    relationships: dict[str, SimRelationship] = field(default_factory=dict)
    contracts: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    scopes: dict[str, list[str]] = field(default_factory=dict)
    users: dict[str, SimUser] = field(default_factory=dict)
    ids_by_name: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, SimSession] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def names(self) -> tuple[str, str]:
        """Both lower-case names by which a URL may call it."""
        return self.id, self.domain

    def user(self, key: str) -> SimUser | None:
        """By object id or user principal name, in any case of letters."""
        key = key.lower()
        return self.users.get(self.ids_by_name.get(key, key))

    def place(self, user: SimUser) -> None:
        self.users[user.id] = user
        self.ids_by_name[user.upn.lower()] = user.id
        self.__dict__.pop("_sorted_ids", None)

    @property
    def ids_in_order(self) -> list[str]:
        """Every user's id, sorted; sorted anew only after a change, so that pages of many users are cheap."""
        known: list[str] = self.__dict__.get("_sorted_ids", [])
        if len(known) != len(self.users):
            known = self.__dict__["_sorted_ids"] = sorted(self.users)
        return known


def stamp(moment: dt.datetime) -> str:
    """As Graph prints it: UTC, whole seconds. Assumption: the users' times carry no fraction."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
