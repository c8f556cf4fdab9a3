"""What Latchkey asks of a directory when a method is to be made or a second factor to be demanded.

`Registrar` is one tenant's. It raises the errors of `Directory` (see `ports.py`), and `NotInThisCloud` or
`PolicyForbids` where they are named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from msp.microsoft.ports import Access, AccountRef, Answer, ObservedMethod


class MfaState(StrEnum):
    """Per-user MFA. ENABLED becomes ENFORCED by itself when the user registers a method."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    ENFORCED = "enforced"


class TokenStatus(StrEnum):
    """Where a hardware OATH token stands. UNKNOWN is any word that Microsoft adds later."""

    AVAILABLE = "available"
    ASSIGNED = "assigned"
    ACTIVATED = "activated"
    FAILED_ACTIVATION = "failedActivation"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class NewToken:
    """A hardware OATH token to be put into the tenant's inventory. `seed` is Base32 without padding."""

    serial: str
    seed: str = field(repr=False)
    display_name: str = ""
    manufacturer: str = "Latchkey"
    model: str = "TOTP"
    interval: int = 30
    digest: str = "sha1"


@dataclass(frozen=True)
class HardwareToken:
    """A token of the inventory. `assigned_to` is a user's object id, or ""."""

    device_id: str
    serial: str
    display_name: str
    status: TokenStatus
    assigned_to: str = ""


@dataclass(frozen=True)
class IssuedPass:
    """A Temporary Access Pass, shown by Microsoft this once."""

    method_id: str
    code: str = field(repr=False)
    starts_at: dt.datetime | None
    minutes: int
    once: bool
    request_id: str = ""


class Registrar(Protocol):
    """Makes methods and demands on a tenant's accounts."""

    def issue_pass(self, account: AccountRef, *, minutes: int, once: bool = True) -> IssuedPass:
        """Give a Temporary Access Pass of 10 to 43,200 minutes; a former one is replaced.

        Raises PolicyForbids when the tenant does not allow passes. It is taken away with `Directory.remove`.
        """
        ...

    def mfa_state(self, account: AccountRef) -> MfaState:
        """What per-user MFA demands of this account."""
        ...

    def set_mfa_state(self, account: AccountRef, state: MfaState) -> Answer:
        """Demand more or less of this account."""
        ...

    def preferred_method(self, account: AccountRef) -> str:
        """The kind that is asked for first, in Microsoft's word (push, oath, sms ...), or ""."""
        ...

    def set_preferred_method(self, account: AccountRef, word: str) -> Answer:
        """Ask for another kind first. Raises Refused when no method of that kind is registered."""
        ...

    def tokens(self, *, serial: str = "") -> Iterator[HardwareToken]:
        """The hardware tokens in the tenant's inventory, all or those of one serial. Raises NotInThisCloud."""
        ...

    def create_token(self, token: NewToken) -> HardwareToken:
        """Put a token into the inventory. Raises DuplicateSerial, NotInThisCloud, AnswerLost (look by serial)."""
        ...

    def activate_token(self, account: AccountRef, device_id: str, code: str, *, display_name: str = "") -> Answer:
        """Assign a token and activate it with a code of its own, in one call.

        Raises CodeRefused (the token may stay assigned: unassign it or try again), NoFreeSlot, PolicyForbids,
        NotInThisCloud, GuestRefused.
        """
        ...

    def deactivate_token(self, account: AccountRef, device_id: str) -> Answer:
        """Stop accepting a token's codes; it stays assigned."""
        ...

    def unassign_token(self, account: AccountRef, device_id: str) -> Answer:
        """Take a token from the account; it returns to the inventory. Already absent is success."""
        ...

    def delete_token(self, device_id: str) -> Answer:
        """Take an unassigned token out of the inventory. Already absent is success. Raises Refused when assigned."""
        ...


class RegistrarFor(Protocol):
    """(tenant directory id, cloud name, access) -> that tenant's Registrar."""

    def __call__(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION, /) -> Registrar: ...


def as_method(token: HardwareToken, methods: tuple[ObservedMethod, ...]) -> ObservedMethod | None:
    """The method that this token is on an account. Assumption: method id and device id are the same."""
    return next((m for m in methods if m.directory_id == token.device_id), None)
