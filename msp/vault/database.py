"""The vault: secrets go in with their place and come out only in that place. Data keys live in the database."""

from __future__ import annotations

import secrets
import uuid
from uuid import UUID

from django.utils import timezone

from msp.errors import KeyTrouble
from msp.vault import envelope as envelopes
from msp.vault.envelope import KEY_BYTES, Place, side_by_side
from msp.vault.keepers.port import KeyKeeper
from msp.vault.models import DataKey


class Vault:
    """Seals and opens secrets. One instance serves a whole process and all its threads.

    Unwrapped data keys are kept in this process's memory only. The row of a key is read at each use all the same, so
    that a destroyed key opens nothing from that second on.
    """

    def __init__(self, keeper: KeyKeeper) -> None:
        self._keeper = keeper
        self._unwrapped: dict[UUID, bytes] = {}

    def seal(self, plaintext: bytes, place: Place) -> bytes:
        """An envelope for this place. The tenant's data key is made on first use. Raises KeyTrouble."""
        reseller_id, tenant_id = _ids(place)
        row = DataKey.objects.live().of(reseller_id, tenant_id).first() or self._made(reseller_id, tenant_id)
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

    def destroy(self, reseller_id: UUID, tenant_id: UUID | None) -> bool:
        """Destroy the tenant's data key, and with it every secret sealed by it, for ever. False: there was none."""
        live = DataKey.objects.live().of(reseller_id, tenant_id)
        ids = list(live.values_list("pk", flat=True))
        gone = live.update(wrapped=b"", destroyed_at=timezone.now())
        for key_id in ids:
            self._unwrapped.pop(key_id, None)
        return gone > 0

    def check_root_key(self) -> None:
        """Raises KeyTrouble, in one sentence for the operator, unless the root key opens every live data key."""
        rows = DataKey.objects.live().order_by("created_at")
        if not rows.exists():
            # Nothing is sealed yet, so only a door left open to others can be wrong: reading the file tells.
            self._keeper.is_there()
        for row in rows.iterator():
            self._unwrap(row)

    def _made(self, reseller_id: UUID, tenant_id: UUID | None) -> DataKey:
        if not DataKey.objects.live().exists():
            self._keeper.make_unless_there()
        key_id = uuid.uuid4()
        wrapped, root_key_id = self._keeper.wrap(secrets.token_bytes(KEY_BYTES), _bound(reseller_id, tenant_id, key_id))
        row = DataKey(id=key_id, reseller_id=reseller_id, tenant_id=tenant_id, wrapped=wrapped, root_key_id=root_key_id)
        # Somebody else may make the same tenant's first key at this moment: the database lets one of us win.
        DataKey.objects.bulk_create([row], ignore_conflicts=True)
        return DataKey.objects.live().of(reseller_id, tenant_id).get()

    def _key_of(self, row: DataKey) -> bytes:
        if row.destroyed_at:
            raise KeyTrouble(
                f"{row} was destroyed on {row.destroyed_at:%Y-%m-%d at %H:%M} UTC, and every secret that it sealed "
                "with it. Nothing can open them again."
            )
        if row.id not in self._unwrapped:
            self._unwrapped[row.id] = self._unwrap(row)
        return self._unwrapped[row.id]

    def _unwrap(self, row: DataKey) -> bytes:
        bound = _bound(row.reseller_id, row.tenant_id, row.id)
        return self._keeper.unwrap(bytes(row.wrapped), row.root_key_id, bound, what=str(row))


def _ids(place: Place) -> tuple[UUID, UUID | None]:
    return UUID(place.reseller_id), UUID(place.tenant_id) if place.tenant_id else None


def _bound(reseller_id: UUID, tenant_id: UUID | None, key_id: UUID) -> bytes:
    """What a wrapped data key belongs to. The second part is the version of this list."""
    tenant = tenant_id.bytes if tenant_id else b""
    return side_by_side(b"latchkey data key", bytes([1]), reseller_id.bytes, tenant, key_id.bytes)
