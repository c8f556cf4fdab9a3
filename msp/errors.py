"""The error families, as one tree.

Every message is written for the person who reads it: what failed, where, what still stands, what to do.
None of them ever holds a secret.
"""

from __future__ import annotations


class LatchkeyError(Exception):
    """The root of everything that Latchkey raises on purpose."""


class BadInput(LatchkeyError):
    """What a person or a file gave us cannot be used; nothing was saved."""


class NotPermitted(LatchkeyError):
    """This person may not do this; nothing was done."""


class MoveRefused(LatchkeyError):
    """The status table has no such move."""


class MoveLost(LatchkeyError):
    """Somebody else moved the row first; nothing was changed by us."""


class LeaseLost(LatchkeyError):
    """Another worker holds the account now; this one must stop without a further act."""


class KeyTrouble(LatchkeyError):
    """A key is missing, wrong or destroyed, or an envelope does not open in this place."""


class LedgerClosed(LatchkeyError):
    """The entry could not be written, so the act it belongs to must not happen."""


class DirectoryError(LatchkeyError):
    """The root of what a directory can answer besides yes.

    `code` is Microsoft's own code (or ours in lower case), `request_id` Microsoft's id of the call.
    """

    def __init__(self, message: str, *, code: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


class NotSent(DirectoryError):
    """The request never left, or was turned away before it could have an effect. Safe to try again."""


class Busy(NotSent):
    """The directory asks for patience; nothing was changed. `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: float, code: str = "", request_id: str = "") -> None:
        super().__init__(message, code=code, request_id=request_id)
        self.retry_after = retry_after


class NotTried(NotSent):
    """It was to follow something that failed, so it was not tried. It can be sent at once by itself."""


class Unreachable(NotSent):
    """No connection could be opened, so nothing was sent."""


class NoConnection(DirectoryError):
    """This tenant does not let us in (consent, credential, unknown tenant): a person must mend it."""


class AnswerLost(DirectoryError):
    """It was sent and no answer was read: it may have happened. Read back before trying again."""


class Refused(DirectoryError):
    """The directory said no; nothing was changed."""


class NotAllowed(Refused):
    """Permission, directory role or licence is missing."""


class AccountMissing(Refused):
    """No such user in this tenant."""


class PasswordRefused(Refused):
    """The password does not satisfy the tenant's policy; another one may."""


class DefaultMethodRefused(Refused):
    """The method is the user's default while others exist: move the default first."""


class CannotRemove(Refused):
    """This kind of method has no way to be removed by an application; a person must do it."""


class PasswordBanned(PasswordRefused):
    """The password is on Microsoft's or the tenant's list of banned ones; another one may do."""


class SyncedAccount(Refused):
    """The account's password is mastered in a local directory, which alone can change it."""


class FederatedAccount(Refused):
    """The account signs in at somebody else's identity provider, so there is no password to set here."""


class GuestRefused(Refused):
    """The account is a guest: its password and tokens belong to its home directory."""


class RoleMissing(NotAllowed):
    """The permission is there, but the app lacks the directory role that this target asks for."""


class NeedsLicence(NotAllowed):
    """The tenant has no licence for this (Entra ID P1 or P2)."""


class NotInThisCloud(Refused):
    """This national cloud has no API for it; nothing was sent."""


class PolicyForbids(Refused):
    """The tenant's policy of authentication methods does not allow this kind."""


class DifferentObject(AccountMissing):
    """The user was deleted, and another one bears its name now: nothing of ours belongs to that one."""


class DuplicateSerial(Refused):
    """A hardware token with this serial number is in the tenant's inventory already."""


class CodeRefused(Refused):
    """The code did not belong to the token at this moment."""


class NoFreeSlot(Refused):
    """All five authenticator places of the account are taken."""
