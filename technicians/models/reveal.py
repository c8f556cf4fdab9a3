from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import Reach, Reseller, Row, SecretVersion, SharedAccount, Viewer, Walled

from .technician import Technician


class RevealQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(version__secret__account__in=SharedAccount.objects.visible_to(user))


class Reveal(Row):
    """One password version went to one person, once. The row commits before the secret leaves."""

    class Act(models.TextChoices):
        SHOWN = "shown", _("Shown")
        COPIED = "copied", _("Copied")
        HANDED_OVER = "handed_over", _("Handed over by a link")
        EXPORTED = "exported", _("Exported in a file")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="reveals")
    version = models.ForeignKey(SecretVersion, on_delete=models.CASCADE, related_name="reveals")
    act = models.CharField(max_length=12, choices=Act, default=Act.SHOWN, db_default="shown")
    reason = models.CharField(max_length=500, blank=True)
    ticket = models.CharField(max_length=64, blank=True, db_default="")
    at = models.DateTimeField(default=timezone.now)

    objects = RevealQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["technician", "-at"], name="newest_reveals_of_a_person")]

    def __str__(self) -> str:
        return f"{self.version} to {self.technician}"
