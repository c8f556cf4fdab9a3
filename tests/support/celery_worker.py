"""A real Celery worker in a process of its own, on the test's database, broker and cloud."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from tests.support.world import World


def database_url() -> str:
    """The test database as a URL, for processes that the test starts."""
    facts = connection.settings_dict
    name, user, host = facts["NAME"], facts["USER"], facts["HOST"]
    if not host or host.startswith("/"):
        return f"postgres:///{name}?host={host}&user={user}"
    return f"postgres://{user}:{facts['PASSWORD']}@{host}:{facts['PORT'] or 5432}/{name}"


def environment_of(world: World, credential: Path, home: Path, **settings: str) -> dict[str, str]:
    """What a process needs to be part of this world; its keys lie in `home`/keys."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "LATCHKEY_HOME": str(home),
        "LATCHKEY_CLIENT_ID": next(iter(world.cloud.apps)),
        "LATCHKEY_CLIENT_CERTIFICATE": str(credential),
        "LATCHKEY_LOGIN_URL": world.simulator.url,
        "LATCHKEY_GRAPH_URL": world.simulator.url,
        "LATCHKEY_CA_BUNDLE": str(world.simulator.ca_path),
        "LATCHKEY_GRAPH_TIMEOUT_SECONDS": "10",
        "DJANGO_SETTINGS_MODULE": "msp.settings",
        **settings,
    }


@contextlib.contextmanager
def celery_worker(environment: dict[str, str], ready: Path, log: Path, *, threads: int = 8) -> Iterator[int]:
    """The process id of a worker that is ready; it is killed at the end if it still lives."""
    command = [sys.executable, "-m", "celery", "-A", "msp.celery", "--quiet", "worker", "--pool", "threads"]
    command += ["--concurrency", str(threads), "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("ab") as out:
        worker = subprocess.Popen(
            command, env=environment | {"LATCHKEY_READY_FILE": str(ready)}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + 30
        while not ready.exists():
            assert worker.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.05)
        yield worker.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            worker.send_signal(signal.SIGKILL)
        worker.wait(timeout=10)
