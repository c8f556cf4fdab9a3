from __future__ import annotations

from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .base import Reach, Row, Viewer, Walled
from .reseller import Reseller
from .shared_account import SharedAccount
from .tenant import Tenant, TenantGroup


class EnrolmentPolicyQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        """Whoever sees a tenant sees every policy that could be the one that applies there."""
        if user.reach in (Reach.CUSTOMER, Reach.NOTHING):
            return self.none()
        tenants = Tenant.objects.visible_to(user)
        everywhere = Q(group=None, tenant=None, account=None)
        return self.filter(
            everywhere
            | Q(account__in=SharedAccount.objects.visible_to(user))
            | Q(tenant__in=tenants)
            | Q(group__in=TenantGroup.objects.filter(tenants__in=tenants))
        )


class EnrolmentPolicy(Row):
    """In which ways technicians may enrol, and what else is allowed: of a reseller, or of a part of it.

    At most one of `group`, `tenant` and `account` is set; none means the whole reseller. The nearest policy applies
    as a whole, and without any the built-in one: the defaults of these fields.
    """

    class AccountsPerCode(models.IntegerChoices):
        TEN = 10, _("Ten accounts in a QR code")
        FIVE = 5, _("Five accounts in a QR code")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="enrolment_policies")
    group = models.ForeignKey(
        TenantGroup, on_delete=models.CASCADE, related_name="enrolment_policies", null=True, blank=True
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="enrolment_policies", null=True, blank=True
    )
    account = models.ForeignKey(
        SharedAccount, on_delete=models.CASCADE, related_name="enrolment_policies", null=True, blank=True
    )

    our_seed = models.BooleanField(_("With a seed that Latchkey chooses"), default=True)
    microsoft_page = models.BooleanField(_("On Microsoft's page"), default=True)
    kept_here = models.BooleanField(_("Codes kept here"), default=False)
    claims = models.BooleanField(_("A method that is there already may be claimed"), default=True)
    passes = models.BooleanField(_("Temporary Access Passes may be issued"), default=True)
    duplicates = models.BooleanField(_("A second device with the same seed may be declared"), default=False)
    keep_for_later_days = models.PositiveIntegerField(
        _("Days in which a person may see their own seed again"), default=0, validators=[MaxValueValidator(30)]
    )
    accounts_per_code = models.PositiveIntegerField(_("In bulk"), choices=AccountsPerCode, default=AccountsPerCode.TEN)
    files = models.BooleanField(_("Encrypted files for authenticator apps"), default=False)
    minutes_on_screen = models.PositiveIntegerField(
        _("Minutes until an enrolment on screen expires"),
        default=10,
        validators=[MinValueValidator(2), MaxValueValidator(60)],
    )

    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = EnrolmentPolicyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reseller", "group", "tenant", "account"],
                name="one_enrolment_policy_per_place",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(group=None, tenant=None) | Q(group=None, account=None) | Q(tenant=None, account=None),
                name="an_enrolment_policy_has_one_place",
            ),
        ]

    def __str__(self) -> str:
        return str(self.account or self.tenant or self.group or self.reseller)
