"""Rows that hold an envelope, and how they come from retired data keys to the live ones while everybody works on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models.functions import Substr
from django.utils import timezone

from msp.errors import KeyTrouble
from msp.vault.database import Vault, hold_successors
from msp.vault.envelope import KEY_ID_AT, KEY_ID_BYTES
from msp.vault.models import DataKey

PATIENCE_SECONDS = 300.0
"""How long other transactions may hold rows that are still to be sealed anew."""


@dataclass(frozen=True)
class Sealed:
    """A column with envelopes. `place` of a row says where its envelope belongs; `needs` is what that must load.

    `batch` rows are in memory and locked at once: whoever wants one of them waits for some hundredths of a second.
    """

    model: type[models.Model]
    needs: tuple[str, ...] = ()
    column: str = "sealed"
    batch: int = 100

    def sealed_by(self, keys: Collection[UUID]) -> models.QuerySet[Any]:
        """The rows whose envelope names one of these data keys."""
        named = Substr(self.column, KEY_ID_AT + 1, KEY_ID_BYTES, output_field=models.BinaryField())
        rows = self.model._base_manager.annotate(sealed_by=named)
        return rows.filter(sealed_by__in=[key.bytes for key in keys])


@dataclass
class Pass:
    """What came of one walk through the rows: how many were sealed anew, and which do not open."""

    resealed: int = 0
    unreadable: tuple[str, ...] = ()


def reseal_everything(vault: Vault, columns: Sequence[Sealed], tell: Callable[[int], None]) -> Pass:
    """Walk until nothing is sealed by a retired key, except what does not open with it. Raises KeyTrouble.

    `tell` hears after each batch how many were sealed anew. Rows that somebody else holds are left for the next walk.
    """
    sum_of_all, deadline = Pass(), time.monotonic() + PATIENCE_SECONDS
    while True:
        keys = list(DataKey.objects.retired().values_list("pk", flat=True))
        walk = Pass()
        for column in columns:
            for batch in _batches(vault, column, keys):
                walk.resealed += batch.resealed
                walk.unreadable += batch.unreadable
                tell(sum_of_all.resealed + walk.resealed)
        sum_of_all = Pass(sum_of_all.resealed + walk.resealed, walk.unreadable)
        left = sum(column.sealed_by(keys).count() for column in columns)
        if left <= len(walk.unreadable):
            return sum_of_all
        if walk.resealed:
            deadline = time.monotonic() + PATIENCE_SECONDS
        elif time.monotonic() > deadline:
            raise KeyTrouble(
                f"{left} sealed values are held by other transactions, so they still have their old data keys; "
                "everything opens. Look for what hangs in the database, and run rotate_keys again."
            )
        else:
            time.sleep(0.2)


def destroy_unused(columns: Sequence[Sealed]) -> int:
    """Destroy the retired data keys that no envelope names. Says how many."""
    with transaction.atomic():
        # Whoever sealed with one of them before it was retired commits first: the lock waits for that.
        locked = DataKey.objects.retired().order_by("pk").select_for_update()
        keys = {row.pk for row in locked}
        for column in columns:
            named = column.sealed_by(keys).values_list("sealed_by", flat=True).distinct()
            keys -= {UUID(bytes=bytes(key)) for key in named}
        return DataKey.objects.filter(pk__in=keys).update(wrapped=b"", destroyed_at=timezone.now())


def _batches(vault: Vault, column: Sealed, keys: Collection[UUID]) -> Iterator[Pass]:
    rows: list[Any] = []
    while True:
        with transaction.atomic():
            ahead = column.sealed_by(keys).order_by("pk")
            if rows:
                ahead = ahead.filter(pk__gt=rows[-1].pk)
            if column.needs:
                ahead = ahead.select_related(*column.needs)
            # Locked, so that nobody's newer value is overwritten; skipping, so that we never wait for anybody.
            rows = list(ahead.select_for_update(of=("self",), skip_locked=True, no_key=True)[: column.batch])
            done = _resealed(vault, column, rows)
        if not rows:
            return
        yield done


def _resealed(vault: Vault, column: Sealed, rows: Sequence[Any]) -> Pass:
    changed, unreadable = [], []
    named = {row.pk: UUID(bytes=bytes(row.sealed_by)) for row in rows}
    held = hold_successors(set(named.values()))
    for row in rows:
        if named[row.pk] not in held:
            continue
        old, live = held[named[row.pk]]
        try:
            setattr(row, column.column, vault.reseal(old, live, bytes(getattr(row, column.column)), row.place))
        except KeyTrouble:
            unreadable.append(f"{row._meta.label} {row.pk}")
        else:
            changed.append(row)
    if changed:
        column.model._base_manager.bulk_update(changed, [column.column])
    return Pass(len(changed), tuple(unreadable))
