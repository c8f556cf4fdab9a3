"""What two codes say about one seed, by the moment each came in."""

from __future__ import annotations

import pytest

from technicians.comparison_plans import READING, STEP_SECONDS, Verdict, compared, seconds_left, step_read

NOON = 1_800_000_000
"""The beginning of a step."""


class WhenACodeComesIn:
    def test_it_counts_for_the_step_in_which_it_was_read(self):
        assert step_read(NOON + READING) == NOON // STEP_SECONDS
        assert step_read(NOON + STEP_SECONDS - 1) == NOON // STEP_SECONDS

    def test_in_the_first_seconds_it_was_read_from_the_code_before(self):
        assert step_read(NOON) == NOON // STEP_SECONDS - 1
        assert step_read(NOON + READING - 0.1) == NOON // STEP_SECONDS - 1

    @pytest.mark.parametrize(("after", "left"), [(READING, 30), (READING + 1, 29), (30, 5), (34, 1), (35, 30)])
    def test_it_is_said_how_long_the_other_has(self, after: int, left: int):
        assert seconds_left(NOON + after) == left


class WhenTwoCodesAreCompared:
    def test_equal_ones_prove_one_seed(self):
        assert compared(7, 7, equal=True) == Verdict.SHARED

    @pytest.mark.parametrize("second", [6, 8])
    def test_equal_ones_prove_it_also_when_one_was_typed_at_the_edge(self, second: int):
        assert compared(7, second, equal=True) == Verdict.SHARED

    def test_different_ones_of_one_step_are_two_seeds(self):
        assert compared(7, 7, equal=False) == Verdict.INDEPENDENT

    @pytest.mark.parametrize("second", [6, 8])
    def test_different_ones_of_two_steps_say_nothing_because_one_seed_has_a_new_code_in_each(self, second: int):
        assert compared(7, second, equal=False) == Verdict.TOO_LATE

    @pytest.mark.parametrize("equal", [True, False])
    def test_further_apart_they_never_say_anything(self, equal: bool):
        assert compared(7, 9, equal=equal) == Verdict.TOO_LATE
