from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .base import Reach, Row, Viewer, Walled
from .reseller import Reseller
from .run import Run


class AlarmQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        """An alarm is for those who answer for runs."""
        if user.reach == Reach.GROUPS:
            return self.filter(run__in=Run.objects.visible_to(user))
        return self.none()

    def open(self) -> Self:
        return self.filter(ended_at__isnull=True)


class Alarm(Row):
    """Somebody should look at a run now. It ends by itself when its cause does, or when a person has seen to it.

    Of one kind there is at most one open for a run.
    """

    class Kind(models.TextChoices):
        SILENT = "silent", _("The run has not moved for 15 minutes")
        HALF = "half", _("Half of the time is gone")
        NEARLY = "nearly", _("Four fifths of the time are gone")
        OVERDUE = "overdue", _("The deadline is past")
        OVERRIDE = "override", _("Started without approval")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="alarms")
    kind = models.CharField(max_length=10, choices=Kind)
    detail = models.TextField(blank=True)
    raised_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "kind"], condition=Q(ended_at__isnull=True), name="one_open_alarm_of_a_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.run})"
