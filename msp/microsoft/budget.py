"""How much we ask of each tenant, so that we slow down before Microsoft tells us to.

The narrowest limit that is documented: 5 requests in 10 seconds per app and tenant for the reports of identity and
access, among which the page "throttling limits" names the authentication methods.
Assumption: calls below `/users/{id}/authentication/` and to the logs count under that same limit.

Nothing here sleeps: what does not fit is answered by Busy before it is sent, and whoever asked writes down when to
come again. Each process counts for itself.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from msp.errors import BadInput, Busy
from msp.microsoft.answers import Call, Reply, patience
from msp.microsoft.batch import opened

WINDOW = 10.0
MARGIN = 0.5
"""Our window opens when a call leaves us, Microsoft's when it arrives: ours is longer by this."""
NEARLY_FULL = 0.8
BRIEFLY = 2.0

COUNTED = re.compile(r"(/v1\.0|/beta)?/(users/[^/]+/authentication/|reports/|auditLogs/)", re.IGNORECASE)


class Budget:
    """The calls of the last seconds, by tenant. Safe to use from any thread.

    `now` is a clock in seconds that only goes forward. A limit of 0 switches everything here off.
    """

    def __init__(self, calls_per_10_s: int, *, now: Callable[[], float] = time.monotonic) -> None:
        if calls_per_10_s < 0:
            raise BadInput("LATCHKEY_METHOD_CALLS_PER_10_S must be 0 (no limit of our own) or more. Nothing was sent.")
        self._most = calls_per_10_s
        self._now = now
        self._guard = threading.Lock()
        self._tenants: dict[str, _Spent] = {}

    def take(self, tenant_id: str, call: Call) -> None:
        """Make room for a call and count it. Raises Busy, and counts nothing, when it would not fit now.

        A batch with more method calls than the limit is let through when nothing else was asked lately: Microsoft
        then judges each of its parts.
        """
        if not self._most:
            return
        with self._guard:
            spent = self._tenants.setdefault(tenant_id, _Spent())
            wait = spent.wait_for(_cost(call), self._most, self._now())
        if wait:
            raise Busy(
                f"Not sent yet, so that tenant {tenant_id} is not asked for more than Microsoft allows: {call.doing}. "
                f"{call.stands} It is tried in {math.ceil(wait)} seconds.",
                retry_after=wait,
                code="own_limit",
            )

    def learn(self, tenant_id: str, call: Call, reply: Reply) -> None:
        """Slow down as an answer, or a part of a batch's answer, asks for."""
        if not self._most:
            return
        now = self._now()
        with self._guard:
            spent = self._tenants.setdefault(tenant_id, _Spent())
            for path, part in _parts(call, reply):
                if part.status == 429 and COUNTED.match(path):
                    spent.full_until = max(spent.full_until, now + patience(part))
                elif part.status == 429:
                    spent.pause_until = max(spent.pause_until, now + patience(part))
                elif part.throttle_percentage >= NEARLY_FULL:
                    spent.pause_until = max(spent.pause_until, now + BRIEFLY)


@dataclass
class _Spent:
    """One tenant: when its counted calls were sent, and until when nothing more is to be asked."""

    moments: deque[float] = field(default_factory=deque)
    full_until: float = 0.0
    pause_until: float = 0.0

    def wait_for(self, cost: int, most: int, now: float) -> float:
        """0 when it fits, and then it is counted; otherwise the seconds to wait."""
        while self.moments and self.moments[0] <= now - WINDOW - MARGIN:
            self.moments.popleft()
        until = self.pause_until
        if cost:
            until = max(until, self.full_until)
            too_many = min(len(self.moments) + cost - most, len(self.moments))
            if too_many > 0:
                until = max(until, self.moments[too_many - 1] + WINDOW + MARGIN)
        if until > now:
            return until - now
        self.moments.extend([now] * cost)
        return 0.0


def _cost(call: Call) -> int:
    return sum(1 for path in _paths(call) if COUNTED.match(path))


def _paths(call: Call) -> Iterator[str]:
    """The path of a call, or those of everything in a batch."""
    if call.path.endswith("/$batch"):
        yield from (str(item["url"]) for item in (call.body or {}).get("requests", ()))
    else:
        yield call.path


def _parts(call: Call, reply: Reply) -> Iterator[tuple[str, Reply]]:
    """(path, reply) of a call, and of every part of a batch that was answered."""
    yield call.path, reply
    if call.path.endswith("/$batch"):
        paths = {str(item["id"]): str(item["url"]) for item in (call.body or {}).get("requests", ())}
        yield from ((paths.get(name, ""), part) for name, part in opened(reply).items())
