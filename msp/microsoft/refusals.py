"""What a "no" to one kind of change means, where its status alone does not tell.

Microsoft gives most of these no code of their own, so its words have to be read.
"""

from __future__ import annotations

import re

from msp.errors import (
    DefaultMethodRefused,
    FederatedAccount,
    PasswordBanned,
    PasswordRefused,
    Refused,
    RoleMissing,
    SyncedAccount,
)
from msp.microsoft.answers import Call, Reply, fault_in

ABOUT_THE_DEFAULT = re.compile(r"default (authentication )?method", re.IGNORECASE)
ABOUT_THE_PASSWORD = re.compile(r"password", re.IGNORECASE)
# Assumption: the words of these three; none of them is documented for PATCH user.
ABOUT_A_BANNED_PASSWORD = re.compile(r"banned|easily guess|commonly used|too common", re.IGNORECASE)
ABOUT_SYNC = re.compile(r"on-premises mastered|directory sync|writeback", re.IGNORECASE)
ABOUT_FEDERATION = re.compile(r"federat", re.IGNORECASE)


def password_refused(reply: Reply, call: Call, *, may_set: bool) -> Refused | None:
    """What stands against a new password, when it is one of the known reasons.

    `may_set` tells whether our token carries the permission, so that a 403 can only be about the role.
    """
    fault = fault_in(reply, call.secret)
    marks = {"code": fault.code, "request_id": reply.request_id}
    if reply.status == 403 and may_set and fault.code == "Authorization_RequestDenied":
        return RoleMissing(
            f"Microsoft did not allow {call.doing} ({fault}): the app has the permission but not the directory role "
            f"that this account asks for. {call.stands} Give the app's service principal in this tenant the role "
            "Privileged Authentication Administrator, then try again.",
            **marks,
        )
    if reply.status != 400:
        return None
    if ABOUT_SYNC.search(fault.message):
        return SyncedAccount(
            f"Microsoft refused {call.doing} ({fault}): the account is synced from a local directory, which alone "
            f"can change its password. {call.stands} Change it there, then store it here.",
            **marks,
        )
    if ABOUT_FEDERATION.search(fault.message):
        return FederatedAccount(
            f"Microsoft refused {call.doing} ({fault}): the account signs in at another identity provider. "
            f"{call.stands} Change its password there, or make a cloud-only account for shared use.",
            **marks,
        )
    if ABOUT_A_BANNED_PASSWORD.search(fault.message):
        return PasswordBanned(
            f"Microsoft refused the new password while {call.doing} ({fault}): it holds a banned word. The old one "
            "still works. Another password is tried.",
            **marks,
        )
    if ABOUT_THE_PASSWORD.search(fault.message):
        return PasswordRefused(
            f"Microsoft refused the new password while {call.doing} ({fault}). The old one still works. "
            "Another password may do; raise its length or variety if this repeats.",
            **marks,
        )
    return None


def default_method_refused(reply: Reply, call: Call) -> DefaultMethodRefused | None:
    """The refusal to remove what is asked for first while other methods exist."""
    fault = fault_in(reply)
    if reply.status != 400 or not ABOUT_THE_DEFAULT.search(fault.message):
        return None
    return DefaultMethodRefused(
        f"Microsoft refused {call.doing}: it is the account's default while others exist ({fault}). "
        f"{call.stands} Move the default to a method that stays, then remove this one.",
        code=fault.code,
        request_id=reply.request_id,
    )
