"""Where things of one installation lie on this machine. Standard library only."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_SOCKET_PATH = 100
"""A Unix socket's path may have at most 107 bytes (unix(7)), on macOS 103; kept a little below both."""


def home() -> Path:
    """The data directory: LATCHKEY_HOME, or `.latchkey` in the clone."""
    return Path(os.environ.get("LATCHKEY_HOME") or ROOT / ".latchkey").expanduser().absolute()


def _name_of(home: Path) -> str:
    return hashlib.sha256(str(home).encode()).hexdigest()[:16]


def ground(home: Path) -> Path:
    """The directory that holds the database and the sockets of one data directory.

    PostgreSQL refuses to run as root, and the unprivileged user who runs it then cannot enter root's
    private home; so root's installations keep both in a directory of their own that this user owns.
    """
    if os.geteuid() != 0:
        return home
    system = Path("/var/lib")
    if system.is_dir() and os.access(system, os.W_OK):
        return system / "latchkey" / _name_of(home)
    return Path(tempfile.gettempdir()) / f"latchkey-0-{_name_of(home)}"


def cluster_directory(home: Path) -> Path:
    """PostgreSQL's data directory."""
    return ground(home) / "postgres"


def socket_directory(home: Path) -> Path:
    """Where the private Unix sockets live; depends on nothing but the home and who asks."""
    inside = ground(home) / "run"
    if len(os.fsencode(inside / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return inside
    return Path(tempfile.gettempdir()) / f"latchkey-{os.geteuid()}-{_name_of(home)}"


def programs() -> Path:
    """Where root's installations keep a copy of PostgreSQL's programs that another user can reach."""
    beside = ground(home())
    return beside.with_name("programs" if beside.parent.name == "latchkey" else "latchkey-0-programs")
