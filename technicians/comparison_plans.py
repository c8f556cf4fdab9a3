"""Two people's codes side by side: do they prove one seed on both phones? No database, no network, no clock."""

from __future__ import annotations

from enum import StrEnum

STEP_SECONDS = 30
READING = 5
"""Seconds. What comes in so soon after a new code appeared was read from the one before: nobody types faster."""


class Verdict(StrEnum):
    SHARED = "shared"
    INDEPENDENT = "independent"
    TOO_LATE = "too_late"


def step_read(at: float) -> int:
    """The 30 seconds (a number since 1970) in which a code was read that came in at this moment, in seconds."""
    return int((at - READING) // STEP_SECONDS)


def seconds_left(at: float) -> int:
    """Until a code that comes in now would count for the next 30 seconds: 1 to 30."""
    return STEP_SECONDS - int((at - READING) % STEP_SECONDS)


def compared(first_step: int, second_step: int, *, equal: bool) -> Verdict:
    """What two codes say, each with the 30 seconds it was read in.

    Equal ones prove one seed also when the second was read at the edge; by chance that is one in a million. Different
    ones prove two seeds only when both were of the same 30 seconds: one seed has a new code in the next.
    """
    if abs(first_step - second_step) > 1:
        return Verdict.TOO_LATE
    if equal:
        return Verdict.SHARED
    return Verdict.INDEPENDENT if first_step == second_step else Verdict.TOO_LATE
