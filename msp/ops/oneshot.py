"""One management command, on the servers that run already or on our own for as long as it takes."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Iterator

import django
from django.conf import settings
from django.core.management import ManagementUtility, call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from msp.ops.home import REAL, Home, say
from msp.ops.processes import ServiceTrouble
from msp.ops.servers import EmbeddedPair, Layout

PATIENCE = 90.0
WITHOUT_SERVERS = {"", "help", "version", "check", "makemigrations", "makemessages", "compilemessages"}
WITHOUT_SERVERS |= {"collectstatic", "findstatic", "diffsettings"}


def manage(argv: list[str], command: str, arguments: list[str]) -> int:
    """A management command, on the running servers or on ones started just for it."""
    if command in WITHOUT_SERVERS or command.startswith("-") or {"-h", "--help", "--version"} & set(arguments):
        return execute(argv)
    home = Home.here()
    home.open(home.kind() or REAL)
    with servers_for_a_command(home) as ours:
        if ours and command != "migrate":
            bring_up_to_date()
        return execute(argv)


def execute(argv: list[str]) -> int:
    """Returns the exit code. What could write does not even begin with a root key that does not fit."""
    try:
        if trouble := trouble_of_keys(argv):
            say(trouble)
            return 1
        ManagementUtility(argv).execute()
    except SystemExit as end:
        if isinstance(end.code, str):
            say(end.code)
            return 1
        return end.code or 0
    finally:
        if settings.configured:
            close_pools()
    return 0


def trouble_of_keys(argv: list[str]) -> str:
    command = argv[1] if len(argv) > 1 else ""
    if command in WITHOUT_SERVERS or command.startswith("-") or {"-h", "--help", "--version"} & set(argv):
        return ""
    django.setup()
    return str(importlib.import_module("msp.ops.root_key").trouble_for(command))


def close_pools() -> None:
    """Leave no connection behind, so that the servers can stop at once."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if isinstance(connection, DatabaseWrapper):
            connection.close_pool()


def bring_up_to_date() -> None:
    """Our private database follows the code; a server of its own is migrated by whoever looks after it."""
    django.setup()
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


@contextlib.contextmanager
def servers_for_a_command(home: Home) -> Iterator[bool]:
    """True when the servers are ours: new, private, and gone afterwards. Raises ServiceTrouble.

    A second command that comes meanwhile leans on them; we then wait for it before we stop them.
    """
    pair = EmbeddedPair(
        Layout.of(home.path), postgres=not home.is_given("DATABASE_URL"), valkey=not home.is_given("REDIS_URL")
    )
    if not pair.postgres and not pair.valkey:
        yield False
        return
    deadline = time.monotonic() + PATIENCE
    while True:
        with home.using():
            if pair.answers():
                yield False
                return
        lock = home.try_to_own("command")
        if lock:
            break
        if time.monotonic() > deadline:
            raise ServiceTrouble(f"The servers of {home.path} (process {home.owner()[1]}) do not answer.")
        time.sleep(0.1)
    with lock:
        home.settle()
        pair.start()
        try:
            yield True
        finally:
            with home.without_users():
                pair.stop()
