"""Read many tenants at once: each in a thread, one account after the other; none holds up the others."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from msp.outside import Outside
from tenants.actions.observe_tenant import Reading, observe_tenant
from tenants.models import SharedAccount

AT_ONCE = 16
GLANCE = 0.5
PATIENCE = 60
"""How often a tenant may ask for patience before its other accounts are given up for this time."""
NO_PATIENCE = "The tenant kept asking for patience, so this account was not read. Nothing was changed; try again later."


@dataclass
class _Tour:
    """The accounts of one tenant that are still to be read, and from when on it may be asked again."""

    accounts: list[SharedAccount]
    not_before: float = 0.0
    waits: int = 0


@dataclass
class Outcome:
    """`problems` says in words why an account was not read."""

    read: list[SharedAccount] = field(default_factory=list)
    problems: dict[SharedAccount, str] = field(default_factory=dict)


def observe_all(accounts: Iterable[SharedAccount], *, outside: Outside) -> Outcome:
    """Needs `tenant` loaded. A tenant that is asked too often waits without a thread."""
    by_tenant: defaultdict[Any, list[SharedAccount]] = defaultdict(list)
    for account in accounts:
        by_tenant[account.tenant_id].append(account)
    waiting = [_Tour(found) for found in by_tenant.values()]
    outcome = Outcome()
    in_hand: dict[Future[Reading], _Tour] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="observe") as pool:
        while waiting or in_hand:
            now = time.monotonic()
            for tour in [tour for tour in waiting if tour.not_before <= now][: AT_ONCE - len(in_hand)]:
                waiting.remove(tour)
                in_hand[pool.submit(_read, tour.accounts, outside)] = tour
            if not in_hand:
                time.sleep(GLANCE)
                continue
            done, _still = wait(in_hand, timeout=GLANCE, return_when=FIRST_COMPLETED)
            for future in done:
                again = _take(future.result(), in_hand.pop(future), outcome)
                waiting += [again] if again else []
    return outcome


def _read(accounts: list[SharedAccount], outside: Outside) -> Reading:
    try:
        return observe_tenant(accounts, outside=outside)
    finally:
        connection.close()


def _take(reading: Reading, tour: _Tour, outcome: Outcome) -> _Tour | None:
    """Note what was read; returns the rest of the tour, if the tenant asked for patience."""
    outcome.read += reading.read
    outcome.problems |= reading.problems
    if not reading.left:
        return None
    if tour.waits >= PATIENCE:
        outcome.problems |= dict.fromkeys(reading.left, NO_PATIENCE)
        return None
    return _Tour(reading.left, time.monotonic() + reading.retry_after, tour.waits + 1)
