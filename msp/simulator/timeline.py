"""What is going to happen in the cloud by itself, by its own clock: the time line of a scenario."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

DONE = "done"


@dataclass
class Planned:
    """One event. `verb` and `given` are those of the control API. outcome: "" waits, "done", or why it failed."""

    at: dt.datetime
    verb: str
    given: dict[str, Any] = field(default_factory=dict)
    outcome: str = ""


class TimeLine:
    """Events in the order of their moments. What `perform` does with one is set by whoever plays them."""

    def __init__(self) -> None:
        self.perform: Callable[[Planned], None] | None = None
        self._events: list[Planned] = []
        # Held while an event happens, so that no two happen at once and none out of order.
        self._playing = threading.RLock()

    def plan(self, events: Iterable[Planned]) -> None:
        with self._playing:
            self._events = sorted([*self._events, *events], key=lambda event: event.at)

    def events(self) -> list[Planned]:
        """All of them, those that happened too."""
        return list(self._events)

    def moments_until(self, end: dt.datetime) -> list[dt.datetime]:
        """When something happens that has not happened yet, up to the end."""
        return sorted({event.at for event in self.events() if not event.outcome and event.at <= end})

    def play(self, now: dt.datetime) -> None:
        """Let everything happen that is due. A failure is written down and stops nothing that comes after."""
        with self._playing:
            for event in self.events():
                if self.perform is None or event.outcome or event.at > now:
                    continue
                event.outcome = "begun"
                try:
                    self.perform(event)
                    event.outcome = DONE
                # Whatever it is: the clock goes on, and the state page shows it.
                except Exception as wrong:
                    event.outcome = f"failed: {wrong}"
