"""Each account of a run says what it waits for and until when, in a sentence of its own."""

from __future__ import annotations

import datetime as dt

import pytest

from msp.web.templatetags.latchkey import duration
from tenants.plans import StepKind, StepState
from tenants.waiting_words import WaitingFacts, waiting_of

NOW = dt.datetime(2026, 11, 25, 16, 0, tzinfo=dt.UTC)
SOON, LATER = NOW + dt.timedelta(minutes=1), NOW + dt.timedelta(hours=1)
ROTATE, PROVE, LOOK = StepKind.ROTATE_PASSWORD, StepKind.PROVE, StepKind.SECOND_LOOK


def account(state: str = StepState.PLANNED, *, then: str = StepState.PLANNED, **facts) -> WaitingFacts:
    """One act in that state, and the second look."""
    return WaitingFacts(steps=[(ROTATE, state), (LOOK, then)], **({"due_at": SOON} | facts))


def said(facts: WaitingFacts) -> str:
    waiting = waiting_of(facts, NOW)
    return waiting.why if waiting else ""


SITUATIONS = {
    "its turn": account(due_at=NOW),
    "a time that was set": account(),
    "in work": account(lease_until=SOON, lease_is_ours=True),
    "another run in work": account(lease_until=SOON),
    "another run changes the password": account(other_run_changes_password=True),
    "paused": account(is_paused=True),
    "by hand": account(is_guided=True, due_at=None),
    "throttled": account(busy_until=LATER),
    "unreachable": account(tries=3),
    "answer lost": account(StepState.SENDING),
    "accepted": account(StepState.ACCEPTED),
    "not visible yet": account(StepState.ACCEPTED, looks=2),
    "not seen": account(StepState.UNVERIFIED),
    "second look": account(StepState.VERIFIED, second_look_at=LATER),
    "a person": account(StepState.REFUSED, then=StepState.VERIFIED, due_at=None),
    "the script": account(StepState.BLOCKED, then=StepState.VERIFIED, due_at=None, is_hands_off=True),
    "forgotten": account(due_at=None),
}


class EverySituation:
    @pytest.mark.parametrize("facts", SITUATIONS.values(), ids=SITUATIONS)
    def test_has_a_whole_sentence(self, facts):
        assert said(facts).endswith(".")

    def test_has_a_sentence_of_its_own(self):
        assert len({said(facts) for facts in SITUATIONS.values()}) == len(SITUATIONS)


class AnAccountWithNothingLeft:
    @pytest.mark.parametrize("state", [StepState.VERIFIED, StepState.NEEDLESS, StepState.WAIVED, StepState.CANCELLED])
    def test_says_nothing(self, state):
        assert said(account(state, then=state, due_at=None)) == ""


class TheTimeOfTheNextTry:
    def test_is_what_microsoft_asked_for_when_it_throttles(self):
        assert waiting_of(account(busy_until=LATER), NOW).at == LATER

    def test_is_the_second_look_when_all_else_is_done(self):
        assert waiting_of(account(StepState.VERIFIED, second_look_at=LATER), NOW).at == LATER

    @pytest.mark.parametrize("facts", [account(tries=2), account(StepState.ACCEPTED, looks=1)])
    def test_is_when_the_account_is_due_otherwise(self, facts):
        assert waiting_of(facts, NOW).at == SOON

    @pytest.mark.parametrize("name", ["paused", "a person", "the script", "by hand"])
    def test_is_none_where_a_person_has_to_act(self, name):
        waiting = waiting_of(SITUATIONS[name], NOW)
        assert (waiting.at, waiting.for_a_person) == (None, True)


class WhenSeveralReasonsMeet:
    def test_what_was_sent_is_read_back_although_the_run_is_paused(self):
        assert said(account(StepState.ACCEPTED, is_paused=True)) == said(account(StepState.ACCEPTED))

    def test_patience_that_is_over_is_not_mentioned(self):
        assert said(account(busy_until=NOW - dt.timedelta(seconds=1))) == said(account())

    def test_a_lease_that_ran_out_is_nobodys(self):
        assert said(account(lease_until=NOW - dt.timedelta(seconds=1))) == said(account())


class ALengthOfTime:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "1 s"), (0.2, "1 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"),
            (86399, "23 h 59 min"), (86400, "1 d 0 h"), (90000, "1 d 1 h"),
        ],
    )  # fmt: skip
    def test_is_told_in_its_two_largest_units(self, seconds, words):
        assert duration(dt.timedelta(seconds=seconds)) == words
