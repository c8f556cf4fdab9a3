"""A tenant that fails again and again is left alone for a while, so that nobody waits for it in vain."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from msp.errors import AnswerLost, Unreachable
from msp.microsoft.answers import Call, Reply

FAILURES = 5
WITHIN_SECONDS = 60.0
FIRST_REST = 30.0
LONGEST_REST = 300.0


class CircuitBreaker:
    """Counts the failures of each tenant in a row. Safe to use from any thread.

    A failure is an answer that never came, or one from 500 on; every other answer, a refusal too, shows that somebody
    is there. `now` is a clock in seconds that only goes forward.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._guard = threading.Lock()
        self._tenants: dict[str, _Circuit] = {}

    @contextlib.contextmanager
    def watching(self, tenant_id: str, call: Call) -> Iterator[Callable[[Reply], None]]:
        """Around one call; give its reply to the function that comes out.

        Raises Unreachable, before anything is sent, while the tenant rests. After the rest one call passes as a
        probe: its success opens the way again, its failure doubles the rest.
        """
        probing = self._admit(tenant_id, call)
        replies: list[Reply] = []
        try:
            yield replies.append
            if replies and replies[-1].status >= 500:
                self._failed(tenant_id, probing)
            elif replies:
                self._answered(tenant_id)
        except (Unreachable, AnswerLost):
            self._failed(tenant_id, probing)
            raise
        finally:
            if probing:
                self._probed(tenant_id)

    def _admit(self, tenant_id: str, call: Call) -> bool:
        """Whether this call is the probe."""
        with self._guard:
            circuit = self._tenants.get(tenant_id)
            if circuit is None or not circuit.rest:
                return False
            left = circuit.rests_until - self._now()
            if left <= 0 and not circuit.probing:
                circuit.probing = True
                return True
        raise _resting(tenant_id, call, max(left, 1.0))

    def _probed(self, tenant_id: str) -> None:
        """The probe is over, however it ended: the next call may be one."""
        with self._guard:
            if circuit := self._tenants.get(tenant_id):
                circuit.probing = False

    def _failed(self, tenant_id: str, probing: bool) -> None:
        with self._guard:
            self._tenants.setdefault(tenant_id, _Circuit()).failed(self._now(), probing)

    def _answered(self, tenant_id: str) -> None:
        with self._guard:
            self._tenants.pop(tenant_id, None)


@dataclass
class _Circuit:
    """One tenant: when it failed lately, and how long it rests (0: it does not)."""

    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    rest: float = 0.0
    rests_until: float = 0.0
    probing: bool = False

    def failed(self, now: float, probing: bool) -> None:
        """While it rests only the probe counts: the others were on their way before."""
        self.failures.append(now)
        if self.rest:
            rest = min(self.rest * 2, LONGEST_REST) if probing else 0.0
        else:
            in_a_row = len(self.failures) == FAILURES and now - self.failures[0] <= WITHIN_SECONDS
            rest = FIRST_REST if in_a_row else 0.0
        if rest:
            self.rest, self.rests_until = rest, now + rest


def _resting(tenant_id: str, call: Call, left: float) -> Unreachable:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=left)
    return Unreachable(
        f"Microsoft failed to answer for tenant {tenant_id} several times in a row, so nothing was sent for "
        f"{call.doing}. {call.stands} It is tried again after {until:%H:%M:%S} UTC ({math.ceil(left)} seconds).",
        code="circuit_open",
    )
