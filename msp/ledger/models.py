"""The ledger's rows. They are only ever added: the database itself refuses to change or delete one."""

from __future__ import annotations

import json
import uuid
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

ABOUT = ("tenant_id", "account_id", "run_id", "technician_id")
"""The columns that say what an entry is about; each may be empty."""


class EntryQuerySet(models.QuerySet["Entry"]):
    def of_reseller(self, reseller_id: UUID) -> EntryQuerySet:
        return self.filter(reseller_id=reseller_id)


class Entry(models.Model):
    """One fact. `body` is the truth (the exact canonical JSON that is hashed); the columns are there to find it by."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    reseller_id = models.UUIDField()
    at = models.DateTimeField()
    verb = models.CharField(max_length=100)
    actor = models.TextField()
    actor_id = models.UUIDField(null=True)
    tenant_id = models.UUIDField(null=True)
    account_id = models.UUIDField(null=True)
    run_id = models.UUIDField(null=True)
    technician_id = models.UUIDField(null=True)
    body = models.BinaryField()
    leaf_hash = models.BinaryField(max_length=32)

    objects = EntryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "entries"
        indexes = [
            models.Index(name="ledger_entry_reseller", fields=["reseller_id", "-id"]),
            models.Index(name="ledger_entry_verb", fields=["reseller_id", "verb", "-id"]),
            models.Index(name="ledger_entry_actor", fields=["reseller_id", "actor", "-id"]),
            models.Index(name="ledger_entry_at", fields=["reseller_id", "at"]),
            *(
                models.Index(
                    name=f"ledger_entry_{name[:-3]}", fields=[name, "-id"], condition=Q(**{f"{name}__isnull": False})
                )
                for name in ABOUT
            ),
        ]

    def __str__(self) -> str:
        return f"Entry {self.uuid}: {self.verb}"

    @property
    def facts(self) -> dict[str, Any]:
        """What was given to `record` beside the ids, as the hashed bytes have it."""
        facts: dict[str, Any] = json.loads(bytes(self.body))["facts"]
        return facts
