from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from msp.vault.envelope import Place
from tenants.models import Reseller, Row, Viewer, Walled

from .technician import Technician

KEPT_FOR = dt.timedelta(minutes=15)


def at_the_latest() -> dt.datetime:
    return timezone.now() + KEPT_FOR


class ImportUploadQuerySet(Walled):
    def visible_to(self, user: Any) -> Self:
        """Nobody sees the file of somebody else, not even an owner."""
        return super().visible_to(user).filter(person_id=user.pk)

    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(person_id=user.pk)

    def over(self) -> Self:
        return self.filter(expires_at__lte=timezone.now())


class ImportUpload(Row):
    """A file between its preview and its import, sealed, for one person and a quarter of an hour.

    `choices` are what the person decided about the file, such as which column is which; no value of the file is there.
    Once it is imported the file is gone, and `result` says what came of it (counts, and rows that were left out).
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Technician, on_delete=models.CASCADE, related_name="uploads")
    kind = models.CharField(max_length=30)
    file_name = models.CharField(max_length=255, blank=True)
    choices = models.JSONField(default=dict, blank=True, db_default={})
    sealed = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=at_the_latest)
    applied_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)

    objects = ImportUploadQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True) | (Q(sealed=b"") & Q(result__isnull=False)),
                name="an_imported_file_is_gone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.person}"

    @property
    def place(self) -> Place:
        return Place(str(self.reseller_id), "", "import_upload", str(self.pk), 1)

    @property
    def is_over(self) -> bool:
        return self.expires_at <= timezone.now()
