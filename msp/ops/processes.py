"""One child process that we answer for: started on a leash, waited for, stopped in good order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from msp.ops import leash, places

COULD_NOT_BEGIN = 2
"""The exit code of a command that said in one line why it did not even begin."""

Listener = Callable[[str, str], None]
"""(service name, line without its end): called for every line a service prints."""


class ServiceTrouble(Exception):
    """A service did not start or died; the message is for the person at the terminal."""


@dataclass(frozen=True)
class Service:
    """What to run. Times are in seconds; `command` must not hold a secret, everybody can read it.

    `farewell` is the signal for "our parent was killed"; output goes to `log`, with `straight` untouched to our
    own, else line by line to the listener. `before` runs at every start.
    """

    name: str
    command: list[str]
    ready: Callable[[], bool] = lambda: True
    before: Callable[[], None] = lambda: None
    straight: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    run_as: tuple[int, int] | None = None
    log: Path | None = None
    directory: Path = places.ROOT
    stop_signal: signal.Signals = signal.SIGTERM
    last_resort: signal.Signals = signal.SIGKILL
    farewell: signal.Signals = signal.SIGTERM
    patience: float = 60
    grace: float = 20


class Child:
    """A running service. Start it from a thread that lives as long as the process (see `msp.ops.leash`)."""

    def __init__(self, service: Service, listener: Listener | None = None) -> None:
        self.service = service
        self.started_at = time.monotonic()
        self._last_lines: deque[str] = deque(maxlen=8)
        self._listener = listener
        self._reader: threading.Thread | None = None
        user, group = service.run_as or ("-", "-")
        command = [sys.executable, "-I", "-S", str(Path(leash.__file__)), str(os.getpid()), str(int(service.farewell))]
        service.before()
        output: int | IO[bytes] | None = None if service.straight else subprocess.PIPE
        if service.log:
            output = open(service.log, "wb", opener=private)  # noqa: SIM115 - the child keeps it
        try:
            # A session of its own: Ctrl+C at the terminal reaches only us, and we stop the others in order.
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                [*command, str(user), str(group), *service.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if service.straight else subprocess.STDOUT,
                cwd=service.directory,
                env={**os.environ, **service.environment},
                start_new_session=True,
            )
        finally:
            if output is not None and not isinstance(output, int):
                output.close()
        if self.process.stdout:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for raw in self.process.stdout:
            line = raw.decode(errors="replace").rstrip()
            self._last_lines.append(line)
            if self._listener:
                self._listener(self.service.name, line)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def last_words(self) -> str:
        """The last lines it printed, for a message about its end."""
        if self.service.log:
            try:
                return "\n".join(self.service.log.read_text(errors="replace").splitlines()[-8:])
            except OSError:
                return ""
        if self._reader:
            self._reader.join(1)
        return "\n".join(self._last_lines)

    def wait_until_ready(self, given_up: Callable[[], bool] = lambda: False) -> None:
        """Return when the service answers. Raises ServiceTrouble when it ended or took longer than its patience."""
        deadline = time.monotonic() + self.service.patience
        while not given_up():
            if not self.alive:
                raise ServiceTrouble(explain(self.service.name, self.process.returncode, self.last_words()))
            if self.service.ready():
                return
            if time.monotonic() > deadline:
                raise ServiceTrouble(
                    f"{self.service.name} did not answer within {self.service.patience:.0f} seconds.\n"
                    f"{self.last_words()}".rstrip()
                )
            time.sleep(0.03)

    def kill(self) -> None:
        """No grace: whatever it was doing is found out and finished at the next start."""
        if self.alive:
            self.process.send_signal(self.service.last_resort)

    def stop(self) -> None:
        """Ask, wait for the grace time, then force; nothing of its process group is left."""
        if self.alive:
            self.process.send_signal(self.service.stop_signal)
            try:
                self.process.wait(self.service.grace)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # Mostly the whole group has ended by now (macOS says "not permitted" for a group of zombies).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self._reader:
            self._reader.join(2)


def explain(name: str, returncode: int, last_words: str) -> str:
    """Why a service ended, in one line where the cause is known."""
    if "No space left on device" in last_words:
        return f"The disk is full, so {name} could not start. Make room and start again; nothing was changed."
    if "Address already in use" in last_words:
        return f"{name} could not start: its port is taken. Choose another one with --port."
    cause = f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
    return f"{name} ended ({cause}).\n{last_words}".rstrip()


def wrong_setting(wrong: Exception) -> str:
    """What is said of django.core.exceptions.ImproperlyConfigured, which names the setting."""
    return f"{wrong} Correct this setting and start again; nothing was changed."


def private(path: str, flags: int) -> int:
    """An opener for open(): new files can be read by their owner only."""
    return os.open(path, flags, 0o600)
