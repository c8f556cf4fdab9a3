"""Decisions about runs: facts in, plan out. No database, no network, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from msp.microsoft.ports import MethodKind, Observation


class StepKind(TextChoices):
    ROTATE_PASSWORD = "rotate_password", _("Change the password")
    REMOVE_METHOD = "remove_method", _("Remove the authenticator")
    REVOKE_SESSIONS = "revoke_sessions", _("End the sessions")
    PROVE = "prove", _("Read back what is true")
    RESHARE = "reshare", _("Hand over the new password")
    SECOND_LOOK = "second_look", _("Second look")
    CREATE_TOKEN = "create_token", _("Make the token")
    ACTIVATE_TOKEN = "activate_token", _("Activate the token")
    DELETE_TOKEN = "delete_token", _("Take the token away")
    TRY_PASSWORD = "try_password", _("Try the old password")
    TRY_CODE = "try_code", _("Try an old code")
    TRY_SESSION = "try_session", _("Try an old session")


ACTS = (StepKind.ROTATE_PASSWORD, StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS)
"""The kinds that change something at the directory."""
TRIES = (StepKind.TRY_PASSWORD, StepKind.TRY_CODE, StepKind.TRY_SESSION)
"""The negative proof: what must be refused now."""


class StepState(TextChoices):
    """What is true outside."""

    PLANNED = "planned", _("Planned: nothing sent")
    SENDING = "sending", _("Sent, no answer yet: it may have happened")
    ACCEPTED = "accepted", _("Accepted, not proven yet")
    VERIFIED = "verified", _("Verified: read back and found so")
    UNVERIFIED = "unverified", _("Unverified: accepted, but not seen")
    REFUSED = "refused", _("Refused: nothing changed")
    BLOCKED = "blocked", _("Blocked: a guard stopped it")
    WAIVED = "waived", _("Waived: a person accepted the gap")
    NEEDLESS = "needless", _("Needless: nothing to do")
    STATED = "stated", _("Stated by a person: not read back")
    CANCELLED = "cancelled", _("Cancelled: nothing sent")


SETTLED = frozenset(
    {
        StepState.VERIFIED,
        StepState.UNVERIFIED,
        StepState.REFUSED,
        StepState.BLOCKED,
        StepState.WAIVED,
        StepState.NEEDLESS,
        StepState.STATED,
        StepState.CANCELLED,
    }
)
WORST_FIRST = (
    StepState.UNVERIFIED,
    StepState.REFUSED,
    StepState.BLOCKED,
    StepState.SENDING,
    StepState.ACCEPTED,
    StepState.PLANNED,
    StepState.CANCELLED,
    StepState.WAIVED,
    StepState.STATED,
    StepState.VERIFIED,
    StepState.NEEDLESS,
)


class RunState(TextChoices):
    """Nobody writes one of these down: each is computed from the steps."""

    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    CLEAN_SO_FAR = "clean_so_far", _("Clean so far")
    CLEAN = "clean", _("Clean")
    CLEAN_WITH_EXCEPTIONS = "clean_with_exceptions", _("Clean with exceptions")
    NEEDS_ATTENTION = "needs_attention", _("Needs attention")
    CANCELLED = "cancelled", _("Cancelled")


def worst(states: Iterable[str]) -> str:
    """The state of a target: its worst step. A target without steps has nothing left to do."""
    present = set(states)
    return next((state for state in WORST_FIRST if state in present), StepState.NEEDLESS)


def run_state(
    *,
    under_way: int,
    for_a_person: int,
    waived: int,
    second_looks: int,
    stated: int = 0,
    cancelled: int = 0,
    paused: bool = False,
) -> RunState:
    """The state of a run from its counts of steps. `under_way` leaves out the second looks still to come.

    What a person accepted or stated is an exception: nobody read it back.
    """
    if under_way:
        return RunState.PAUSED if paused else RunState.RUNNING
    if for_a_person:
        return RunState.NEEDS_ATTENTION
    if cancelled:
        return RunState.CANCELLED
    if second_looks:
        return RunState.CLEAN_SO_FAR
    return RunState.CLEAN_WITH_EXCEPTIONS if waived or stated else RunState.CLEAN


@dataclass(frozen=True)
class PlannedStep:
    """One step to write down. A `hold` says why a guard stops it already now ("" when none does)."""

    kind: StepKind
    method_id: Any = None
    hold: str = ""
    registration_id: Any = None


@dataclass(frozen=True)
class PlannedTarget:
    """One shared account and its steps, in the order in which they are done. Work may begin at once, or at a time."""

    account_id: Any
    steps: tuple[PlannedStep, ...]
    not_before: dt.datetime | None = None


def steps_for_account(
    removals: Sequence[PlannedStep], *, hold: str = "", tries: Sequence[StepKind] = ()
) -> tuple[PlannedStep, ...]:
    """The order inside an account.

    The password goes first, because whoever still knows it could register another method meanwhile. `tries` are the
    kinds of TRIES that the policy asks for: each comes after the proof, and none holds up the hand-over.
    """
    return (
        PlannedStep(StepKind.ROTATE_PASSWORD, hold=hold),
        *(PlannedStep(r.kind, r.method_id, hold or r.hold) for r in removals),
        PlannedStep(StepKind.REVOKE_SESSIONS, hold=hold),
        PlannedStep(StepKind.PROVE, hold=hold),
        *(PlannedStep(kind, hold=hold) for kind in tries),
        PlannedStep(StepKind.RESHARE, hold=hold),
        PlannedStep(StepKind.SECOND_LOOK, hold=hold),
    )


def steps_for_removal(removals: Sequence[PlannedStep], *, hold: str = "") -> tuple[PlannedStep, ...]:
    """Methods go and nobody's password is new: whoever had them stays, or has never seen the one in force."""
    return (
        *(PlannedStep(r.kind, r.method_id, hold or r.hold) for r in removals),
        PlannedStep(StepKind.REVOKE_SESSIONS, hold=hold),
        PlannedStep(StepKind.PROVE, hold=hold),
        PlannedStep(StepKind.SECOND_LOOK, hold=hold),
    )


