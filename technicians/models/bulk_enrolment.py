from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import Reach, Reseller, Row, Run, Viewer, Walled

from .technician import Technician


class BulkEnrolmentQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.GROUPS:
            return self.filter(technician__in=Technician.objects.visible_to(user))
        return self.filter(technician_id=user.pk)


class BulkEnrolment(Row):
    """One technician enrols on many accounts in one sitting. Its `enrolments` say what became of each."""

    class App(models.TextChoices):
        """What the person scans with. Only some apps take many accounts from one QR code."""

        GOOGLE = "google", _("Google Authenticator")
        AEGIS = "aegis", _("Aegis")
        ENTE = "ente", _("Ente Auth")
        BITWARDEN = "bitwarden", _("Bitwarden Authenticator")
        STRATUM = "stratum", _("Stratum")
        TWO_FAS = "two_fas", _("2FAS")
        MICROSOFT = "microsoft", _("Microsoft Authenticator")
        AUTHY = "authy", _("Authy")
        ONE_PASSWORD = "one_password", _("1Password")
        OTHER = "other", _("Another app")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="bulk_enrolments")
    requested_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    app = models.CharField(max_length=16, choices=App)
    accounts_per_code = models.PositiveIntegerField()
    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="bulk_enrolment")
    requested_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    objects = BulkEnrolmentQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]

    def __str__(self) -> str:
        return f"{self.technician}, {self.requested_at:%Y-%m-%d %H:%M}"


class BulkCodeQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(bulk__in=BulkEnrolment.objects.visible_to(user))


class BulkCode(Row):
    """One QR code of a bulk enrolment: when it was on screen, and whether the person proved to have scanned it.

    `asked` are the enrolments whose codes the server wants to see.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    bulk = models.ForeignKey(BulkEnrolment, on_delete=models.CASCADE, related_name="codes")
    number = models.PositiveIntegerField()
    asked: Any = models.JSONField(default=list)
    shown_at = models.DateTimeField(null=True, blank=True)
    proven_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)

    objects = BulkCodeQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["bulk", "number"], name="one_code_per_number")]

    def __str__(self) -> str:
        return f"QR code {self.number} of {self.bulk}"
