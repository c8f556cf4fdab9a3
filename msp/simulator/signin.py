"""Microsoft's sign-in as a person meets it: user name, password, second factor, session.

`judge_password` is shared with the password grant of the token endpoint, so that both count towards one lockout.
Every function expects the tenant's lock to be held.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from . import totp
from .state import SimTenant, SimUser

TRIES_BEFORE_LOCKOUT = 10
FIRST_LOCKOUT = dt.timedelta(minutes=1)
CONFIRMING_KINDS = frozenset(
    {"microsoft_authenticator", "passwordless_authenticator", "phone", "fido2", "windows_hello", "platform_credential"}
)
SECOND_FACTORS = CONFIRMING_KINDS | {"software_oath", "hardware_oath"}


@dataclass(frozen=True)
class SignInResult:
    """`result`: signed_in, wrong_password, wrong_code, code_needed, locked, disabled or no_such_user."""

    result: str
    session: str = ""

    @property
    def let_in(self) -> bool:
        return self.result == "signed_in"


def _fingerprint(user: SimUser, password: str) -> str:
    return hashlib.sha256(f"{user.id}\0{password}".encode()).hexdigest()


def judge_password(user: SimUser, password: str, now: dt.datetime) -> str:
    """ "right", "wrong", "locked" or "disabled".

    Smart lockout (entra-docs concept-sspr-policy): ten different wrong tries, then one minute, doubling with each
    further wrong try after it; the same wrong password again is not counted. A user with no password stored ("")
    has no right one.
    """
    if user.locked_until and now < user.locked_until:
        return "locked"
    if not user.password or password != user.password:
        fingerprint = _fingerprint(user, password)
        if fingerprint not in user.wrong_passwords:
            user.wrong_passwords.append(fingerprint)
        if len(user.wrong_passwords) >= TRIES_BEFORE_LOCKOUT + user.lockouts:
            user.locked_until = now + FIRST_LOCKOUT * 2**user.lockouts
            user.lockouts += 1
            return "locked" if user.lockouts > 1 else "wrong"
        return "wrong"
    user.wrong_passwords.clear()
    user.lockouts, user.locked_until = 0, None
    return "right" if user.enabled else "disabled"


def has_second_factor(user: SimUser) -> bool:
    return any(method.kind in SECOND_FACTORS for method in user.methods.values())


def accept_code(user: SimUser, given: str, now: dt.datetime) -> bool:
    """Whether a code belongs to one of the user's OATH methods; each code serves once per method."""
    at = now.timestamp()
    for method in user.methods.values():
        if not method.seed:
            continue
        step = totp.matching_step(method.seed, given, at, interval=method.interval, digest=method.digest)
        if step is not None and step not in method.used_steps:
            method.used_steps = [*method.used_steps[-4:], step]
            return True
    return False


def judge(user: SimUser | None, password: str, code: str | None, push: str | None, now: dt.datetime) -> str:
    """The answer of the sign-in page. `push` is the id of the method whose holder confirms the request.

    A user without any second factor is let in with the password alone: Microsoft would ask such a person to
    register one, which whoever knows the password can do.
    """
    if user is None:
        return "no_such_user"
    verdict = judge_password(user, password, now)
    if verdict != "right":
        return {"wrong": "wrong_password"}.get(verdict, verdict)
    if not has_second_factor(user):
        return "signed_in"
    if code is not None:
        return "signed_in" if accept_code(user, code, now) else "wrong_code"
    if push is not None:
        confirms = push in user.methods and user.methods[push].kind in CONFIRMING_KINDS
        return "signed_in" if confirms else "wrong_code"
    return "code_needed"


def session_lives(tenant: SimTenant, token: str) -> bool:
    """Whether a session still opens doors."""
    session = tenant.sessions.get(token)
    user = tenant.users.get(session.user_id) if session else None
    if session is None or user is None or session.ended or not user.enabled:
        return False
    return session.issued_at >= user.sessions_valid_from