def steps_for_rotation(*, hold: str = "") -> tuple[PlannedStep, ...]:
    """Nobody leaves, so nobody's authenticator and no session goes: the password alone is new."""
    kinds = (StepKind.ROTATE_PASSWORD, StepKind.PROVE, StepKind.RESHARE)
    return tuple(PlannedStep(kind, hold=hold) for kind in kinds)


def held_acts(steps: Iterable[PlannedStep], reason: str) -> tuple[PlannedStep, ...]:
    """The same steps, in which every act that no other guard stops is stopped for this reason."""
    return tuple(replace(s, hold=s.hold or reason) if s.kind in ACTS else s for s in steps)


def hands_off() -> str:
    """Why Latchkey changes nothing in such a tenant."""
    return str(
        _(
            "In this tenant Latchkey reads and changes nothing. Take the script of this run, run it, and say here that "
            "it ran: then Latchkey reads what became of it."
        )
    )


def steps_for_exit(
    removals: Sequence[PlannedStep], *, hold: str = "", tries: Sequence[StepKind] = ()
) -> tuple[PlannedStep, ...]:
    """The customer takes the account over: as in a departure, but nobody of ours gets the new password."""
    return tuple(step for step in steps_for_account(removals, hold=hold, tries=tries) if step.kind != StepKind.RESHARE)


def waits_for_hand_over() -> str:
    """Why the last of our methods stays, said by the plan of a customer's exit and again right before the act."""
    return str(
        _(
            "It stays until the customer has a way in: make the package with the new password on the page of the exit. "
            "Then it goes."
        )
    )


def break_glass() -> str:
    """Why nothing happens on such an account."""
    return str(_("This is a break-glass account: automation never touches it. A person must change it by hand."))


def leaves_a_way_in(*, ways_in: Iterable[Any], present: Iterable[Any], going: Iterable[Any]) -> bool:
    """The lock-out guard: does a method of somebody who stays remain, once `going` are gone?

    `ways_in` are the methods of remaining holders, `present` those that the last look showed.
    """
    return bool((set(ways_in) & set(present)) - set(going))


def last_way_in(*, password_changes: bool = True) -> str:
    """The guard's sentence, said by the plan and again by the check right before the act."""
    if password_changes:
        return str(
            _(
                "This is the last way in: nobody who stays has a working authenticator on this account. "
                "The authenticator stays; the password is changed all the same. "
                "Enrol somebody who stays, then try again."
            )
        )
    return str(
        _(
            "This is the last way in: nobody else has a working authenticator on this account, so the authenticator "
            "stays. Enrol somebody who holds the account, then try again; until then a new password keeps others out."
        )
    )


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, before each next try or look."""

    read_back: tuple[float, ...] = (1, 2, 4, 8, 15, 30)
    unverified: tuple[float, ...] = (60, 300, 900, 3600)
    looks_before_resending: int = 3
    unreachable: tuple[float, ...] = (5, 10, 20, 40, 80, 160, 300, 300)
    candidates: int = 5
    second_look: float = 65 * 60
    next_code: float = 30
    codes: int = 3

    def next_read_back(self, looks: int) -> float | None:
        """Seconds until the next look at something accepted, None when it has been looked at often enough."""
        return self.read_back[looks] if looks < len(self.read_back) else None

    def next_unverified(self, looks: int) -> float:
        """Seconds until the sweep looks again at something that could not be proven; grows, never ends."""
        late = max(0, looks - len(self.read_back))
        return self.unverified[min(late, len(self.unverified) - 1)]

    def next_try(self, tries: int) -> float | None:
        """Seconds until an unreachable tenant is tried again, None when a person should look."""
        return self.unreachable[tries] if tries < len(self.unreachable) else None


DID_NOT_SIGN_IN = "did_not_sign_in"
"""What `Step.was` remembers of a rotation whose password was refused at the sign-in after a lost answer."""

CLOCK_DIFFERENCE = dt.timedelta(minutes=5)
"""Assumption: our clock and Microsoft's differ by less than this."""


