from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.models import Reach, Reseller, Row, SecretVersion, SharedAccount, Viewer, Walled

from .technician import Technician


class HandOverLinkQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(made_by_id=user.pk)
        return self.filter(version__secret__account__in=SharedAccount.objects.visible_to(user))

    def waiting(self) -> Self:
        return self.filter(opened_at=None, withdrawn_at=None, expires_at__gt=timezone.now())


class HandOverLink(Row):
    """A password on its way to somebody outside, encrypted with a key that only the link itself holds.

    `finder` is the SHA-256 of the part of the link that finds the row; `ciphertext` is nonce and AES-256-GCM text,
    and empty once it was opened, withdrawn or expired. Latchkey itself cannot open it.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(SecretVersion, on_delete=models.CASCADE, related_name="hand_over_links")
    made_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="hand_over_links")
    recipient = models.CharField(max_length=200)
    reason = models.CharField(max_length=500)
    finder = models.BinaryField(max_length=32, unique=True)
    ciphertext = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    opened_from = models.GenericIPAddressField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = HandOverLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(opened_at=None, withdrawn_at=None) | Q(ciphertext=b""),
                name="an_opened_link_is_empty",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=~Q(ciphertext=b""), name="links_to_empty")]

    def __str__(self) -> str:
        return f"hand-over to {self.recipient}"
