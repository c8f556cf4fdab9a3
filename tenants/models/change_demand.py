from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .base import Row, Viewer, Walled
from .reseller import Reseller
from .secret import Secret, SecretVersion
from .shared_account import SharedAccount


class ChangeDemandQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(secret__account__in=SharedAccount.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(met_at=None)


class ChangeDemand(Row):
    """This password must change, because of `version`. Only a proven change to another value meets it."""

    class Because(models.TextChoices):
        REVEAL = "reveal", _("It was shown")
        CHECK_IN = "check_in", _("It was checked in")
        ASSIGNMENT_END = "assignment_end", _("An assignment ended")
        DRIFT = "drift", _("It was changed outside Latchkey")
        HAND_OVER = "hand_over", _("It was handed to somebody outside")
        PERSON = "person", _("Somebody asked for it")
        SCHEDULE = "schedule", _("It is old enough")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="demands")
    version = models.ForeignKey(SecretVersion, on_delete=models.CASCADE, related_name="demands")
    because = models.CharField(max_length=20, choices=Because)
    detail = models.CharField(max_length=500, blank=True)
    since = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    met_at = models.DateTimeField(null=True, blank=True)
    met_by = models.ForeignKey(SecretVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = ChangeDemandQuerySet.as_manager()

    class Meta:
        ordering = ["due_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "because"], condition=Q(met_at=None), name="one_open_demand_per_reason"
            ),
            models.CheckConstraint(
                condition=Q(met_at=None, met_by=None) | Q(met_at__isnull=False, met_by__isnull=False),
                name="met_by_a_version",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_because_display()} ({self.secret})"
