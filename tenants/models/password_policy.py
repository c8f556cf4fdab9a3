from __future__ import annotations

from typing import Any, Self

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

COUNTED = MinValueValidator(1)


class PasswordPolicyQuerySet(Walled):
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


class PasswordPolicy(Row):
    """What passwords look like, when they change, and what a reveal asks for: of a reseller, or of a part of it.

    At most one of `group`, `tenant` and `account` is set; none means the whole reseller. The nearest policy applies
    as a whole (`tenants.password_plans.nearest`), and without any the built-in one.
    """

    class Style(models.TextChoices):
        RANDOM = "random", _("Random characters")
        WORDS = "words", _("Words")

    class Asks(models.TextChoices):
        NOTHING = "nothing", _("Nothing")
        REASON = "reason", _("A reason")
        TICKET = "ticket", _("A ticket number")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="password_policies")
    group = models.ForeignKey(
        TenantGroup, on_delete=models.CASCADE, related_name="password_policies", null=True, blank=True
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="password_policies", null=True, blank=True
    )
    account = models.ForeignKey(
        SharedAccount, on_delete=models.CASCADE, related_name="password_policies", null=True, blank=True
    )

    style = models.CharField(_("Made of"), max_length=10, choices=Style, default=Style.RANDOM)
    length = models.PositiveIntegerField(
        _("Characters"), default=24, validators=[MinValueValidator(12), MaxValueValidator(128)]
    )
    words = models.PositiveIntegerField(_("Words"), default=6, validators=[MinValueValidator(5), MaxValueValidator(12)])
    classes: Any = models.JSONField(_("Kinds of characters"), default=list, blank=True)
    look_alikes = models.BooleanField(_("Look-alike characters too (l 1 I O 0)"), default=False)
    forbid_names = models.BooleanField(_("Never the tenant's or the account's name"), default=True)
    forbidden_parts: Any = models.JSONField(_("Never these either"), default=list, blank=True)

    rotate_every_days = models.PositiveIntegerField(
        _("Change every (days)"), null=True, blank=True, validators=[COUNTED, MaxValueValidator(3650)]
    )
    rotate_after_reveal = models.BooleanField(_("Change after it was shown"), default=False)
    hours_after_reveal = models.PositiveIntegerField(
        _("Hours after it was shown"), default=8, validators=[COUNTED, MaxValueValidator(720)]
    )
    rotate_after_check_in = models.BooleanField(_("Change after check-in"), default=True)
    rotate_after_assignment_end = models.BooleanField(_("Change after an assignment ends"), default=True)
    rotate_after_drift = models.BooleanField(_("Change after it was changed elsewhere"), default=False)
    quiet_from = models.TimeField(_("Never between"), null=True, blank=True)
    quiet_until = models.TimeField(_("and"), null=True, blank=True)
    quiet_zone = models.CharField(_("in the time zone"), max_length=64, default="UTC")
    stagger_minutes = models.PositiveIntegerField(
        _("Minutes between two accounts of a tenant"), default=15, validators=[COUNTED, MaxValueValidator(1440)]
    )
    sign_in_probe = models.BooleanField(_("Try a sign-in where only that tells which password is right"), default=False)

    asks = models.CharField(_("A reveal asks for"), max_length=10, choices=Asks, default=Asks.REASON)
    ticket_pattern = models.CharField(_("Form of a ticket number"), max_length=100, blank=True)
    reveals_per_hour = models.PositiveIntegerField(
        _("Reveals per person and hour"), default=60, validators=[COUNTED, MaxValueValidator(1000)]
    )
    check_out_required = models.BooleanField(_("Only after check-out"), default=False)
    check_out_minutes = models.PositiveIntegerField(
        _("Minutes of a check-out"), default=60, validators=[MinValueValidator(5), MaxValueValidator(1440)]
    )

    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = PasswordPolicyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reseller", "group", "tenant", "account"], name="one_policy_per_place", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(group=None, tenant=None) | Q(group=None, account=None) | Q(tenant=None, account=None),
                name="a_policy_has_one_place",
            ),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None) | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="quiet_hours_have_both_ends",
            ),
        ]

    def __str__(self) -> str:
        return str(self.account or self.tenant or self.group or self.reseller)
