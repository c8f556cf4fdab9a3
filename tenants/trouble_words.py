"""What stands in the way of a step, in plain words, and what to do next: facts in, sentences out. Pure.

A step keeps the message of what it met. Those of `msp.microsoft` are in English and ours to word, so each is known
by a phrase of its own; tests/rules/test_trouble_words.py provokes every one of them.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.plans import StepKind, StepState, break_glass, hands_off, last_way_in

CHECK, ACCOUNT, NOWHERE = "check", "account", ""
"""Where the next act is done: the tenant's check, the account's page, or right here at the step."""


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble: what it means, what to do next, and where (CHECK, ACCOUNT, NOWHERE)."""

    name: str
    meaning: str | Promise
    what_to_do: str | Promise
    where: str = NOWHERE


THROTTLED = Trouble(
    "throttled",
    gettext_lazy("Microsoft allows only so many calls in this tenant at a time."),
    gettext_lazy("Nothing to do: Latchkey waits as long as Microsoft asks, and goes on."),
)
DEFAULT_METHOD = Trouble(
    "default_method",
    gettext_lazy("Microsoft lets nobody remove the method that it asks for first while other methods exist."),
    gettext_lazy(
        "Latchkey moves the default to a method that stays. Where none fits, enrol somebody who stays with a code "
        "generator, then try again."
    ),
    ACCOUNT,
)
READ_LAG = Trouble(
    "read_lag",
    gettext_lazy("Microsoft said yes. What it shows can lag behind what it did."),
    gettext_lazy("Nothing to do: Latchkey reads again, and calls it done only when it sees it."),
)
NOT_SEEN = Trouble(
    "not_seen",
    gettext_lazy("Microsoft said yes, and readings still do not show it. It may be late, or it may not have happened."),
    gettext_lazy(
        "Look at the account in the Entra admin center. Latchkey keeps reading; accept the gap only if it is."
    ),
)
ANSWER_LOST = Trouble(
    "answer_lost",
    gettext_lazy("The change was sent, and its answer never came. It may have happened."),
    gettext_lazy("Nothing to do: Latchkey reads the account first, and sends again only what did not happen."),
)
NOT_HAPPENED = Trouble(
    "not_happened",
    gettext_lazy("The answer was lost; the readings show that the change had not happened."),
    gettext_lazy("Nothing to do: it is sent again, which is safe."),
)
PASSWORD_REFUSED = Trouble(
    "password_refused",
    gettext_lazy("The tenant's rules refused each new password that was tried. The old one still signs in."),
    gettext_lazy("Raise the length or variety in the password policy, then try again."),
    ACCOUNT,
)
PROTECTED_ROLE = Trouble(
    "protected_role",
    gettext_lazy("The account holds a privileged role, and only a stronger role may change such an account."),
    gettext_lazy(
        "Give the app's service principal in this tenant the role Privileged Authentication Administrator, then try "
        "again."
    ),
    CHECK,
)
NOT_ALLOWED = Trouble(
    "not_allowed",
    gettext_lazy(
        "The app lacks a permission here, or the directory role that an account with privileged roles asks for. "
        "Nothing was changed."
    ),
    gettext_lazy("Run the tenant's check and grant what it names, then try again."),
    CHECK,
)
LAST_WAY_IN = Trouble(
    "last_way_in",
    gettext_lazy("Removing it would lock everybody out: nobody who stays has an authenticator here."),
    gettext_lazy("Enrol somebody who stays, then try again."),
    ACCOUNT,
)
BREAK_GLASS = Trouble(
    "break_glass",
    gettext_lazy("Automation never touches a break-glass account."),
    gettext_lazy("Change it by hand in the tenant, then accept the gap here and say what you did."),
    ACCOUNT,
)
HANDS_OFF = Trouble(
    "hands_off",
    gettext_lazy("By agreement Latchkey changes nothing in this tenant; it only reads."),
    gettext_lazy("Run the script of this run there and say here that it ran. Latchkey then reads what became of it."),
)
MASTERED_ELSEWHERE = Trouble(
    "mastered_elsewhere",
    gettext_lazy("The password of this account belongs to another directory, which alone can change it."),
    gettext_lazy("Change it there and enter it here, or use an account of this tenant. Until then accept the gap."),
    ACCOUNT,
)
ACCOUNT_GONE = Trouble(
    "account_gone",
    gettext_lazy("The account is not in the directory, or another one bears its name now. Nothing was changed."),
    gettext_lazy("Find out in the tenant what became of it; correct it here, or accept the gap."),
    ACCOUNT,
)
NO_CONNECTION = Trouble(
    "no_connection",
    gettext_lazy("The tenant does not let Latchkey in."),
    gettext_lazy("Run the tenant's check: it says what is missing. Then try again."),
    CHECK,
)
UNREACHABLE = Trouble(
    "unreachable",
    gettext_lazy("No connection to Microsoft came about, so nothing was sent."),
    gettext_lazy("Latchkey tries again with growing waits. If it stays so, look at network and proxy."),
    CHECK,
)
BY_HAND = Trouble(
    "by_hand",
    gettext_lazy("No application may remove a method of this kind."),
    gettext_lazy("An administrator of the tenant removes it in the Entra admin center; then try again."),
)
OTHER_CHANGE = Trouble(
    "other_change",
    gettext_lazy("An earlier change of this password is not proven, so nobody knows yet which one is in force."),
    gettext_lazy("Settle that run first, then try again."),
    ACCOUNT,
)
CHANGED_BY_ANOTHER = Trouble(
    "changed_by_another",
    gettext_lazy("Somebody else changed this account while the run was under way."),
    gettext_lazy("Find out who it was. If it was not meant, try again: the password is changed and the rest removed."),
    ACCOUNT,
)
GAP_ENDED = Trouble(
    "gap_ended",
    gettext_lazy("A person had accepted this gap until a day that is past."),
    gettext_lazy("Try again, or accept the gap for longer."),
)
REFUSED = Trouble(
    "refused",
    gettext_lazy("Microsoft said no, and nothing was changed."),
    gettext_lazy("Read Microsoft's reason, mend it in the tenant, then try again."),
    CHECK,
)

