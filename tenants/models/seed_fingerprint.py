from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .base import Row, Viewer, Walled
from .reseller import Reseller
from .shared_account import SharedAccount


class SeedFingerprintQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))


class SeedFingerprint(Row):
    """A seed that Latchkey has seen. The seed itself is not kept here.

    One of a file may be known to whoever had the file, so it has no `holder`. One that was enrolled has: that person
    alone, on that account alone. `digest` is HMAC-SHA-256 of the seed's bytes under a key of the reseller that lies
    sealed in the vault.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(SharedAccount, on_delete=models.CASCADE, related_name="seed_fingerprints")
    digest = models.BinaryField(max_length=32)
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="seed_fingerprints"
    )
    found_in = models.CharField(max_length=100)
    found_at = models.DateTimeField(default=timezone.now)

    objects = SeedFingerprintQuerySet.as_manager()

    class Meta:
        ordering = ["-found_at"]
        constraints = [
            models.UniqueConstraint(fields=["account", "digest"], name="a_seed_once_per_account"),
            models.UniqueConstraint(
                fields=["reseller", "digest"], condition=Q(holder__isnull=False), name="an_enrolled_seed_is_unique"
            ),
        ]
        indexes = [models.Index(fields=["reseller", "digest"], name="seeds_by_digest")]

    def __str__(self) -> str:
        return f"seed seen in {self.found_in}"
