"""What every bench script stands on: private servers, an empty database, and a simulated cloud in its own process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from msp.ops import credential
from msp.ops.servers import EmbeddedPair, Layout


@contextlib.contextmanager
def stage() -> Iterator[Path]:
    """A data directory with running servers and Django set up; everything is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="latchkey-bench-", dir="/tmp"))
    place.chmod(0o711)
    layout = Layout(place / "postgres", place / "run", place / "valkey", place / "logs", durable=True)
    pair = EmbeddedPair(layout)
    try:
        pair.start()
        home = place / "home"
        (home / "keys").mkdir(mode=0o700, parents=True)
        home.chmod(0o700)
        os.environ |= {
            "DATABASE_URL": layout.database_url,
            "REDIS_URL": layout.redis_url,
            "LATCHKEY_HOME": str(home),
            "LATCHKEY_DATABASE_POOL": "80",
            "LATCHKEY_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "msp.settings",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield home
    finally:
        pair.stop()
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def cloud_process(home: Path, *, seed: int) -> Iterator[tuple[str, Path, int]]:
    """(address, state directory, process id) of a simulator that does not share our interpreter."""
    state = home / "simulator"
    command = [sys.executable, "-m", "msp.simulator", "--state-dir", str(state), "--port", "0", "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[1], state, process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def certificate(home: Path) -> Path:
    return credential.make(home / "keys" / "client.pem")
