"""Arithmetic of the clocks: how much of a time is gone, and what a crowd of durations is like. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence


def time_gone(start: dt.datetime, end: dt.datetime, now: dt.datetime) -> float:
    """How much of the time from `start` to `end` has passed, in percent; more than 100 afterwards."""
    if end <= start:
        return 100.0 if now >= end else 0.0
    return 100 * (now - start) / (end - start)


def percentile(durations: Sequence[dt.timedelta], share: float) -> dt.timedelta | None:
    """The shortest of the durations within which `share` (0 to 1) of them lie (nearest rank); None of none."""
    if not durations:
        return None
    ordered = sorted(durations)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
