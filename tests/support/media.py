"""Where a secret could lie that nobody wrote there on purpose: files of servers, facts of processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from django.db import connection

from msp.ops.processes import Child, ServiceTrouble
from msp.ops.servers import postgres_tools

# --- PostgreSQL --------------------------------------------------------------------------------------------------


def backup() -> bytes:
    """What `pg_dump` writes of the whole database, as SQL."""
    facts = connection.settings_dict
    command = [_pg_dump(), "--format=plain", "--inserts", "--rows-per-insert=50"]
    for option, name in (("--host", "HOST"), ("--port", "PORT"), ("--username", "USER")):
        command += [f"{option}={facts[name]}"] if facts[name] else []
    environment = os.environ | ({"PGPASSWORD": facts["PASSWORD"]} if facts["PASSWORD"] else {})
    done = subprocess.run([*command, facts["NAME"]], env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _pg_dump() -> str:
    with suppress(ServiceTrouble):
        return str(postgres_tools(None) / "pg_dump")
    found = shutil.which("pg_dump")
    assert found, "no PostgreSQL wheel and no pg_dump on this machine"
    return found


def table_files() -> bytes:
    """The files of the database as they lie on the disk, with what was deleted and not yet written over.

    Empty when the server's files are not ours to read.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        if not cursor.fetchone()[0]:
            return b""
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        oid = cursor.fetchone()[0]
        cursor.execute("SHOW data_directory")
        place = Path(cursor.fetchone()[0]) / "base" / str(oid)
        # Catalogues are in every database and say only what tables are called.
        cursor.execute("SELECT pg_relation_filepath(oid) FROM pg_class WHERE relfilenode >= 16384")
        names = {Path(path).name for (path,) in cursor.fetchall() if path}
    if not os.access(place, os.R_OK | os.X_OK):
        return b""
    files = (p for p in sorted(place.iterdir()) if p.name.partition(".")[0].partition("_")[0] in names)
    return b"".join(p.read_bytes() for p in files)


# --- the broker --------------------------------------------------------------------------------------------------


@contextmanager
def every_command_kept(url: str) -> Iterator[Any]:
    """The broker appends each command to its file, as in an installation. Gives a function that reads what it wrote.

    It gives b"" for a server that somebody else runs.
    """
    server = redis.Redis.from_url(url)
    place = Path(server.config_get("dir")["dir"])
    ours = "LATCHKEY_TEST_REDIS_URL" not in os.environ and os.access(place, os.R_OK | os.X_OK)
    before = server.config_get("appendonly")["appendonly"]
    if ours:
        server.config_set("appendonly", "yes")
    try:
        yield lambda: _appended(server, place) if ours else b""
    finally:
        if ours:
            server.config_set("appendonly", before)
        server.close()


def _appended(server: Any, place: Path) -> bytes:
    end = time.monotonic() + 30
    while server.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < end:
        time.sleep(0.1)
    files = sorted((place / server.config_get("appenddirname")["appenddirname"]).iterdir())
    return b"\n".join(p.read_bytes() for p in files)


# --- processes ---------------------------------------------------------------------------------------------------


def with_children(pid: int) -> list[int]:
    """A process and all that it started, as Linux knows them."""
    found = [pid]
    for number in found:
        for task in Path(f"/proc/{number}/task").glob("*"):
            with suppress(OSError):
                found += [int(word) for word in (task / "children").read_text().split()]
    return found


def environment_and_arguments(pids: list[int]) -> bytes:
    """What these processes were told at their start; to be read by whoever runs as the same user."""
    found = []
    for pid in pids:
        with suppress(OSError):
            found += [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    return b"\n".join(found)


def core_limit(pid: int) -> str:
    """How large a core file of this process may become, as the kernel says it."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4]


@contextmanager
def running(child: Child) -> Iterator[Child]:
    try:
        child.wait_until_ready()
        yield child
    finally:
        child.stop()
