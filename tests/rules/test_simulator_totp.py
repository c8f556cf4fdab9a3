"""The simulated cloud judges codes by RFC 6238; the numbers are those of its appendix B."""

from __future__ import annotations

import base64

import pytest

from msp.simulator import totp

SEEDS = {
    "sha1": base64.b32encode(b"12345678901234567890").decode(),
    "sha256": base64.b32encode(b"12345678901234567890123456789012").decode(),
    "sha512": base64.b32encode(b"1234567890123456789012345678901234567890123456789012345678901234").decode(),
}


class TheCodeOfAMoment:
    @pytest.mark.parametrize(
        ("at", "digest", "expected"),
        [
            (59, "sha1", "94287082"),
            (59, "sha256", "46119246"),
            (59, "sha512", "90693936"),
            (1111111109, "sha1", "07081804"),
            (1111111109, "sha256", "68084774"),
            (1111111109, "sha512", "25091201"),
            (1234567890, "sha1", "89005924"),
            (2000000000, "sha1", "69279037"),
            (20000000000, "sha1", "65353130"),
            (20000000000, "sha256", "77737706"),
            (20000000000, "sha512", "47863826"),
        ],
    )
    def test_is_the_one_in_the_rfc(self, at: int, digest: str, expected: str) -> None:
        assert totp.code(SEEDS[digest], at, digits=8, digest=digest) == expected

    def test_keeps_its_leading_zero_with_six_digits(self) -> None:
        assert totp.code(SEEDS["sha1"], 1111111109) == "081804"

    def test_does_not_care_how_the_seed_is_written(self) -> None:
        written = "gezd gnbv gy3t qojq gezd gnbv gy3t qojq"
        assert totp.code(written, 59) == "287082"


class WhenACodeIsOffered:
    @pytest.mark.parametrize("late_by", [-30, 0, 30])
    def test_the_step_before_and_after_are_forgiven(self, late_by: int) -> None:
        now = 1_700_000_010
        assert totp.matching_step(SEEDS["sha1"], totp.code(SEEDS["sha1"], now + late_by), now) == (now + late_by) // 30

    @pytest.mark.parametrize("late_by", [-61, 61])
    def test_two_steps_away_is_too_far(self, late_by: int) -> None:
        now = 1_700_000_010
        assert totp.matching_step(SEEDS["sha1"], totp.code(SEEDS["sha1"], now + late_by), now) is None
