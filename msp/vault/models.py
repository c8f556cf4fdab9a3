"""The wrapped data keys, one live key for each tenant and one for the reseller itself; turnovers; kept secrets."""

from __future__ import annotations

import uuid
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from msp.vault.envelope import Place


class DataKeyQuerySet(models.QuerySet["DataKey"]):
    def live(self) -> DataKeyQuerySet:
        """Those that seal."""
        return self.filter(retired_at=None, destroyed_at=None)

    def retired(self) -> DataKeyQuerySet:
        """Those that only open what they sealed before."""
        return self.filter(retired_at__isnull=False, destroyed_at=None)

    def that_open(self) -> DataKeyQuerySet:
        """Live and retired ones: whatever a root key must still unwrap."""
        return self.filter(destroyed_at=None)

    def of(self, reseller_id: UUID, tenant_id: UUID | None) -> DataKeyQuerySet:
        return self.filter(reseller_id=reseller_id, tenant_id=tenant_id)


class DataKey(models.Model):
    """A key that seals the secrets of one tenant, itself wrapped by the root key.

    `reseller_id` and `tenant_id` are our ids of those rows, without a foreign key: the vault knows no apps.
    Live, it seals and opens; retired, it only opens; destroyed, its row says since when nothing opens any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reseller_id = models.UUIDField()
    tenant_id = models.UUIDField(null=True)
    wrapped = models.BinaryField()
    root_key_id = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    objects = DataKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="vault_one_live_data_key",
                fields=["reseller_id", "tenant_id"],
                condition=Q(retired_at=None, destroyed_at=None),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="vault_destroyed_key_is_empty",
                condition=Q(destroyed_at=None) ^ Q(wrapped=b""),
            ),
        ]

    def __str__(self) -> str:
        return f"Data key {self.pk}"


class Turnover(models.Model):
    """The move from root keys to another one, and by choice from all data keys to others. One at a time.

    It is written down before the first key is made, so that whoever goes on after a crash makes no second one.
    `leaves` are the ids of the root keys to retire. `data_keys`: those made before `begun_at` are replaced, too.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    leaves = models.JSONField()
    data_keys = models.BooleanField()
    begun_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="vault_one_turnover_at_a_time",
                fields=["finished_at"],
                condition=Q(finished_at=None),
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"Turnover of {self.begun_at:%Y-%m-%d %H:%M} UTC"


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
