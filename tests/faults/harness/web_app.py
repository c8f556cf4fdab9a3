"""The web's application, `msp.wsgi`, in a process whose clock can jump."""

from __future__ import annotations

from tests.faults.harness import jumping_clock

jumping_clock.follow()

from msp.wsgi import application  # noqa: E402

__all__ = ["application"]
