"""The vault: secrets go in with their place and come out only in that place. Data keys live in the database."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from msp.errors import KeyTrouble
from msp.vault import envelope as envelopes
from msp.vault.envelope import KEY_BYTES, Place, side_by_side
from msp.vault.keepers.port import KeyKeeper
from msp.vault.models import DataKey

# The lock lets a key be retired or wrapped anew meanwhile, and holds up whoever would destroy it (PostgreSQL 13.3.2).
_LIVE = "SELECT * FROM vault_datakey WHERE reseller_id = %s AND retired_at IS NULL AND destroyed_at IS NULL"
_LIVE_OF_TENANT = f"{_LIVE} AND tenant_id = %s FOR KEY SHARE"
_LIVE_OF_RESELLER = f"{_LIVE} AND tenant_id IS NULL FOR KEY SHARE"
_SUCCESSORS = """
    SELECT live.* FROM vault_datakey old JOIN vault_datakey live
    ON live.reseller_id = old.reseller_id AND live.tenant_id IS NOT DISTINCT FROM old.tenant_id
    WHERE old.id = ANY(%s) AND live.retired_at IS NULL AND live.destroyed_at IS NULL FOR KEY SHARE OF live
"""

_WRAPPING = int.from_bytes(b"wrapping")
"""The advisory lock of those who wrap data keys, against whoever retires a root key."""


class Vault:
    """Seals and opens secrets. One instance serves a whole process and all its threads.

    Unwrapped data keys are kept in this process's memory only. The row of a key is read at each use all the same, so
    that a destroyed key opens nothing from that second on.
    """

    def __init__(self, keeper: KeyKeeper) -> None:
        self.keeper = keeper
        self._unwrapped: dict[UUID, bytes] = {}

    def seal(self, plaintext: bytes, place: Place) -> bytes:
        """An envelope for this place. The tenant's data key is made on first use. Raises KeyTrouble.

        Call it in the transaction that stores the envelope: until its end nobody destroys the key.
        """
        if not connection.in_atomic_block:
            raise KeyTrouble(
                f"The {place.what} was not sealed: an envelope belongs into the transaction that stores it, or its key "
                "could be destroyed in between. Nothing was changed; this is a mistake in the program."
            )
        reseller_id, tenant_id = _ids(place)
        row = _held(reseller_id, tenant_id) or self._made(reseller_id, tenant_id)
        return envelopes.seal(self._key_of(row), plaintext, place, key_id=row.id.bytes)

    def open(self, envelope: bytes, place: Place) -> bytes:
        """The plaintext. Raises KeyTrouble when the envelope is not of this place, or its key is gone or destroyed."""
        reseller_id, tenant_id = _ids(place)
        key_id = UUID(bytes=envelopes.key_id_of(bytes(envelope)))
        row = DataKey.objects.of(reseller_id, tenant_id).filter(pk=key_id).first()
        if row is None:
            raise KeyTrouble(
                f"The sealed {place.what} asks for data key {key_id}, which this tenant does not have; "
                "nothing was shown. It was moved here from elsewhere, or the key's row was lost: restore a backup."
            )
        return envelopes.open_(self._key_of(row), bytes(envelope), place)

    def reseal(self, old: DataKey, live: DataKey, envelope: bytes, place: Place) -> bytes:
        """The same secret under the tenant's live key. Raises KeyTrouble when it does not open.

        `old` and `live` come from `hold_successors`, in the transaction that stores the envelope.
        """
        secret = envelopes.open_(self._key_of(old), envelope, place)
        return envelopes.seal(self._key_of(live), secret, place, key_id=live.id.bytes)

    def destroy(self, reseller_id: UUID, tenant_id: UUID | None) -> int:
        """Destroy the tenant's data keys, and with them every secret sealed by them, for ever. Says how many."""
        destroyed = 0
        with transaction.atomic():
            # While we wait for one key, a turnover may put another in its place: look until there is none.
            while ids := _locked(reseller_id, tenant_id):
                destroyed += DataKey.objects.filter(pk__in=ids).update(wrapped=b"", destroyed_at=timezone.now())
                for key_id in ids:
                    self._unwrapped.pop(key_id, None)
        return destroyed

    def rewrap(self, row: DataKey) -> bool:
        """Wrap one data key by the current root key. False when somebody else changed the row first."""
        with transaction.atomic():
            _keep_root_keys()
            wrapped, root_key_id = self.keeper.wrap(self._unwrap(row), _bound(row.reseller_id, row.tenant_id, row.id))
            unchanged = DataKey.objects.that_open().filter(pk=row.pk, wrapped=bytes(row.wrapped))
            return unchanged.update(wrapped=wrapped, root_key_id=root_key_id) > 0

    def renew(self, row: DataKey) -> bool:
        """Another data key seals from now on; this one still opens. False when it sealed no more already."""
        with transaction.atomic():
            _keep_root_keys()
            if not DataKey.objects.live().filter(pk=row.pk).update(retired_at=timezone.now()):
                return False
            self._new(row.reseller_id, row.tenant_id).save(force_insert=True)
            return True

    def check_root_key(self) -> None:
        """Raises KeyTrouble, in one sentence for the operator, unless the root key opens every data key."""
        self._check(sorted(DataKey.objects.that_open(), key=lambda row: row.created_at))

    def probe_root_key(self) -> None:
        """The same, for the start of a process: one data key of each root key must open."""
        self._check(list(DataKey.objects.that_open().order_by("root_key_id", "created_at").distinct("root_key_id")))

    def _check(self, rows: list[DataKey]) -> None:
        if not rows:
            # Nothing is sealed yet, so only a door left open to others can be wrong: reading the file tells.
            self.keeper.is_there()
        for row in rows:
            self._unwrap(row)

    def _made(self, reseller_id: UUID, tenant_id: UUID | None) -> DataKey:
        _keep_root_keys()
        if not DataKey.objects.that_open().exists():
            self.keeper.make_unless_there()
        # Somebody else may make the same tenant's first key at this moment: the database lets one of us win.
        DataKey.objects.bulk_create([self._new(reseller_id, tenant_id)], ignore_conflicts=True)
        row = _held(reseller_id, tenant_id)
        if row is None:
            raise KeyTrouble("The data key was destroyed at the moment in which it was made; nothing was sealed.")
        return row

    def _new(self, reseller_id: UUID, tenant_id: UUID | None) -> DataKey:
        key_id = uuid.uuid4()
        wrapped, root_key_id = self.keeper.wrap(secrets.token_bytes(KEY_BYTES), _bound(reseller_id, tenant_id, key_id))
        return DataKey(
            id=key_id, reseller_id=reseller_id, tenant_id=tenant_id, wrapped=wrapped, root_key_id=root_key_id
        )

    def _key_of(self, row: DataKey) -> bytes:
        if row.destroyed_at:
            self._unwrapped.pop(row.id, None)
            raise KeyTrouble(
                f"{row} was destroyed on {row.destroyed_at:%Y-%m-%d at %H:%M} UTC, and every secret that it sealed "
                "with it. Nothing can open them again."
            )
        if row.id not in self._unwrapped:
            try:
                self._unwrapped[row.id] = self._unwrap(row)
            except KeyTrouble:
                newest = DataKey.objects.get(pk=row.pk)
                if bytes(newest.wrapped) == bytes(row.wrapped):
                    raise
                # It was wrapped anew after the row was read, and the old root key is gone since.
                return self._key_of(newest)
        return self._unwrapped[row.id]

    def _unwrap(self, row: DataKey) -> bytes:
        bound = _bound(row.reseller_id, row.tenant_id, row.id)
        return self.keeper.unwrap(bytes(row.wrapped), row.root_key_id, bound, what=str(row))


