"""The worker's and beat's Celery application, `msp.celery`, in a process whose clock can jump."""

from __future__ import annotations

from tests.faults.harness import jumping_clock

jumping_clock.follow()  # before Django loads: fields keep the clock that they find

from msp.celery import app  # noqa: E402

__all__ = ["app"]
