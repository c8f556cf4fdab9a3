from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from tenants.models import Reach, Registration, Reseller, Row, SharedAccount, Viewer, Walled

from .authenticator import Authenticator
from .bulk_enrolment import BulkEnrolment
from .technician import Technician


class EnrolmentQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(status__in=Enrolment.OPEN)


class Enrolment(Lifecycle, Row):
    """One technician gets an authenticator of their own on one account.

    With a `registration` Latchkey chose the seed, and what is bound is that token. Without one the person registers on
    Microsoft's page: `seen_before` are the methods that were there when it began, and what appears since is bound.
    `shown_at` is when the QR code was first on a screen, `tries` counts wrong codes, `key_proven_at` is when a code of
    a pasted key was right, and `pass_id` names a Temporary Access Pass that is to be taken away again.
    """

    class Way(models.TextChoices):
        OUR_SEED = "our_seed", _("With a seed that Latchkey chooses")
        MICROSOFT_PAGE = "microsoft_page", _("On Microsoft's page")
        KEPT_HERE = "kept_here", _("Codes kept here")

    class Status(models.TextChoices):
        PREPARING = "preparing", _("The token is being made")
        WAITING_FOR_SCAN = "waiting_for_scan", _("Waiting for the authenticator")
        ACTIVATING = "activating", _("Proven; the token is being activated")
        ACTIVE = "active", _("Bound")
        EXPIRED = "expired", _("Expired")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed: nothing was bound")

    OVER = {Status.EXPIRED, Status.CANCELLED, Status.FAILED}
    NEXT = {
        Status.PREPARING: {Status.WAITING_FOR_SCAN, Status.ACTIVATING, *OVER},
        Status.WAITING_FOR_SCAN: {Status.ACTIVATING, Status.ACTIVE, *OVER},
        Status.ACTIVATING: {Status.ACTIVE, Status.WAITING_FOR_SCAN, *OVER},
        Status.ACTIVE: set(),
        Status.EXPIRED: set(),
        Status.CANCELLED: set(),
        Status.FAILED: set(),
    }
    OPEN = (Status.PREPARING, Status.WAITING_FOR_SCAN, Status.ACTIVATING)

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="enrolments")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="enrolments")
    way = models.CharField(max_length=16, choices=Way, default=Way.MICROSOFT_PAGE, db_default="microsoft_page")
    status = models.CharField(max_length=20, choices=Status, default=Status.PREPARING)
    requested_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    registration = models.OneToOneField(
        Registration, on_delete=models.PROTECT, null=True, blank=True, related_name="enrolment"
    )
    bulk = models.ForeignKey(BulkEnrolment, on_delete=models.PROTECT, null=True, blank=True, related_name="enrolments")
    code_number = models.PositiveIntegerField(null=True, blank=True, help_text="Which QR code of the bulk holds it")
    seen_before: Any = models.JSONField(default=list)
    shown_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0, db_default=0)
    key_proven_at = models.DateTimeField(null=True, blank=True)
    pass_id = models.CharField(max_length=100, blank=True, db_default="")
    authenticator = models.OneToOneField(Authenticator, on_delete=models.PROTECT, null=True, related_name="enrolment")
    note = models.TextField(blank=True)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            # Whatever appears is bound, so two people must not register at once; a token of ours has its own name.
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(status__in=["preparing", "waiting_for_scan", "activating"], registration__isnull=True),
                name="one_open_page_enrolment_per_account",
            ),
            models.UniqueConstraint(
                fields=["technician", "account"],
                condition=Q(status__in=["preparing", "waiting_for_scan", "activating"]),
                name="one_open_enrolment_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technician} on {self.account}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN
