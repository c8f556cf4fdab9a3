"""Why an account of a run waits, and until when: facts in, a sentence out. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.plans import StepKind, StepState

FOR_A_PERSON = frozenset({StepState.REFUSED, StepState.BLOCKED})


@dataclass(frozen=True)
class WaitingFacts:
    """What is known of one account of a run. `steps` are (kind, state), `looks` the most readings of one of them."""

    steps: Collection[tuple[str, str]]
    due_at: dt.datetime | None = None
    second_look_at: dt.datetime | None = None
    tries: int = 0
    looks: int = 0
    busy_until: dt.datetime | None = None
    lease_until: dt.datetime | None = None
    lease_is_ours: bool = False
    other_run_changes_password: bool = False
    is_paused: bool = False
    is_guided: bool = False
    is_hands_off: bool = False


@dataclass(frozen=True)
class Waiting:
    """`why` is a sentence, `at` when Latchkey comes back to the account (None: not by itself, or at once)."""

    why: str
    at: dt.datetime | None = None
    for_a_person: bool = False


def waiting_of(facts: WaitingFacts, now: dt.datetime) -> Waiting | None:
    """None when nothing is left to do on this account and nobody is waited for."""
    states = {state for _kind, state in facts.steps}
    to_send = any(s == StepState.PLANNED and k != StepKind.SECOND_LOOK for k, s in facts.steps)
    if facts.due_at is None and not to_send and not states & {StepState.SENDING, StepState.ACCEPTED}:
        return _for_a_person(states, facts)
    return (
        _in_other_hands(facts, now)
        or _held(facts, to_send)
        or _told_to_wait(facts, now)
        or _waiting_for_a_reading(facts, states)
        or _later(facts, to_send, now)
    )


def _for_a_person(states: set[str], facts: WaitingFacts) -> Waiting | None:
    if states & FOR_A_PERSON:
        if facts.is_hands_off:
            return Waiting(
                _("Latchkey changes nothing in this tenant: a person runs the script and says here that it ran."),
                for_a_person=True,
            )
        return Waiting(_("Nothing more happens by itself: a person has to decide."), for_a_person=True)
    return None


def _in_other_hands(facts: WaitingFacts, now: dt.datetime) -> Waiting | None:
    if facts.lease_until is not None and facts.lease_until > now:
        if facts.lease_is_ours:
            return Waiting(_("A worker is on this account right now."))
        return Waiting(_("Another run is working on this account; this one goes on when that one lets go."))
    if facts.other_run_changes_password and (StepKind.ROTATE_PASSWORD, StepState.PLANNED) in facts.steps:
        why = _("Another run is changing the same password; this one goes on when that change is proven.")
        return Waiting(why, facts.due_at)
    return None


def _held(facts: WaitingFacts, to_send: bool) -> Waiting | None:
    if facts.is_paused and to_send:
        return Waiting(_("The run is paused: nothing more is sent until somebody resumes it."), for_a_person=True)
    if to_send and facts.is_guided:
        return Waiting(_("A person does these steps by hand and says here that they are done."), for_a_person=True)
    return None


def _told_to_wait(facts: WaitingFacts, now: dt.datetime) -> Waiting | None:
    if facts.busy_until is not None and facts.busy_until > now:
        why = _("Microsoft asked for patience in this tenant. Nothing is lost; it is tried again then.")
        return Waiting(why, facts.busy_until)
    if facts.tries:
        why = ngettext(
            "The tenant could not be reached, %(tries)d time so far. Nothing was sent; it is tried again then.",
            "The tenant could not be reached, %(tries)d times so far. Nothing was sent; it is tried again then.",
            facts.tries,
        ) % {"tries": facts.tries}
        return Waiting(why, facts.due_at)
    return None


def _waiting_for_a_reading(facts: WaitingFacts, states: set[str]) -> Waiting | None:
    if StepState.SENDING in states:
        why = _("A change was sent and no answer was read. The account is read back before anything is sent again.")
        return Waiting(why, facts.due_at)
    if StepState.ACCEPTED in states:
        why = ngettext(
            "Microsoft said yes, and %(looks)d reading does not show it yet. It is read again then.",
            "Microsoft said yes, and %(looks)d readings do not show it yet. It is read again then.",
            facts.looks,
        ) % {"looks": facts.looks}
        if not facts.looks:
            why = _("Microsoft said yes; the change is read back next.")
        return Waiting(why, facts.due_at)
    if StepState.UNVERIFIED in states and facts.due_at is not None:
        why = _("Accepted, and not seen when read back. Latchkey keeps looking, and a person should look too.")
        return Waiting(why, facts.due_at, for_a_person=True)
    return None


def _later(facts: WaitingFacts, to_send: bool, now: dt.datetime) -> Waiting | None:
    if facts.due_at is None:
        return Waiting(_("Nothing wakes this account up by itself. Try again, or tell whoever runs Latchkey."))
    if facts.due_at <= now:
        return Waiting(_("It is this account's turn; a worker takes it next."), facts.due_at)
    if to_send:
        return Waiting(_("It goes on at the time that was set."), facts.due_at)
    if facts.second_look_at is not None:
        why = _("What was sent was read back. The second look follows when older tokens have run out.")
        return Waiting(why, facts.second_look_at)
    return Waiting(_("It is looked at again then."), facts.due_at)
