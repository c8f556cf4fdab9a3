"""Is a typed code one of this seed, and if not, is it a clock that is wrong? No database, no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass

from django_otp.oath import hotp

from tenants.token_plans import DIGITS, SECONDS

WINDOW = (0, -1, 1)
"""Steps before and after now that are accepted (RFC 6238 section 5.2: one step for the delay of network and hand)."""
FARTHEST = 60
"""Steps that are searched in order to tell a wrong clock from a wrong code: half an hour."""


@dataclass(frozen=True)
class Verdict:
    """`step` is the number of the 30 seconds since 1970 that the code is of, None when it is of none near now.

    `minutes_ahead` is by how much the phone's clock is wrong (negative: behind), None when that is not the trouble.
    """

    step: int | None
    minutes_ahead: int | None = None

    @property
    def accepted(self) -> bool:
        return self.step is not None and self.minutes_ahead is None


def digits_of(typed: str) -> str:
    """What was typed, without the spaces that apps show."""
    return "".join(typed.split())


def judge(seed: bytes, typed: str, *, at: float) -> Verdict:
    """`at` in seconds since 1970."""
    typed, now = digits_of(typed), int(at // SECONDS)
    if not (typed.isascii() and typed.isdigit() and len(typed) == DIGITS):
        return Verdict(None)
    for away in WINDOW:
        if code_at(seed, now + away) == typed:
            return Verdict(now + away)
    for away in sorted(range(-FARTHEST, FARTHEST + 1), key=abs):
        if code_at(seed, now + away) == typed:
            return Verdict(now + away, minutes_ahead=_minutes(away))
    return Verdict(None)


def code_at(seed: bytes, step: int) -> str:
    """The code of that number of 30 seconds since 1970 (RFC 6238: TOTP is HOTP of the time step)."""
    return str(hotp(seed, step, DIGITS)).zfill(DIGITS)


def _minutes(steps: int) -> int:
    minutes = round(steps * SECONDS / 60)
    return minutes or (1 if steps > 0 else -1)
