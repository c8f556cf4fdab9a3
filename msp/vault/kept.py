"""One secret kept by its name: read, used, and replaced by the one that its use brings."""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from msp.vault.database import Vault
from msp.vault.models import KeptSecret

PARTNER_REFRESH_TOKEN = "partner_refresh_token"


class Kept:
    """The secret of one name, sealed. Safe to use from any thread."""

    def __init__(self, vault: Vault, name: str) -> None:
        self._vault = vault
        self._name = name

    def read(self) -> str:
        """The secret, or "" when none was ever stored. Raises KeyTrouble when it does not open."""
        row = KeptSecret.objects.filter(name=self._name).first()
        try:
            return self._opened(row) if row else ""
        finally:
            _give_connection_back()

    def replace(self, used: str, new: str) -> None:
        """Keep `new` in the place of `used`. When another one lies there by now, that one stays: it is younger."""
        with transaction.atomic():
            row = KeptSecret.objects.select_for_update().filter(name=self._name).first()
            if row and self._opened(row) == used:
                self._seal(row, new)
        _give_connection_back()

    def store(self, new: str, *, reseller_id: UUID) -> None:
        """Keep what a person brought, whatever was there before."""
        with transaction.atomic():
            row = KeptSecret.objects.select_for_update().filter(name=self._name).first()
            row = row or KeptSecret(name=self._name)
            row.reseller_id = reseller_id
            self._seal(row, new)

    def _opened(self, row: KeptSecret) -> str:
        return self._vault.open(bytes(row.sealed), row.place).decode()

    def _seal(self, row: KeptSecret, new: str) -> None:
        row.sealed, row.changed_at = self._vault.seal(new.encode(), row.place), timezone.now()
        row.save()


def _give_connection_back() -> None:
    """Whoever asked is about to wait for Microsoft, and connections are few; inside a transaction it is needed."""
    if not connection.in_atomic_block:
        connection.close()
