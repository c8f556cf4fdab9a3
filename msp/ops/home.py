"""The data directory of one installation: its kind, its settings file, and who may run its servers.

Two lock files keep order (flock(2); the system drops them with their process, however it ends):
`owner.lock` is held by the one process that runs the servers, `users.lock` is shared by every command that
leans on somebody else's. A one-shot owner waits for those before it stops the servers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from msp.ops import places
from msp.ops.processes import ServiceTrouble, private

DEMO, REAL = "demo", "real"
SETTINGS_FILE = "latchkey.env"
ADDRESS_FILE = "address"
"""Where the pages were last served. Apart from the settings, because nobody chose it there."""


def say(line: str) -> None:
    """Progress and trouble go to standard error, so that standard output stays what was asked for."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Home:
    """One data directory. Open it before anything is read or written in it."""

    path: Path

    @classmethod
    def here(cls) -> Home:
        return cls(places.home())

    # --- what it is -------------------------------------------------------------------------------------------

    def kind(self) -> str:
        """`demo`, `real`, or "" while nobody has claimed it."""
        return self._read("kind")

    def open(self, kind: str) -> None:
        """Make it ours. Raises ServiceTrouble when it cannot be written or is of the other kind."""
        found = self.kind()
        if found and found != kind:
            other = "up" if found == REAL else "demo"
            raise ServiceTrouble(
                f"{self.path} holds a {found} installation, so it is left alone. "
                f"Start that one with `python3 manage.py {other}`, or give another directory with LATCHKEY_HOME=path."
            )
        try:
            for directory in (self.path, self.path / "keys", self.path / "logs", self.path / "static"):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                directory.chmod(0o700)
        except OSError as wrong:
            raise ServiceTrouble(
                f"{self.path} cannot be written ({wrong.strerror}). Give a directory that can with LATCHKEY_HOME=path."
            ) from None
        if not found:
            self.write("kind", kind)

    def settle(self) -> None:
        """Root's database lies elsewhere (see `places.ground`): one left by a home that is gone is moved aside.

        Only for the holder of the owner lock, before the servers start.
        """
        ground = places.ground(self.path)
        if ground == self.path:
            return
        if not self._read("installation"):
            self.write("installation", secrets.token_hex(8))
        ground.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        mark = ground / "installation"
        if ground.is_dir() and (not mark.is_file() or mark.read_text() != self._read("installation")):
            aside = ground.with_name(f"{ground.name}.left-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
            ground.rename(aside)
            say(f"A database of an earlier {self.path} was found without its keys; it was moved to {aside}.")
        ground.mkdir(mode=0o755, exist_ok=True)
        ground.chmod(0o755)
        mark.write_text(self._read("installation"))

    def wipe(self) -> None:
        """Remove everything of a demo but the two locks. Raises ServiceTrouble for anything else."""
        if self.kind() != DEMO:
            raise ServiceTrouble(f"{self.path} is not a demo, so it is not wiped.")
        for ground in {places.ground(self.path), places.socket_directory(self.path)} - {self.path}:
            shutil.rmtree(ground, ignore_errors=True)
        for entry in self.path.iterdir():
            if entry.suffix == ".lock":
                continue
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def address(self) -> str:
        """Where the pages are, or were last; "" before the first start."""
        return self._read(ADDRESS_FILE)

    # --- small files ------------------------------------------------------------------------------------------

    def write(self, name: str, content: str) -> None:
        """Replace a private file at once, so that no reader ever sees half of it."""
        making = self.path / f".{name}.{os.getpid()}"
        with open(making, "w", opener=private) as made:
            made.write(content)
        making.replace(self.path / name)

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text().strip()
        except OSError:
            return ""

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def settings(self) -> dict[str, str]:
        """What latchkey.env says, quotes removed."""
        lines = re.findall(r"^(?:export )?([A-Z][A-Z0-9_]*)=(.*)$", self._read(SETTINGS_FILE), re.MULTILINE)
        return {name: value.strip().strip("'\"") for name, value in lines}

    def keep_settings(self, settings: Mapping[str, str]) -> None:
        """Put settings into latchkey.env for commands in other terminals; what else stands there stays."""
        text = self._read(SETTINGS_FILE)
        for name, value in settings.items():
            text = re.sub(rf"^(export )?{name}=.*\n?", "", text, flags=re.MULTILINE)
            text = f"{text.rstrip()}\n{name}={value}\n".lstrip()
        self.write(SETTINGS_FILE, text)

    def is_given(self, name: str) -> bool:
        """Whether an installation chose this setting itself, in the environment or in latchkey.env."""
        known = {**self.settings(), **os.environ}
        return bool(known.get(name) or known.get(f"{name}_FILE"))

    # --- who runs the servers ---------------------------------------------------------------------------------

    def try_to_own(self, what: str) -> IO[str] | None:
        """The open owner lock, to be kept until the servers are stopped; None while somebody else has it."""
        lock = open(self.path / "owner.lock", "a+", opener=private)  # noqa: SIM115 - the caller keeps it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        lock.truncate(0)
        lock.write(f"{what} {os.getpid()}")
        lock.flush()
        return lock

    def owner(self) -> tuple[str, str]:
        """(what, process id) of the one who runs the servers, or who did so last."""
        what, _, process = self._read("owner.lock").partition(" ")
        return what, process

    def own_as_supervisor(self) -> IO[str]:
        """Wait for a short command to end; refuse when another supervisor runs. Raises ServiceTrouble."""
        told = False
        while (lock := self.try_to_own("supervisor")) is None:
            what, process = self.owner()
            if what == "supervisor":
                raise ServiceTrouble(f"Latchkey already runs on {self.path} (process {process}). Stop that one first.")
            if not told:
                say(f"Waiting for a command (process {process}) that is using {self.path}.")
                told = True
            time.sleep(0.2)
        return lock

    @contextlib.contextmanager
    def using(self) -> Iterator[IO[str]]:
        """The open users lock, shared: while it is held, no one-shot owner stops the servers."""
        with open(self.path / "users.lock", "a", opener=private) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield lock

    @contextlib.contextmanager
    def without_users(self) -> Iterator[None]:
        """Wait until no other command leans on our servers, and keep new ones waiting meanwhile."""
        with open(self.path / "users.lock", "a", opener=private) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Done; waiting for another command that still uses the same database.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
