from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from msp.vault.envelope import Place

from .base import Row, Viewer, Walled
from .reseller import Reseller
from .shared_account import SharedAccount


class SecretQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))


class Secret(Row):
    """The shared password of one account, in all its versions."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    account = models.OneToOneField(SharedAccount, on_delete=models.CASCADE, related_name="secret")

    objects = SecretQuerySet.as_manager()

    def __str__(self) -> str:
        return f"password of {self.account}"


class SecretVersionQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(secret__in=Secret.objects.visible_to(user))

    def that_may_sign_in(self) -> Self:
        """The current one, and the one that may have replaced it while no answer was read."""
        return self.filter(status__in=[SecretVersion.Status.CURRENT, SecretVersion.Status.UNVERIFIED])


class SecretVersion(Lifecycle, Row):
    """One value of the password. It is sealed before it is sent anywhere, and kept whatever the answer is."""

    class Status(models.TextChoices):
        CANDIDATE = "candidate", _("Stored, not sent")
        UNVERIFIED = "unverified", _("Sent; it may be in force, not proven")
        CURRENT = "current", _("In force")
        RETIRED = "retired", _("No longer in force")

    NEXT = {
        Status.CANDIDATE: {Status.UNVERIFIED, Status.RETIRED},
        Status.UNVERIFIED: {Status.CURRENT, Status.RETIRED, Status.CANDIDATE},
        Status.CURRENT: {Status.RETIRED},
        Status.RETIRED: set(),
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=Status, default=Status.CANDIDATE)
    sealed = models.BinaryField()
    source = models.CharField(max_length=20, default="generated")
    created_at = models.DateTimeField(auto_now_add=True)
    current_from = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_because = models.CharField(max_length=200, blank=True)

    objects = SecretVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["secret", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["secret"], condition=Q(status="current"), name="one_current_version"),
            models.UniqueConstraint(
                fields=["secret"], condition=Q(status__in=["candidate", "unverified"]), name="one_candidate_version"
            ),
            models.CheckConstraint(
                condition=~Q(status="current") | Q(current_from__isnull=False), name="current_since_when"
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    @property
    def place(self) -> Place:
        """Where this version's envelope belongs; needs `secret.account` loaded."""
        return Place(
            reseller_id=str(self.reseller_id),
            tenant_id=str(self.secret.account.tenant_id),
            kind="secret_version",
            object_id=str(self.secret_id),
            version=self.number,
        )
