from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from tenants.models import Reach, Reseller, Row, SecretVersion, SharedAccount, Viewer, Walled

from .technician import Technician


class RevealQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(version__secret__account__in=SharedAccount.objects.visible_to(user))


class Reveal(Row):
    """One password version was shown once to one person. The row commits before the secret leaves."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="reveals")
    version = models.ForeignKey(SecretVersion, on_delete=models.CASCADE, related_name="reveals")
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now)

    objects = RevealQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.version} to {self.technician}"
