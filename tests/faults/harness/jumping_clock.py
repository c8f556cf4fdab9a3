"""A wall clock that a file can put wrong, in the processes of the harness.

time-machine takes the place of this process's wall clock (`time.time`, `datetime.now`); what waits goes by the
monotonic clock, which no jump touches, as on a real machine. The database's own clock and other machines' stay right.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from pathlib import Path

import time_machine

PLACE = "LATCHKEY_HARNESS_CLOCK"
"""The variable with the path of the file; it holds the seconds by which the clock is wrong."""
EVERY = 0.1


def follow() -> None:
    """From here on the clock of this process is as wrong as the file says."""
    place = Path(os.environ[PLACE])
    clock = time_machine.travel(dt.datetime.now(dt.UTC), tick=True).start()
    wait = threading.Event().wait

    def watch() -> None:
        wrong_by = 0.0
        while True:
            said = float(place.read_text() or 0)
            if said != wrong_by:
                clock.shift(said - wrong_by)
                wrong_by = said
            wait(EVERY)

    threading.Thread(target=watch, daemon=True, name="jumping-clock").start()


def put_wrong(place: Path, seconds: float) -> None:
    """Every process that follows this file has its clock put wrong by so much, against the true time."""
    beside = place.with_suffix(f".{time.monotonic_ns()}")
    beside.write_text(str(seconds))
    beside.rename(place)
