from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import Reach, Reseller, Row, SharedAccount, Viewer, Walled

from .enrolment import Enrolment
from .technician import Technician


class EnrolmentRequestQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(done_at__isnull=True, withdrawn_at__isnull=True)


class EnrolmentRequest(Row):
    """One line of a person's enrolment list: an account on which they are to enrol, and why.

    For a `new_phone` the old method stays until the new one is active.
    """

    class Because(models.TextChoices):
        JOINED = "joined", _("New here")
        ASSIGNED = "assigned", _("Newly assigned")
        LOST_PHONE = "lost_phone", _("The phone was lost")
        NEW_PHONE = "new_phone", _("A new phone")
        RETURNED = "returned", _("Back from leave")
        TAKE_OVER = "take_over", _("Take-over of an account that existed")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="enrolment_requests")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="enrolment_requests")
    because = models.CharField(max_length=12, choices=Because)
    requested_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+", null=True)
    requested_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField(null=True, blank=True)
    enrolment = models.ForeignKey(Enrolment, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    done_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = EnrolmentRequestQuerySet.as_manager()

    class Meta:
        ordering = ["account__tenant__default_domain", "account__user_principal_name"]
        constraints = [
            models.UniqueConstraint(
                fields=["technician", "account"],
                condition=Q(done_at__isnull=True, withdrawn_at__isnull=True),
                name="one_open_request_per_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technician} on {self.account}"


class EnrolmentLinkQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.GROUPS:
            return self.filter(technician__in=Technician.objects.visible_to(user))
        return self.filter(technician_id=user.pk)


class EnrolmentLink(Row):
    """An address that leads one person to their enrolment list, once. `digest` is SHA-256 of its token."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="enrolment_links")
    digest = models.BinaryField(max_length=32, unique=True)
    made_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    objects = EnrolmentLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"enrolment link of {self.technician}"