def hold_successors(key_ids: Collection[UUID]) -> dict[UUID, tuple[DataKey, DataKey]]:
    """Of each data key: itself and the live one of its tenant, which nobody destroys before this transaction ends.

    A key that was destroyed is left out, and none is made: nothing is saved from destruction in this way.
    """
    live = {(row.reseller_id, row.tenant_id): row for row in DataKey.objects.raw(_SUCCESSORS, [list(key_ids)])}
    olds = DataKey.objects.that_open().filter(pk__in=key_ids)
    return {old.pk: (old, live[of]) for old in olds if (of := (old.reseller_id, old.tenant_id)) in live}


def hold_root_keys_alone() -> None:
    """Wait until nobody wraps a data key, and let nobody begin before the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WRAPPING])


def _keep_root_keys() -> None:
    """What is wrapped in this transaction is committed before anybody retires a root key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_WRAPPING])


def _held(reseller_id: UUID, tenant_id: UUID | None) -> DataKey | None:
    """The live key, which nobody destroys before the end of this transaction."""
    if tenant_id:
        return next(iter(DataKey.objects.raw(_LIVE_OF_TENANT, [reseller_id, tenant_id])), None)
    return next(iter(DataKey.objects.raw(_LIVE_OF_RESELLER, [reseller_id])), None)


def _locked(reseller_id: UUID, tenant_id: UUID | None) -> list[UUID]:
    """The tenant's keys that open, once nobody who seals holds one of them."""
    rows = DataKey.objects.that_open().of(reseller_id, tenant_id).order_by("pk").select_for_update()
    return [row.pk for row in rows]


def _ids(place: Place) -> tuple[UUID, UUID | None]:
    return UUID(place.reseller_id), UUID(place.tenant_id) if place.tenant_id else None


def _bound(reseller_id: UUID, tenant_id: UUID | None, key_id: UUID) -> bytes:
    """What a wrapped data key belongs to. The second part is the version of this list."""
    tenant = tenant_id.bytes if tenant_id else b""
    return side_by_side(b"latchkey data key", bytes([1]), reseller_id.bytes, tenant, key_id.bytes)
