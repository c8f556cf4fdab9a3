from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from tenants.models import Customer, Reach, Reseller, Row, SharedAccount, TenantGroup, Viewer, Walled


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    TECHNICIAN = "technician", _("Technician")
    AUDITOR = "auditor", _("Auditor")
    CUSTOMER_CONTACT = "customer_contact", _("Customer contact")


MANAGING = {
    "import",
    "observe",
    "assign",
    "enrol",
    "offboard",
    "waive",
    "rotate",
    "set_policies",
    "see_people",
    "see_runs",
    "see_ledger",
    "see_reports",
}
RIGHTS: dict[str, set[str]] = {
    Role.OWNER: MANAGING | {"reveal", "see_accounts", "change_roles", "shred_secrets", "export_secrets"},
    Role.MANAGER: MANAGING | {"reveal", "see_accounts"},
    Role.TECHNICIAN: {"reveal", "see_accounts"},
    Role.AUDITOR: {"see_accounts", "see_people", "see_runs", "see_ledger", "see_reports"},
    Role.CUSTOMER_CONTACT: {"see_runs", "see_reports"},
}
"""What each role may do. `reveal` needs a live assignment besides; how far a person sees is `reach`."""


class TechnicianQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        me = Q(pk=user.pk)
        if user.reach != Reach.GROUPS:
            return self.filter(me)
        seen = SharedAccount.objects.visible_to(user)
        holders = Q(
            pk__in=self.model._meta.get_field("assignments")
            .related_model.objects.filter(account__in=seen)
            .values("technician_id")
        )
        return self.filter(me | holders)

    def active(self) -> Self:
        return self.filter(status=Technician.Status.ACTIVE)


class TechnicianManager(BaseUserManager.from_queryset(TechnicianQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, username: str | None) -> Any:
        return self.get(email__iexact=username)


class Technician(AbstractBaseUser, Lifecycle, Row):  # type: ignore[django-manager-missing]  # django-otp has no types
    """A person with a sign-in to Latchkey. Somebody who left keeps the row, and nothing else.

    Somebody who is suspended is away and comes back: meanwhile nothing is open to them.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        LEFT = "left", _("Left")

    NEXT = {
        Status.ACTIVE: {Status.SUSPENDED, Status.LEFT},
        Status.SUSPENDED: {Status.ACTIVE, Status.LEFT},
        Status.LEFT: set(),
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="technicians")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="contacts", null=True, blank=True)
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=150)
    role = models.CharField(max_length=20, choices=Role, default=Role.TECHNICIAN)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    time_zone = models.CharField(max_length=64, default="UTC")
    groups: Any = models.ManyToManyField(TenantGroup, related_name="scoped_technicians", blank=True)
    joined_at = models.DateTimeField(auto_now_add=True)
    left_at = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = TechnicianManager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="one_person_per_email"),
            models.CheckConstraint(
                condition=~Q(role="customer_contact") | Q(customer__isnull=False), name="a_contact_has_a_customer"
            ),
            models.CheckConstraint(condition=~Q(status="left") | Q(left_at__isnull=False), name="left_when"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Asked on every request, so what a person may do ends in the second in which it is taken away."""
        return self.status == self.Status.ACTIVE

    @property
    def reach(self) -> Reach:
        if not self.is_active:
            return Reach.NOTHING
        if self.role == Role.CUSTOMER_CONTACT:
            return Reach.CUSTOMER
        if self.role == Role.TECHNICIAN:
            return Reach.ASSIGNED
        if self.role == Role.OWNER or not self.has_groups:
            return Reach.EVERYTHING
        return Reach.GROUPS

    @property
    def has_groups(self) -> bool:
        if not hasattr(self, "_has_groups"):
            self._has_groups = self.groups.exists()
        return self._has_groups

    def may(self, right: str) -> bool:
        return self.is_active and right in RIGHTS[self.role]
