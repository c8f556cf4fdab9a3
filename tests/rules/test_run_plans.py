"""The rules of runs: order, states, guard, and what a reading proves."""

from __future__ import annotations

import datetime as dt

import pytest

from msp.microsoft.ports import MethodKind, Observation, ObservedMethod
from tenants.plans import (
    DID_NOT_SIGN_IN,
    Expected,
    Patience,
    PlannedStep,
    RunState,
    StepFacts,
    StepKind,
    StepState,
    contradictions,
    is_done,
    leaves_a_way_in,
    run_state,
    steps_for_account,
    worst,
)

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(minutes=1)


def look(*methods: tuple[str, MethodKind], password_at: dt.datetime = NOON, sessions_at: dt.datetime = NOON):
    return Observation(
        object_id="o", user_principal_name="admin@contoso.example", display_name="", enabled=True, synced=False,
        password_changed_at=password_at, sessions_valid_from=sessions_at,
        methods=tuple(ObservedMethod(kind, name) for name, kind in methods), read_at=LATER,
    )  # fmt: skip


class TheOrderInsideAnAccount:
    def test_password_first_then_methods_then_sessions_then_proof_and_hand_over(self):
        removals = [PlannedStep(StepKind.REMOVE_METHOD, 1), PlannedStep(StepKind.REMOVE_METHOD, 2)]
        assert [(s.kind, s.method_id) for s in steps_for_account(removals)] == [
            (StepKind.ROTATE_PASSWORD, None),
            (StepKind.REMOVE_METHOD, 1),
            (StepKind.REMOVE_METHOD, 2),
            (StepKind.REVOKE_SESSIONS, None),
            (StepKind.PROVE, None),
            (StepKind.RESHARE, None),
            (StepKind.SECOND_LOOK, None),
        ]

    def test_what_must_be_refused_is_tried_after_the_proof(self):
        kinds = [s.kind for s in steps_for_account([], tries=(StepKind.TRY_PASSWORD, StepKind.TRY_SESSION))]
        assert kinds[2:] == [
            StepKind.PROVE, StepKind.TRY_PASSWORD, StepKind.TRY_SESSION, StepKind.RESHARE, StepKind.SECOND_LOOK
        ]  # fmt: skip

    def test_a_hold_on_the_account_holds_every_step(self):
        tries = (StepKind.TRY_PASSWORD,)
        steps = steps_for_account([PlannedStep(StepKind.REMOVE_METHOD, 1)], hold="break-glass", tries=tries)
        assert {s.hold for s in steps} == {"break-glass"}


class TheStateOfARun:
    @pytest.mark.parametrize(
        ("counts", "state"),
        [
            ({"under_way": 1, "for_a_person": 3}, RunState.RUNNING),
            ({"for_a_person": 1, "second_looks": 5}, RunState.NEEDS_ATTENTION),
            ({"second_looks": 1, "waived": 1}, RunState.CLEAN_SO_FAR),
            ({"waived": 1}, RunState.CLEAN_WITH_EXCEPTIONS),
            ({}, RunState.CLEAN),
        ],
    )
    def test_is_its_worst_part(self, counts: dict[str, int], state: RunState):
        assert run_state(**({"under_way": 0, "for_a_person": 0, "waived": 0, "second_looks": 0} | counts)) == state

    def test_a_target_is_as_good_as_its_worst_step(self):
        assert worst([StepState.VERIFIED, StepState.NEEDLESS]) == StepState.VERIFIED
        assert worst([StepState.VERIFIED, StepState.WAIVED]) == StepState.WAIVED
        assert worst([StepState.WAIVED, StepState.PLANNED]) == StepState.PLANNED
        assert worst([StepState.PLANNED, StepState.UNVERIFIED, StepState.BLOCKED]) == StepState.UNVERIFIED

    def test_every_state_has_a_place_in_that_order(self):
        assert [worst([state]) for state in StepState] == list(StepState)


class TheLockOutGuard:
    def test_a_method_of_somebody_who_stays_is_enough(self):
        assert leaves_a_way_in(ways_in={"ben"}, present={"ana", "ben"}, going={"ana"})

    def test_a_method_that_the_last_look_did_not_show_does_not_count(self):
        assert not leaves_a_way_in(ways_in={"ben"}, present={"ana"}, going={"ana"})

    def test_what_goes_does_not_count(self):
        assert not leaves_a_way_in(ways_in={"ana"}, present={"ana"}, going={"ana"})


