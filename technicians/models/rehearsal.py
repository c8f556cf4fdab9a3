from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from tenants.models import Reseller, Row, Viewer, Walled

from .departure_request import DepartureRequest
from .technician import Technician


class RehearsalQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        """It is about every tenant of a person: whoever sees only some of them sees none of it."""
        return self.none()


class Rehearsal(Lifecycle, Row):
    """The same plan, carried out against a recorded copy of the tenants in a cloud of its own; kept as evidence.

    `plan` is a digest of what was planned, `result` what came of it (`technicians.rehearsal_plans` says both shapes).
    At one time one of them runs in the whole installation: each takes a database and a cloud of its own.
    """

    class Pace(models.TextChoices):
        QUICK = "quick", _("Quick: the cloud answers at once")
        DOCUMENTED = "documented", _("As Microsoft documents it: slow answers, 5 method calls in 10 seconds per tenant")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        FINISHED = "finished", _("Finished")
        FAILED = "failed", _("Failed")

    NEXT = {
        Status.WAITING: {Status.RUNNING, Status.FAILED},
        Status.RUNNING: {Status.FINISHED, Status.FAILED},
        Status.FINISHED: set(),
        Status.FAILED: set(),
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="rehearsals")
    request = models.ForeignKey(
        DepartureRequest, on_delete=models.PROTECT, related_name="rehearsals", null=True, blank=True
    )
    asked_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    pace = models.CharField(max_length=10, choices=Pace, default=Pace.QUICK)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    plan = models.CharField(max_length=64, blank=True)
    result: Any = models.JSONField(default=dict)
    problem = models.TextField(blank=True)

    objects = RehearsalQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["technician"],
                condition=Q(status__in=["waiting", "running"]),
                name="one_rehearsal_at_a_time_per_person",
            ),
            models.UniqueConstraint(fields=["status"], condition=Q(status="running"), name="one_rehearsal_runs"),
        ]

    def __str__(self) -> str:
        return f"rehearsal of {self.technician}, {self.asked_at:%Y-%m-%d %H:%M}"
