from __future__ import annotations

from typing import Self

from django.db import models

from tenants.models import Reseller, Row, Run, Viewer, Walled

from .technician import Technician


class OffboardingQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(run__in=Run.objects.visible_to(user))


class Offboarding(Row):
    """The departure of one technician, and the run that carries it out."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.OneToOneField(Technician, on_delete=models.PROTECT, related_name="offboarding")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="offboardings")

    objects = OffboardingQuerySet.as_manager()

    class Meta:
        ordering = ["-run__started_at"]

    def __str__(self) -> str:
        return f"departure of {self.technician}"