@dataclass(frozen=True)
class StepFacts:
    """What a judge needs of a step: what it is about, what was read before it, when it was sent."""

    kind: str
    status: str
    method: tuple[str, str] | None = None
    """(directory id, kind) of the method to remove."""
    was: dict[str, Any] = field(default_factory=dict)
    sent_at: dt.datetime | None = None


def is_done(step: StepFacts, look: Observation) -> bool:
    """Does this reading show that the step has had its effect?"""
    if step.kind == StepKind.REMOVE_METHOD:
        assert step.method is not None
        directory_id, kind = step.method
        return not look.has(directory_id, MethodKind(kind))
    if step.kind == StepKind.ROTATE_PASSWORD:
        return ours(step, look) and (
            moved(step.was.get("password_changed_at"), look.password_changed_at)
            or (step.status == StepState.ACCEPTED and since(step.was.get("read_at"), look.password_changed_at))
        )
    if step.kind == StepKind.REVOKE_SESSIONS:
        return moved(step.was.get("sessions_valid_from"), look.sessions_valid_from) or since(
            step.was.get("read_at"), look.sessions_valid_from
        )
    raise ValueError(f"{step.kind} is not an act")


def moved(before: str | None, now: dt.datetime | None) -> bool:
    """A time that Microsoft keeps is later than it was before the act."""
    if now is None:
        return False
    return before is None or now > dt.datetime.fromisoformat(before)


def since(read_at: str | None, now: dt.datetime | None) -> bool:
    """A time that Microsoft keeps is not before our reading.

    Microsoft's times have whole seconds, so two changes within one second leave the same time behind. For sessions
    this is all that is asked: those of before our reading have ended, whoever ended them. For a password it counts
    only when Microsoft has answered yes besides.
    """
    if read_at is None or now is None:
        return False
    return now >= dt.datetime.fromisoformat(read_at).replace(microsecond=0)


def ours(step: StepFacts, look: Observation) -> bool:
    """Was the password changed about when we sent it? A change at another time was somebody else's.

    Once our password was refused at the sign-in, no time of change can speak for it.
    """
    if step.was.get(DID_NOT_SIGN_IN) or step.sent_at is None or look.password_changed_at is None:
        return False
    return abs(look.password_changed_at - step.sent_at) <= CLOCK_DIFFERENCE


@dataclass(frozen=True)
class Expected:
    """What must be true at the end: these methods gone, no others new, this password time, sessions ended."""

    gone: frozenset[tuple[str, str]]
    known: frozenset[tuple[str, str]]
    password_changed_at: dt.datetime | None
    sessions_valid_from: dt.datetime | None


@dataclass(frozen=True)
class Contradiction:
    """One difference between what the steps claim and what the directory shows."""

    what: str
    method: tuple[str, str] | None = None


def contradictions(expected: Expected, look: Observation) -> list[Contradiction]:
    """What the reading shows that the steps do not say. Empty means proven."""
    found = []
    for method in look.methods:
        key = (method.directory_id, str(method.kind))
        if key in expected.gone:
            found.append(Contradiction(str(_("A method that was removed is there again.")), key))
        elif key not in expected.known:
            found.append(
                Contradiction(str(_("A method appeared since the run began, and nobody here registered it.")), key)
            )
    if expected.password_changed_at and look.password_changed_at != expected.password_changed_at:
        found.append(Contradiction(str(_("The password was changed again, and not by Latchkey."))))
    if expected.sessions_valid_from and (
        look.sessions_valid_from is None or look.sessions_valid_from < expected.sessions_valid_from
    ):
        found.append(Contradiction(str(_("The end of the sessions is not visible any more."))))
    return found
