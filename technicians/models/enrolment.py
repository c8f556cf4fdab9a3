from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from tenants.models import Reach, Reseller, Row, SharedAccount, Viewer, Walled

from .authenticator import Authenticator
from .technician import Technician


class EnrolmentQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(status=Enrolment.Status.WAITING_FOR_SCAN)


class Enrolment(Lifecycle, Row):
    """One technician registers an authenticator on one account, on Microsoft's own page.

    `seen_before` are the methods that were there when it began; what appears since then is what is bound.
    """

    class Status(models.TextChoices):
        WAITING_FOR_SCAN = "waiting_for_scan", _("Waiting for the authenticator to appear")
        ACTIVE = "active", _("Bound")
        EXPIRED = "expired", _("Expired")
        CANCELLED = "cancelled", _("Cancelled")

    NEXT = {
        Status.WAITING_FOR_SCAN: {Status.ACTIVE, Status.EXPIRED, Status.CANCELLED},
        Status.ACTIVE: set(),
        Status.EXPIRED: set(),
        Status.CANCELLED: set(),
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="enrolments")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="enrolments")
    status = models.CharField(max_length=20, choices=Status, default=Status.WAITING_FOR_SCAN)
    requested_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    seen_before = models.JSONField(default=list)
    authenticator = models.OneToOneField(Authenticator, on_delete=models.PROTECT, null=True, related_name="enrolment")
    note = models.TextField(blank=True)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(status="waiting_for_scan"), name="one_open_enrolment_per_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technician} on {self.account}"
