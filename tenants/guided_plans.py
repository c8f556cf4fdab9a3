"""Steps that a person does: whose turn it is, and what to do there, in general words. Facts in, words out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.plans import ACTS, SETTLED, StepKind, StepState

CONFIRMS = StepKind.PROVE
"""What somebody else than whoever did the acts has to do."""
NEVER_READ = _("Nothing can be read back here, so there is nothing to look at a second time.")
NEVER_TRIED = _("Latchkey cannot sign in here, so nothing was tried.")
NOTHING_STATED = _("No step was stated to be done, so there is nothing to confirm.")
STATED_WITH_IT = _("It opens here, and whoever set it said that it is in force there.")


NAMES: dict[str, str | Promise] = {CONFIRMS: _("Confirm what was done")}
"""Steps that are called otherwise where nothing is read."""


def name_of(kind: str) -> str | Promise:
    return NAMES.get(kind) or StepKind(kind).label


class Done(Protocol):
    """What is asked of a step here."""

    kind: str
    status: str


Row = TypeVar("Row", bound=Done)


def whose_turn(steps: Sequence[Row]) -> Row | None:
    """The step that waits for a person now; `steps` in their order. None: nothing does.

    One after the other: the password first, the confirmation by somebody else last. A step that could not be done, or
    whose gap was accepted, holds nothing up.
    """
    acts = [step for step in steps if step.kind in ACTS]
    for step in acts:
        if step.status not in SETTLED:
            return step
    if not any(step.status == StepState.STATED for step in acts):
        return None
    waiting = [s for s in steps if s.kind == CONFIRMS and s.status in (StepState.PLANNED, StepState.UNVERIFIED)]
    return waiting[-1] if waiting else None


FIREWALL, REGISTRAR, BACKUP, AWS_ROOT, GOOGLE, OTHER = (
    "firewall",
    "registrar",
    "backup",
    "aws_root",
    "google_admin",
    "other",
)
WHERE: dict[str, str | Promise] = {
    FIREWALL: _("Sign in to the firewall's administration, and open its list of administrators or local users."),
    REGISTRAR: _("Sign in at the registrar, and open the settings of the account, usually named account or security."),
    BACKUP: _("Sign in to the backup portal, and open the settings of this user, usually named users or profile."),
    AWS_ROOT: _("Sign in as the root user, and open the security credentials of the account."),
    GOOGLE: _("Sign in to the Google Workspace administration, and open this user under the directory's users."),
    OTHER: _("Sign in to the system, and open the settings of this user."),
}
WHAT: dict[str, tuple[str | Promise, ...]] = {
    StepKind.ROTATE_PASSWORD: (
        _("Show the new password below. Latchkey made and kept it before it shows it to you."),
        _("Set it there as the user's password: copy it, or type exactly what you see."),
        _("Sign out there, sign in again with it, and only then say here that it is done."),
    ),
    StepKind.REMOVE_METHOD: (
        _("Find the second factor named below among those registered for this user, usually named MFA or two-step."),
        _("Remove that one alone. Leave everybody else's where it is."),
        _("Look at the list once more before you say here that it is done."),
    ),
    StepKind.REVOKE_SESSIONS: (
        _("End every open session of this user: look for sign out everywhere, active sessions or disconnect."),
        _("Where the system has no such thing, say below that it could not be done, and why."),
    ),
    StepKind.PROVE: (
        _("You confirm what somebody else did, so do not take their word: look yourself."),
        _("Sign in with the new password. The old one must be refused: try it once and not more often."),
        _("Look whether the second factors that were to go are gone, and whether nobody knows of any new one."),
    ),
}


def instructions(system: str, kind: str) -> list[str | Promise]:
    """What to do there, line by line. General: no product's own words are claimed to be known."""
    if kind not in WHAT:
        return []
    return [WHERE.get(system, WHERE[OTHER]), *WHAT[kind]]
