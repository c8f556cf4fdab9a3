"""The harness itself meets the faults that it makes: it asks again, and the clock it waits by is its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from django.db import InterfaceError, OperationalError, connection
from psycopg_pool import PoolTimeout

from msp.errors import LedgerClosed, NoConnection, NotSent

PASSING = (OperationalError, InterfaceError, PoolTimeout, httpx.TransportError, NotSent, NoConnection, LedgerClosed)
TRIES = 60
PAUSE = 0.5

Answer = TypeVar("Answer")


class Stuck(Exception):
    """The harness itself could not go on: no law was judged."""


def passes(trouble: BaseException | None) -> bool:
    """Whether it, or what it came from, is of the kind that passes by itself."""
    while trouble is not None:
        if isinstance(trouble, PASSING):
            return True
        trouble = trouble.__cause__ or trouble.__context__
    return False


def patiently(do: Callable[[], Answer], *, tries: int = TRIES, pause: float = PAUSE) -> Answer:
    """Do something that is safe to do twice, again and again while what stops it passes by itself. Raises Stuck."""
    for _ in range(tries):
        try:
            return do()
        except Exception as trouble:
            if not passes(trouble):
                raise
            last = trouble
            if not connection.in_atomic_block:
                connection.close()
            # Asking a throttled tenant again and again would use up what it lets through.
            time.sleep(max(pause, getattr(trouble, "retry_after", 0)))
    raise Stuck(f"{last!r} did not pass") from last