KNOWN_BY: tuple[tuple[Trouble, re.Pattern[str]], ...] = (
    (GAP_ENDED, re.compile(r"was accepted until \d{4}-\d\d-\d\d")),
    (DEFAULT_METHOD, re.compile(r"account's default while others exist|can be the default, so nothing was sent")),
    (PROTECTED_ROLE, re.compile(r"has the permission but not the directory role")),
    (MASTERED_ELSEWHERE, re.compile(r"synced from a local directory|another identity provider|account is a guest")),
    (PASSWORD_REFUSED, re.compile(r"refused the new password while")),
    (ACCOUNT_GONE, re.compile(r"found no such user|is a different object now|not in the directory")),
    (BY_HAND, re.compile(r"No application can do this")),
    (OTHER_CHANGE, re.compile(r"earlier change of this password is not proven")),
    (
        CHANGED_BY_ANOTHER,
        re.compile(
            r"somebody else changed it|is there again|nobody here registered it|and not by Latchkey"
            r"|end of the sessions is not visible any more"
        ),
    ),
    (THROTTLED, re.compile(r"asked for patience|cannot serve tenant|sign-in service answered \d+")),
    (NO_CONNECTION, re.compile(r"does not let us in|did not accept our token|own credential|app's certificate")),
    (
        UNREACHABLE,
        re.compile(
            r"could not be reached|Microsoft gave no answer|proxy did not let us|is not Microsoft('s sign-in| Graph)"
        ),
    ),
    (NOT_ALLOWED, re.compile(r"Microsoft did not allow")),
    (NOT_HAPPENED, re.compile(r"it had not happened")),
)
QUOTED = re.compile(r"\(.*\)", re.DOTALL)
"""Where a message quotes Microsoft. Its words must not decide."""
QUIET = frozenset({StepState.VERIFIED, StepState.NEEDLESS, StepState.WAIVED, StepState.STATED, StepState.CANCELLED})
"""States that say all there is to say."""
BY_STATE = {
    StepState.SENDING: ANSWER_LOST,
    StepState.ACCEPTED: READ_LAG,
    StepState.UNVERIFIED: NOT_SEEN,
    StepState.REFUSED: REFUSED,
}


def trouble_of(*, kind: str, state: str, problem: str, looks: int = 0) -> Trouble | None:
    """None for a step with which all is well, or which simply has its turn still to come."""
    if state in QUIET:
        return None
    if state == StepState.ACCEPTED and not looks:
        return None
    if state == StepState.SENDING:
        return ANSWER_LOST if problem or looks else None
    if state == StepState.BLOCKED and problem == break_glass():
        return BREAK_GLASS
    if state == StepState.BLOCKED and problem == hands_off():
        return HANDS_OFF
    if state == StepState.BLOCKED and problem in (last_way_in(), last_way_in(password_changes=False)):
        return LAST_WAY_IN
    ours = QUOTED.sub("", problem)
    for trouble, phrase in KNOWN_BY:
        if phrase.search(ours):
            return trouble
    if kind in (StepKind.PROVE, StepKind.RESHARE, StepKind.SECOND_LOOK):
        return None
    return BY_STATE.get(StepState(state))


def gap_ended(until: dt.date, reason: str) -> str:
    """The sentence on a step whose gap is not accepted any more."""
    return _("The gap was accepted until %(until)s, and it is still there. The reason then: %(reason)s") % {
        "until": f"{until:%Y-%m-%d}",
        "reason": reason,
    }
