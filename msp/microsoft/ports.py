"""What Latchkey asks of a directory, in our own words, and the facts that come back.

Every adapter (Microsoft Graph today) implements `Directory`. Callers handle the errors of
`msp.errors.DirectoryError` that each method names; no HTTP word passes this line.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from msp.errors import DirectoryError


class MethodKind(StrEnum):
    """The kinds of authentication method that Entra ID knows. UNKNOWN is reported, never skipped."""

    PASSWORD = "password"
    PHONE = "phone"
    EMAIL = "email"
    FIDO2 = "fido2"
    MICROSOFT_AUTHENTICATOR = "microsoft_authenticator"
    PASSWORDLESS_AUTHENTICATOR = "passwordless_authenticator"
    SOFTWARE_OATH = "software_oath"
    HARDWARE_OATH = "hardware_oath"
    TEMPORARY_ACCESS_PASS = "temporary_access_pass"
    WINDOWS_HELLO = "windows_hello"
    PLATFORM_CREDENTIAL = "platform_credential"
    EXTERNAL = "external"
    QR_CODE_PIN = "qr_code_pin"
    UNKNOWN = "unknown"


SLOT_KINDS = frozenset({MethodKind.MICROSOFT_AUTHENTICATOR, MethodKind.SOFTWARE_OATH, MethodKind.HARDWARE_OATH})
"""What takes one of the five authenticator places of an Entra user (entra-docs concept-authentication-oath-tokens)."""

SLOTS_PER_ACCOUNT = 5


@dataclass(frozen=True)
class AccountRef:
    """Where one directory user lives. `object_id` is "" until the account was observed once."""

    tenant_id: str
    object_id: str
    user_principal_name: str

    @property
    def key(self) -> str:
        """What to ask the directory for: the immutable id, or the name while no id is known."""
        return self.object_id or self.user_principal_name

    @property
    def guest(self) -> bool:
        """A guest's name in a tenant holds this mark; its password lives in its home directory."""
        return "#EXT#" in self.user_principal_name.upper()


@dataclass(frozen=True)
class ObservedMethod:
    """One authentication method as the directory showed it. `raw_type` is the directory's own type name."""

    kind: MethodKind
    directory_id: str
    label: str = ""
    created_at: dt.datetime | None = None
    raw_type: str = ""


@dataclass(frozen=True)
class Observation:
    """One reading of an account: the user's facts and every method, at `read_at` (UTC)."""

    object_id: str
    user_principal_name: str
    display_name: str
    enabled: bool
    synced: bool
    password_changed_at: dt.datetime | None
    sessions_valid_from: dt.datetime | None
    methods: tuple[ObservedMethod, ...]
    read_at: dt.datetime
    request_ids: tuple[str, ...] = ()

    def has(self, directory_id: str, kind: MethodKind) -> bool:
        return any(m.directory_id == directory_id and m.kind == kind for m in self.methods)


@dataclass(frozen=True)
class Answer:
    """The directory said yes. A yes is not yet proof: read back. `already` means that nothing had to change."""

    request_id: str
    client_request_id: str
    answered_at: dt.datetime
    already: bool = False


@dataclass(frozen=True)
class FoundAccount:
    """A user found by name or id while reading a tenant."""

    object_id: str
    user_principal_name: str
    display_name: str


@dataclass(frozen=True)
class SetPassword:
    """Replace the password; the user is not asked to change it."""

    password: str = field(repr=False)


@dataclass(frozen=True)
class RemoveMethod:
    """Make sure that one method is gone."""

    method: ObservedMethod


@dataclass(frozen=True)
class EndSessions:
    """Refuse every refresh token and cookie issued before now."""


Act = SetPassword | RemoveMethod | EndSessions
"""One change of one account, as `Directory.act` takes it."""


class ProbeResult(StrEnum):
    """What a sign-in attempt with a password alone tells. It never needs or uses a second factor."""

    PASSWORD_ACCEPTED = "accepted"
    PASSWORD_REFUSED = "refused"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class SignInAnswer:
    """What one try at the sign-in told: of a password alone, or of a session that was opened before.

    `code` is Microsoft's number ("AADSTS50126", "" for a token) or a word of ours, `why` says what it means.
    `session` is what goes on signing in without the password, only where it was asked for and given.
    """

    result: ProbeResult
    code: str = ""
    why: str = ""
    request_id: str = ""
    session: str = field(default="", repr=False)

    @property
    def accepted(self) -> bool:
        return self.result == ProbeResult.PASSWORD_ACCEPTED

    @property
    def refused(self) -> bool:
        return self.result == ProbeResult.PASSWORD_REFUSED


class Directory(Protocol):
    """One tenant's directory. Every call has a time-out and may raise:

    NotSent (Busy with `retry_after`, Unreachable): nothing happened, try later.
    NoConnection: this tenant does not let us in; a person must mend it.
    Refused (NotAllowed, AccountMissing, ...): the directory said no; nothing changed.
    AnswerLost: sent, no answer read; only the calls that change something raise it.
    """

    def observe(self, account: AccountRef) -> Observation:
        """Read the user's facts and every method, known kinds and unknown ones."""
        ...

    def act(self, account: AccountRef, acts: tuple[Act, ...]) -> tuple[Answer | DirectoryError, ...]:
        """Do several things to one account, in this order and one after another, in as few requests as can be.

        One outcome for each act, in the order of the acts; an error stands in its place instead of being raised. An act
        that was not tried because one before it failed is a NotSent. When the whole request was lost, every act
        of it is an AnswerLost.
        """
        ...

    def set_password(self, account: AccountRef, password: str) -> Answer:
        """Replace the password; the user is not asked to change it. Raises PasswordRefused by policy."""
        ...

    def remove(self, account: AccountRef, method: ObservedMethod) -> Answer:
        """Make sure that one method is gone. Already absent is success (`already=True`).

        Raises DefaultMethodRefused when it is the default and others exist, CannotRemove for kinds
        that no application can remove.
        """
        ...

    def move_default(self, account: AccountRef, away_from: ObservedMethod, stays: tuple[ObservedMethod, ...]) -> Answer:
        """Make a kind of method that stays the default, so that `away_from` can go. Raises Refused when none fits."""
        ...

    def revoke_sessions(self, account: AccountRef) -> Answer:
        """End every session: refresh tokens and cookies issued before now are refused from here on."""
        ...

    def sign_in_probe(self, account: AccountRef, password: str) -> ProbeResult:
        """Ask whether this password is the account's. Counts towards smart lockout: ask rarely."""
        ...

    def try_sign_in(self, account: AccountRef, password: str, *, keep_session: bool = False) -> SignInAnswer:
        """The same, with the reason of the answer. Counts towards smart lockout: ask rarely.

        `keep_session`: where the password alone opens a session, hand it over; it is a secret.
        """
        ...

    def try_session(self, account: AccountRef, session: str) -> SignInAnswer:
        """Ask whether a session that was opened before still goes on. No password is tried."""
        ...


class Access(StrEnum):
    """As whom we come to a tenant: as the app itself, consented there, or as the partner's user through GDAP."""

    APPLICATION = "application"
    PARTNER = "partner"


class DirectoryFor(Protocol):
    """(tenant directory id, cloud name, access) -> that tenant's Directory."""

    def __call__(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION, /) -> Directory: ...
