"""Keeps a handful of services running until somebody says stop. Does not load Django.

Services start in the order they are added and stop in the reverse order. One that dies is started again after
a pause that doubles (1 to 30 seconds) and is forgotten once it has run for a minute. Every child is on a leash,
so when this process is killed they go too.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from msp.ops.home import say
from msp.ops.processes import Child, Service, ServiceTrouble

LONGEST_PAUSE = 30.0
WELL_AGAIN_AFTER = 60.0


class Interrupted(Exception):
    """Somebody asked us to stop while something was still starting."""


class Kept:
    """One service and the memory of its crashes."""

    def __init__(self, service: Service, child: Child) -> None:
        self.service = service
        self.child = child
        self.crashes = 0
        self.start_again_at: float | None = None


class Supervisor:
    """Use it in the main thread, as a context: leaving it stops everything that it started."""

    def __init__(self, *, pause: float = 1.0, show: Callable[[str, str], None] | None = None) -> None:
        self.kept: list[Kept] = []
        self.asked_to_stop = 0
        self._pause = pause
        self._show = show or show_with_name
        self._handlers: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Supervisor:
        assert threading.current_thread() is threading.main_thread(), "children are tied to the thread that starts them"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        """The first signal asks for an orderly end; one more ends it without grace."""
        self.asked_to_stop += 1
        if self.asked_to_stop == 2:
            for kept in self.kept:
                kept.child.kill()

    # --- starting ---------------------------------------------------------------------------------------------

    def add(self, *services: Service) -> None:
        """Start them together, return when each is ready. Raises ServiceTrouble or Interrupted."""
        self.spawn(*services)
        self.wait_for(*services)

    def spawn(self, *services: Service) -> None:
        for service in services:
            self._unless_stopping()
            self.kept.append(Kept(service, Child(service, self._show)))

    def wait_for(self, *services: Service) -> None:
        for kept in self.kept:
            if kept.service in services:
                kept.child.wait_until_ready(given_up=lambda: bool(self.asked_to_stop))
        self._unless_stopping()

    def run_to_its_end(self, service: Service) -> int:
        """Run a command that ends by itself, while the others are looked after. Returns its exit code."""
        self._unless_stopping()
        child = Child(service, self._show)
        try:
            while child.alive and not self.asked_to_stop:
                self.look_after()
                time.sleep(0.03)
        finally:
            child.stop()
        self._unless_stopping()
        return child.process.returncode

    def _unless_stopping(self) -> None:
        if self.asked_to_stop:
            raise Interrupted

    # --- running ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Look after the services until a signal asks for the end."""
        while not self.asked_to_stop:
            self.look_after()
            time.sleep(0.1)

    def look_after(self) -> None:
        """Start what died again, when its pause is over."""
        now = time.monotonic()
        for kept in self.kept:
            if kept.start_again_at is None:
                if not kept.child.alive:
                    self._note_crash(kept, now)
            elif now >= kept.start_again_at:
                kept.start_again_at = None
                try:
                    kept.child = Child(kept.service, self._show)
                except (OSError, ServiceTrouble) as trouble:
                    say(f"{kept.service.name} could not be started again: {trouble}")
                    self._note_crash(kept, now)

    def _note_crash(self, kept: Kept, now: float) -> None:
        kept.child.stop()  # whatever is left of its process group
        if now - kept.child.started_at > WELL_AGAIN_AFTER:
            kept.crashes = 0
        pause = min(self._pause * 2**kept.crashes, LONGEST_PAUSE)
        kept.crashes += 1
        kept.start_again_at = now + pause
        code = kept.child.process.returncode
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        say(f"{kept.service.name} ended unexpectedly ({cause}); it starts again in {pause:g} s.")

    # --- stopping ---------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop everything, the last one first."""
        for kept in reversed(self.kept):
            kept.child.stop()
        self.kept.clear()


def show_with_name(name: str, line: str) -> None:
    sys.stderr.write(f"{name:>9} | {line}\n")
    sys.stderr.flush()
