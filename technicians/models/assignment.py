from __future__ import annotations

import datetime as dt
from typing import Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils import timezone

from tenants.models import Reach, Reseller, Row, SharedAccount, Viewer, Walled, within

from .technician import Technician


class Interval(Func):
    """The half-open interval [from, until) as PostgreSQL's tstzrange; an open end is null."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class AssignmentQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def live(self, moment: dt.datetime | None = None) -> Self:
        return self.filter(within("", moment or timezone.now(), start="from_at", end="until_at"))


class Assignment(Row):
    """One technician may use one shared account from a moment until another, and why."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="assignments")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="assignments")
    from_at = models.DateTimeField(default=timezone.now)
    until_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    granted_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["account__tenant__default_domain", "account__user_principal_name", "from_at"]
        constraints = [
            ExclusionConstraint(
                name="one_assignment_at_a_time",
                expressions=[
                    ("technician", RangeOperators.EQUAL),
                    ("account", RangeOperators.EQUAL),
                    (Interval(F("from_at"), F("until_at"), RangeBoundary()), RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=Q(until_at__isnull=True) | Q(until_at__gte=F("from_at")), name="from_before_until"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technician} on {self.account}"
