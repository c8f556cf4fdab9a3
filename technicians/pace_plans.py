"""How long a run will take, from how long the last ones took: facts in, figures out. No database, no clock."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from technicians.plans import (
    CALLS_PER_TEN_SECONDS,
    REQUESTS_AT_ONCE,
    REQUESTS_PER_ACCOUNT,
    SECONDS_PER_REQUEST,
    AccountPlan,
)

SECONDS_TO_BEGIN = 5
"""From the decision until the first request: a worker is woken, or the sweep comes by."""
LOOKS_PER_ACCOUNT = 2
"""Readings of an account; each counts as a call of a method at Microsoft, as each removal does."""
ENOUGH_TO_TELL = 20
"""So many accounts a run must have had before it says how many are worked on at a time."""
FAR_OFF = 10
"""Times the median: an account that a person tried again on another day says nothing about pace."""


@dataclass(frozen=True)
class Worked:
    """One account of a finished run: when its first request went out and when its last act was read back."""

    run_id: Any
    began: dt.datetime
    ended: dt.datetime
    requests: int

    @property
    def seconds(self) -> float:
        return max(0.0, (self.ended - self.began).total_seconds())


@dataclass(frozen=True)
class Pace:
    """How fast work goes. `measured_on` is how many accounts of how many `runs` say so; 0: it is assumed.

    `at_once` is how many accounts are worked on at a time; no small run can tell that.
    """

    seconds_per_account: float = REQUESTS_PER_ACCOUNT * SECONDS_PER_REQUEST
    requests_per_account: float = REQUESTS_PER_ACCOUNT
    at_once: float = REQUESTS_AT_ONCE
    measured_on: int = 0
    runs: int = 0
    at_once_is_measured: bool = False


def measured(worked: Iterable[Worked]) -> Pace:
    """The medians of what was measured; what nothing was measured of is assumed."""
    found = list(worked)
    if not found:
        return Pace()
    usual = median(w.seconds for w in found)
    near = [w for w in found if w.seconds <= max(1.0, usual) * FAR_OFF]
    of_run: defaultdict[Any, list[Worked]] = defaultdict(list)
    for one in near:
        of_run[one.run_id].append(one)
    together = [_at_once(run) for run in of_run.values() if len(run) >= ENOUGH_TO_TELL]
    return Pace(
        seconds_per_account=usual,
        requests_per_account=median(w.requests for w in near),
        at_once=median(together) if together else REQUESTS_AT_ONCE,
        measured_on=len(near),
        runs=len(of_run),
        at_once_is_measured=bool(together),
    )


def _at_once(run: Sequence[Worked]) -> float:
    """Time spent on all accounts, over the time that passed."""
    passed = (max(w.ended for w in run) - min(w.began for w in run)).total_seconds()
    return max(1.0, sum(w.seconds for w in run) / passed) if passed > 0 else REQUESTS_AT_ONCE


@dataclass(frozen=True)
class Expected:
    """What the run will cost. `throttled_seconds` is how long the fullest tenant waits for Microsoft's limit."""

    seconds: int
    requests: int
    throttled_seconds: int
    throttled_tenants: int

    @property
    def minutes(self) -> int:
        return max(1, round(self.seconds / 60))

    @property
    def throttled_minutes(self) -> int:
        return round(self.throttled_seconds / 60)


def expected(accounts: Iterable[AccountPlan], pace: Pace) -> Expected:
    """For these accounts, if nothing is refused. What is held whole, or waits for a person, is not to be among them.

    Tenants are worked on side by side, so the fullest one decides how long Microsoft's limit (per app and tenant)
    holds the run up.
    """
    accounts = list(accounts)
    calls: defaultdict[Any, int] = defaultdict(int)
    for account in accounts:
        calls[account.holding.tenant_id] += LOOKS_PER_ACCOUNT + len(account.removals)
    waits = [
        (n - CALLS_PER_TEN_SECONDS) * 10 / CALLS_PER_TEN_SECONDS for n in calls.values() if n > CALLS_PER_TEN_SECONDS
    ]
    throttled = max(waits, default=0.0)
    by_pace = len(accounts) * pace.seconds_per_account / max(1.0, pace.at_once)
    work = max(by_pace, throttled) + pace.seconds_per_account if accounts else 0.0
    return Expected(
        seconds=round(SECONDS_TO_BEGIN + work),
        requests=round(len(accounts) * pace.requests_per_account),
        throttled_seconds=round(throttled),
        throttled_tenants=len(waits),
    )