class WhatAReadingProves:
    def test_a_removal_when_the_method_is_absent(self):
        step = StepFacts(StepKind.REMOVE_METHOD, "accepted", ("m1", "software_oath"))
        assert not is_done(step, look(("m1", MethodKind.SOFTWARE_OATH)))
        assert is_done(step, look(("m2", MethodKind.SOFTWARE_OATH)))
        assert is_done(step, look(("m1", MethodKind.PHONE)))

    def test_a_rotation_when_the_time_of_the_password_moved_about_when_we_sent_it(self):
        step = StepFacts(
            StepKind.ROTATE_PASSWORD, "sending", was={"password_changed_at": NOON.isoformat()}, sent_at=LATER
        )
        assert not is_done(step, look(password_at=NOON))
        assert is_done(step, look(password_at=LATER))
        assert not is_done(step, look(password_at=LATER + dt.timedelta(hours=1)))

    def test_a_rotation_within_the_second_of_our_reading_only_when_microsoft_said_yes(self):
        was = {"password_changed_at": NOON.isoformat(), "read_at": NOON.replace(microsecond=900_000).isoformat()}
        accepted = StepFacts(StepKind.ROTATE_PASSWORD, "accepted", was=was, sent_at=NOON)
        sending = StepFacts(StepKind.ROTATE_PASSWORD, "sending", was=was, sent_at=NOON)
        assert is_done(accepted, look(password_at=NOON))
        assert not is_done(sending, look(password_at=NOON))
        assert not is_done(accepted, look(password_at=NOON - dt.timedelta(seconds=1)))

    def test_no_rotation_whose_password_did_not_sign_in(self):
        was = {"password_changed_at": NOON.isoformat(), DID_NOT_SIGN_IN: True}
        step = StepFacts(StepKind.ROTATE_PASSWORD, "unverified", was=was, sent_at=LATER)
        assert not is_done(step, look(password_at=LATER))

    def test_a_revocation_when_sessions_of_before_our_reading_have_ended(self):
        step = StepFacts(
            StepKind.REVOKE_SESSIONS, "accepted",
            was={"sessions_valid_from": NOON.isoformat(), "read_at": NOON.replace(microsecond=900_000).isoformat()},
        )  # fmt: skip
        assert not is_done(step, look(sessions_at=NOON - dt.timedelta(seconds=1)))
        assert is_done(step, look(sessions_at=LATER))
        assert is_done(step, look(sessions_at=NOON)), "two revocations in one second leave one time behind"

    def test_nothing_when_microsoft_shows_no_time(self):
        step = StepFacts(StepKind.ROTATE_PASSWORD, "accepted", was={}, sent_at=LATER)
        assert not is_done(step, look(password_at=None))


class TheContradictions:
    expected = Expected(
        gone=frozenset({("ana", "software_oath")}), known=frozenset({("ben", "software_oath")}),
        password_changed_at=NOON, sessions_valid_from=NOON,
    )  # fmt: skip

    def test_none_when_all_is_as_the_steps_say(self):
        assert contradictions(self.expected, look(("ben", MethodKind.SOFTWARE_OATH))) == []

    @pytest.mark.parametrize(
        ("reading", "words"),
        [
            (look(("ana", MethodKind.SOFTWARE_OATH)), "is there again"),
            (look(("eve", MethodKind.SOFTWARE_OATH)), "nobody here registered"),
            (look(password_at=LATER), "not by Latchkey"),
            (look(sessions_at=NOON - dt.timedelta(days=1)), "not visible any more"),
        ],
    )
    def test_each_difference_is_named(self, reading: Observation, words: str):
        [found] = contradictions(self.expected, reading)
        assert words in found.what


class ThePatience:
    def test_looks_come_further_apart_and_end(self):
        patience = Patience()
        delays = [patience.next_read_back(n) for n in range(7)]
        assert delays[:-1] == sorted(delays[:-1]) and delays[-1] is None  # type: ignore[type-var]

    def test_the_unverified_is_looked_at_for_ever(self):
        assert Patience().next_unverified(1000) == 3600
