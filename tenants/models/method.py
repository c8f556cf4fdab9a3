from __future__ import annotations

import datetime as dt
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from msp.microsoft.ports import SLOT_KINDS, MethodKind, ObservedMethod

from .base import Row, Viewer, Walled
from .reseller import Reseller
from .shared_account import SharedAccount

NEVER_A_WAY_IN = frozenset(
    {MethodKind.PASSWORD, MethodKind.EMAIL, MethodKind.TEMPORARY_ACCESS_PASS, MethodKind.UNKNOWN}
)
"""Kinds that do not let a person in for good: the password itself, e-mail (self-service reset only), a pass
that expires, and what we do not understand."""

NEVER_A_PERSONS = frozenset({MethodKind.PASSWORD})


class MethodQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def present(self) -> Self:
        return self.filter(removed_at__isnull=True)

    def present_at(self, moment: dt.datetime) -> Self:
        return self.filter(Q(removed_at__isnull=True) | Q(removed_at__gt=moment), first_seen_at__lte=moment)

    def personal(self) -> Self:
        return self.exclude(kind__in=NEVER_A_PERSONS)

    def unknown(self) -> Self:
        """Present, somebody's, and bound to nobody we know: drift."""
        return self.present().personal().filter(authenticator__isnull=True)


class Method(Row):
    """One authentication method as observed on the shared account in the directory."""

    class Kind(models.TextChoices):
        PASSWORD = MethodKind.PASSWORD, _("Password")
        PHONE = MethodKind.PHONE, _("Phone")
        EMAIL = MethodKind.EMAIL, _("E-mail")
        FIDO2 = MethodKind.FIDO2, _("Passkey (FIDO2)")
        MICROSOFT_AUTHENTICATOR = MethodKind.MICROSOFT_AUTHENTICATOR, _("Microsoft Authenticator (push)")
        PASSWORDLESS_AUTHENTICATOR = MethodKind.PASSWORDLESS_AUTHENTICATOR, _("Microsoft Authenticator (passwordless)")
        SOFTWARE_OATH = MethodKind.SOFTWARE_OATH, _("Authenticator app (code)")
        HARDWARE_OATH = MethodKind.HARDWARE_OATH, _("Hardware token (code)")
        TEMPORARY_ACCESS_PASS = MethodKind.TEMPORARY_ACCESS_PASS, _("Temporary Access Pass")
        WINDOWS_HELLO = MethodKind.WINDOWS_HELLO, _("Windows Hello for Business")
        PLATFORM_CREDENTIAL = MethodKind.PLATFORM_CREDENTIAL, _("Platform credential")
        EXTERNAL = MethodKind.EXTERNAL, _("External method")
        QR_CODE_PIN = MethodKind.QR_CODE_PIN, _("QR code and PIN")
        UNKNOWN = MethodKind.UNKNOWN, _("Unknown kind")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(SharedAccount, on_delete=models.CASCADE, related_name="methods")
    kind = models.CharField(max_length=30, choices=Kind)
    directory_id = models.CharField(max_length=100)
    raw_type = models.CharField(max_length=120, blank=True)
    label = models.CharField(max_length=256, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = MethodQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "first_seen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "directory_id"],
                condition=Q(removed_at__isnull=True),
                name="one_present_row_per_method",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.label or self.directory_id[-6:]}"

    @property
    def takes_a_slot(self) -> bool:
        return self.kind in SLOT_KINDS

    @property
    def observed(self) -> ObservedMethod:
        return ObservedMethod(MethodKind(self.kind), self.directory_id, self.label, None, self.raw_type)
