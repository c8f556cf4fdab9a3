from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.models import Reach, Reseller, Row, Run, Viewer, Walled

from .technician import Technician


class SuspensionQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.GROUPS:
            return self.filter(technician__in=Technician.objects.visible_to(user))
        return self.filter(technician_id=user.pk)

    def open(self) -> Self:
        return self.filter(returned_at__isnull=True)


class Suspension(Row):
    """Somebody is away for long and comes back.

    `accounts` is what they held, to be given back: [{"account": id, "from": ISO 8601, "until": ISO 8601 or null,
    "reason": text}], also assignments that were still to begin.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="suspensions")
    reason = models.TextField()
    suspended_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    suspended_at = models.DateTimeField(default=timezone.now)
    expected_back_on = models.DateField(null=True, blank=True)
    accounts: Any = models.JSONField(default=list)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="suspension")
    returned_at = models.DateTimeField(null=True, blank=True)
    returned_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = SuspensionQuerySet.as_manager()

    class Meta:
        ordering = ["-suspended_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["technician"], condition=Q(returned_at__isnull=True), name="one_open_suspension_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technician} since {self.suspended_at:%Y-%m-%d}"


class LostDeviceQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.GROUPS:
            return self.filter(technician__in=Technician.objects.visible_to(user))
        return self.filter(technician_id=user.pk)


class LostDevice(Row):
    """Somebody's phone is gone: a run takes that person's methods away everywhere, and they stay."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="lost_devices")
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="lost_device")
    reported_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    reported_at = models.DateTimeField(default=timezone.now)
    reason = models.TextField()

    objects = LostDeviceQuerySet.as_manager()

    class Meta:
        ordering = ["-reported_at"]

    def __str__(self) -> str:
        return f"{self.technician}, {self.reported_at:%Y-%m-%d}"
