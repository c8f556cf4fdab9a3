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
