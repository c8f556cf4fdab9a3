from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from tenants.models import Reach, Reseller, Row, SecretVersion, SharedAccount, Viewer, Walled

from .technician import Technician


class PasswordNoticeQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(version__secret__account__in=SharedAccount.objects.visible_to(user))

    def unread(self) -> Self:
        return self.filter(read_at=None)


class PasswordNotice(Row):
    """Word to one remaining holder that an account has a new password; never the password.

    `mailed_at` is when the mail server took it. Fetching the version reads the notice.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.CASCADE, related_name="password_notices")
    version = models.ForeignKey(SecretVersion, on_delete=models.CASCADE, related_name="notices")
    created_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True, blank=True)
    mail_tries = models.PositiveIntegerField(default=0)
    mail_due_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = PasswordNoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["technician", "version"], name="one_notice_per_version"),
        ]
        indexes = [
            models.Index(fields=["mail_due_at"], condition=models.Q(mail_due_at__isnull=False), name="notices_to_mail")
        ]

    def __str__(self) -> str:
        return f"{self.technician}: new {self.version}"
