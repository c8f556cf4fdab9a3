"""Is a typed code right, wrong, or the right one of a wrong clock?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from technicians.codes import FARTHEST, SECONDS, code_at, judge

SEED = b"12345678901234567890"
NOW = 1_111_111_109.0

EIGHT_DIGITS = {59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924",
                2000000000: "69279037", 20000000000: "65353130"}  # fmt: skip
"""RFC 6238 appendix B, SHA-1. Six digits are the last six of eight: both are one number, cut."""


def step(at: float) -> int:
    return int(at // SECONDS)


class ACode:
    @pytest.mark.parametrize(("at", "digits"), EIGHT_DIGITS.items())
    def test_is_that_of_the_standard(self, at: int, digits: str):
        assert code_at(SEED, step(at)) == digits[-6:]

    def test_keeps_its_leading_zeros(self):
        found = [code_at(SEED, number) for number in range(2000)]
        assert {len(code) for code in found} == {6}
        assert any(code.startswith("0") for code in found)


class ATypedCode:
    @pytest.mark.parametrize("away", [-1, 0, 1])
    def test_is_accepted_one_step_before_and_after(self, away: int):
        verdict = judge(SEED, code_at(SEED, step(NOW) + away), at=NOW)
        assert verdict.accepted
        assert verdict.step == step(NOW) + away

    def test_may_have_spaces_as_apps_show_them(self):
        code = code_at(SEED, step(NOW))
        assert judge(SEED, f" {code[:3]} {code[3:]} ", at=NOW).accepted

    @pytest.mark.parametrize(("away", "minutes"), [(2, 1), (-2, -1), (14, 7), (-14, -7), (60, 30)])
    def test_of_a_wrong_clock_is_not_accepted_and_says_by_how_much(self, away: int, minutes: int):
        verdict = judge(SEED, code_at(SEED, step(NOW) + away), at=NOW)
        assert not verdict.accepted
        assert verdict.minutes_ahead == minutes

    def test_from_farther_away_is_just_wrong(self):
        verdict = judge(SEED, code_at(SEED, step(NOW) + FARTHEST + 1), at=NOW)
        assert (verdict.accepted, verdict.minutes_ahead) == (False, None)

    @pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "१२३४५६", "12345x"])
    def test_that_is_none_is_refused(self, typed: str):
        assert not judge(SEED, typed, at=NOW).accepted

    @given(st.binary(min_size=10, max_size=64), st.integers(min_value=10**9, max_value=4 * 10**9))
    def test_of_any_seed_at_any_time_is_accepted_now(self, seed: bytes, at: int):
        assert judge(seed, code_at(seed, step(at)), at=at).accepted

    @given(st.binary(min_size=20, max_size=20), st.integers(min_value=0, max_value=999_999))
    def test_is_accepted_only_when_it_is_one_of_three(self, seed: bytes, number: int):
        typed = f"{number:06d}"
        near = {code_at(seed, step(NOW) + away) for away in (-1, 0, 1)}
        assert judge(seed, typed, at=NOW).accepted == (typed in near)
