from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from .base import Row, Viewer, Walled
from .reseller import Reseller
from .shared_account import SharedAccount


class SeedFingerprintQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))


class SeedFingerprint(Row):
    """A seed was seen outside Latchkey, in a file that several people may have. The seed itself is never kept.

    `digest` is HMAC-SHA-256 of the seed's bytes under a key of the reseller that lies sealed in the vault.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(SharedAccount, on_delete=models.CASCADE, related_name="seed_fingerprints")
    digest = models.BinaryField(max_length=32)
    found_in = models.CharField(max_length=100)
    found_at = models.DateTimeField(default=timezone.now)

    objects = SeedFingerprintQuerySet.as_manager()

    class Meta:
        ordering = ["-found_at"]
        constraints = [
            models.UniqueConstraint(fields=["account", "digest"], name="a_seed_once_per_account"),
        ]
        indexes = [models.Index(fields=["reseller", "digest"], name="seeds_by_digest")]

    def __str__(self) -> str:
        return f"seed seen in {self.found_in}"
