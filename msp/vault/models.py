"""The wrapped data keys, one live key for each tenant and one for the reseller itself; and secrets kept by name."""

from __future__ import annotations

import uuid
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from msp.vault.envelope import Place


class DataKeyQuerySet(models.QuerySet["DataKey"]):
    def live(self) -> DataKeyQuerySet:
        return self.filter(destroyed_at=None)

    def of(self, reseller_id: UUID, tenant_id: UUID | None) -> DataKeyQuerySet:
        return self.filter(reseller_id=reseller_id, tenant_id=tenant_id)


class DataKey(models.Model):
    """A key that seals the secrets of one tenant, itself wrapped by the root key.

    `reseller_id` and `tenant_id` are our ids of those rows, without a foreign key: the vault knows no apps.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reseller_id = models.UUIDField()
    tenant_id = models.UUIDField(null=True)
    wrapped = models.BinaryField()
    root_key_id = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=timezone.now)
    destroyed_at = models.DateTimeField(null=True)

    objects = DataKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="vault_one_live_data_key",
                fields=["reseller_id", "tenant_id"],
                condition=Q(destroyed_at=None),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="vault_destroyed_key_is_empty",
                condition=Q(destroyed_at=None) ^ Q(wrapped=b""),
            ),
        ]

    def __str__(self) -> str:
        return f"Data key {self.pk}"


class KeptSecret(models.Model):
    """A secret of the installation itself that changes in use, such as the partner's refresh token; one per name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=60, unique=True)
    reseller_id = models.UUIDField()
    sealed = models.BinaryField()
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> Place:
        return Place(str(self.reseller_id), "", self.name, str(self.pk), 1)
