from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from msp.microsoft.enrolment_ports import MfaState
from msp.microsoft.ports import SLOTS_PER_ACCOUNT, AccountRef

from .base import Reach, Row, Viewer, Walled, within
from .reseller import Reseller
from .tenant import Tenant


class SharedAccountQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            assignment = self.model._meta.get_field("assignments").related_model
            live = assignment.objects.filter(
                within("", timezone.now(), start="from_at", end="until_at"), technician_id=user.pk
            )
            return self.filter(pk__in=live.values("account_id"))
        return self.filter(tenant__in=Tenant.objects.visible_to(user))

    def at_microsoft(self) -> Self:
        """Without those of guided places, which no adapter reads."""
        return self.filter(tenant__system=Tenant.System.ENTRA)


class MfaDemand(models.TextChoices):
    """What per-user MFA demands of an account, in Microsoft's words."""

    DISABLED = MfaState.DISABLED, _("Disabled")
    ENABLED = MfaState.ENABLED, _("Enabled")
    ENFORCED = MfaState.ENFORCED, _("Enforced")


class AccountClass(models.TextChoices):
    """How soon a leaver's access must be gone from an account: hours from the start of the run."""

    CRITICAL = "critical", _("Critical: within 1 hour")
    HIGH = "high", _("High: within 4 hours")
    STANDARD = "standard", _("Standard: within 24 hours")
    LOW = "low", _("Low: within 72 hours")

    @property
    def hours(self) -> int:
        return {"critical": 1, "high": 4, "standard": 24, "low": 72}[self.value]


class SharedAccount(Row):
    """A privileged directory user that several technicians use.

    `object_id` is empty until the account was observed once. The facts from `observed_at` on are what the
    directory said then, not what is true now. `read_again_at` is when the clock has it read next.
    `mfa_state` is what per-user MFA demands, "" while nobody asked.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="shared_accounts")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="accounts")
    user_principal_name = models.CharField(max_length=256)
    object_id = models.CharField(max_length=36, blank=True)
    display_name = models.CharField(max_length=256, blank=True)
    owner = models.CharField(max_length=256, blank=True, help_text=_("Who answers for this account"))
    justification = models.TextField(blank=True)
    review_on = models.DateField(null=True, blank=True)
    break_glass = models.BooleanField(default=False)
    account_class = models.CharField(
        max_length=10, choices=AccountClass, default=AccountClass.STANDARD, db_default=AccountClass.STANDARD
    )
    observed_at = models.DateTimeField(null=True, blank=True)
    enabled = models.BooleanField(default=True)
    synced = models.BooleanField(default=False)
    password_changed_at = models.DateTimeField(null=True, blank=True)
    sessions_valid_from = models.DateTimeField(null=True, blank=True)
    read_again_at = models.DateTimeField(null=True, blank=True)
    mfa_state = models.CharField(max_length=10, choices=MfaDemand, blank=True, db_default="")
    mfa_state_read_at = models.DateTimeField(null=True, blank=True)

    objects = SharedAccountQuerySet.as_manager()

    class Meta:
        ordering = ["tenant__default_domain", "user_principal_name"]
        constraints = [
            models.UniqueConstraint(
                models.functions.Lower("user_principal_name"), "tenant", name="one_account_per_name"
            ),
            models.UniqueConstraint(
                fields=["tenant", "object_id"], condition=~models.Q(object_id=""), name="one_account_per_object"
            ),
        ]

    def __str__(self) -> str:
        return self.user_principal_name

    @property
    def ref(self) -> AccountRef:
        """This account as the directory port names it; needs `tenant` loaded."""
        return AccountRef(str(self.tenant.directory_id), self.object_id, self.user_principal_name)

    @property
    def slots(self) -> int:
        return SLOTS_PER_ACCOUNT
