"""The database connection of a worker that is about to wait for somebody else."""

from __future__ import annotations

from django.db import connection


def give_connection_back() -> None:
    """Return it to the pool: workers are many, connections are few, and a call to Microsoft may take a minute.

    Inside a transaction it is needed, and kept.
    """
    if not connection.in_atomic_block:
        connection.close()
