"""Writing a fact down, in the same transaction as the act: no record, no act."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from msp.errors import BadInput, LedgerClosed
from msp.ledger.canonical import canonical
from msp.ledger.models import Entry

SCHEMA = 1
LATCHKEY = "latchkey"


class Person(Protocol):
    """Whoever can be named as the one who acted."""

    @property
    def pk(self) -> Any: ...

    @property
    def email(self) -> str: ...


def record(
    verb: str,
    *,
    reseller_id: UUID,
    actor: Person | None,
    tenant_id: UUID | None = None,
    account_id: UUID | None = None,
    run_id: UUID | None = None,
    technician_id: UUID | None = None,
    **facts: object,
) -> Entry:
    """Add one entry; `actor` None means Latchkey itself. Facts are plain values (see `canonical`), never a secret.

    Raises LedgerClosed outside a transaction, and when the entry cannot be written; the surrounding atomic block is
    then lost, even if somebody catches the error, so that the act cannot be committed without its record.
    """
    about = {"tenant_id": tenant_id, "account_id": account_id, "run_id": run_id, "technician_id": technician_id}
    entry = _entry_of(verb, reseller_id, actor, about, facts)
    if _gathered.entries is None or _savepoints() > _gathered.savepoints:
        # What is said within a savepoint may be taken back with it.
        _write([entry])
    else:
        _gathered.entries.append(entry)
    return entry


@contextmanager
def written_together() -> Iterator[None]:
    """What is recorded inside is written in one go at the end: begin and end it within one transaction.

    Raises LedgerClosed there, as `record` would have. Inside another one it is part of that.
    """
    if _gathered.entries is not None:
        yield
        return
    entries: list[Entry] = []
    _gathered.entries, _gathered.savepoints = entries, _savepoints()
    try:
        yield
    finally:
        _gathered.entries = None
    _write(entries)


class _Gathered(threading.local):
    """The entries of this thread's transaction that wait to be written, and how deep in savepoints it began."""

    entries: list[Entry] | None = None
    savepoints: int = 0


_gathered = _Gathered()


def _savepoints() -> int:
    return sum(name is not None for name in transaction.get_connection().savepoint_ids)


def _entry_of(
    verb: str, reseller_id: UUID, actor: Person | None, about: dict[str, UUID | None], facts: dict[str, object]
) -> Entry:
    if not transaction.get_connection().in_atomic_block:
        raise LedgerClosed(
            f"{verb} was not written down: an entry belongs into the transaction of its act. Nothing was changed."
        )
    trouble = ""
    try:
        return _entry(verb, reseller_id, actor, about, facts)
    except BadInput as wrong:
        trouble = str(wrong)
    transaction.set_rollback(True)
    raise LedgerClosed(f"{verb} could not be written to the ledger ({trouble}), so it did not happen.")


def _write(entries: Sequence[Entry]) -> None:
    trouble = ""
    try:
        Entry.objects.bulk_create(entries)
    except DatabaseError as wrong:
        trouble = _named(wrong)
    # Raised out here, so that no traceback carries the database's own words: they quote the row.
    if trouble:
        transaction.set_rollback(True)
        verbs = ", ".join(dict.fromkeys(entry.verb for entry in entries))
        raise LedgerClosed(f"{verbs} could not be written to the ledger ({trouble}), so it did not happen.")


def leaf_hash(body: bytes) -> bytes:
    """The hash of one leaf of a Merkle tree: SHA-256(0x00 || body), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + body).digest()


def _entry(
    verb: str, reseller_id: UUID, actor: Person | None, about: dict[str, UUID | None], facts: dict[str, object]
) -> Entry:
    entry_id, at = uuid.uuid4(), timezone.now().astimezone(dt.UTC)
    name, actor_id = (actor.email, actor.pk) if actor else (LATCHKEY, None)
    said = {"at": at, "verb": verb, "actor": name, "actor_id": actor_id, "reseller_id": reseller_id, **about}
    body = canonical({"schema": SCHEMA, "entry": entry_id, **said, "facts": facts})
    return Entry(uuid=entry_id, **said, body=body, leaf_hash=leaf_hash(body))


def _named(error: DatabaseError) -> str:
    """What kind of trouble it was, by class and SQLSTATE."""
    state = getattr(error.__cause__, "sqlstate", None)
    return f"{type(error).__name__}, SQLSTATE {state}" if state else type(error).__name__
