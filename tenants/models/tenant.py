from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from msp.errors import NoConnection
from msp.microsoft import ports

from .base import Reach, Row, Viewer, Walled
from .customer import Customer
from .reseller import Reseller


class TenantQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.CUSTOMER:
            return self.filter(customer_id=user.customer_id)
        if user.reach == Reach.GROUPS:
            return self.filter(
                pk__in=self.model.groups.through.objects.filter(tenantgroup__scoped_technicians=user.pk).values(
                    "tenant_id"
                )
            )
        account = self.model._meta.get_field("accounts").related_model
        return self.filter(pk__in=account.objects.visible_to(user).values("tenant_id"))

    def at_microsoft(self) -> Self:
        """Without the guided places, where there is nothing to ask."""
        return self.filter(system=Tenant.System.ENTRA)


class Tenant(Row):
    """One Entra directory of a customer. `directory_id` is Microsoft's tenant id, `busy_until` what it asked us.

    A `system` other than Entra is a directory that no adapter speaks to: a person does each step there and states it
    (guided); its `directory_id` is ours, `sign_in_address` says where. With `hands_off` Latchkey reads an Entra tenant
    and changes nothing in it: a person runs a script instead.
    `tokens_problem` is why Latchkey's own tokens cannot be made there, as of `tokens_tried_at`; "" when they can, or
    when nobody tried yet.
    """

    class Cloud(models.TextChoices):
        GLOBAL = "global", _("Global")
        US_GOV_L4 = "us_gov_l4", _("US Government L4")
        US_GOV_L5 = "us_gov_l5", _("US Government L5")
        CHINA = "china", _("China (21Vianet)")

    class Access(models.TextChoices):
        APPLICATION = ports.Access.APPLICATION, _("As the app, consented in this tenant")
        PARTNER = ports.Access.PARTNER, _("As the partner's user (GDAP)")

    class System(models.TextChoices):
        ENTRA = "entra", _("Microsoft Entra ID")
        FIREWALL = "firewall", _("Firewall")
        REGISTRAR = "registrar", _("Domain registrar")
        BACKUP = "backup", _("Backup portal")
        AWS_ROOT = "aws_root", _("AWS root user")
        GOOGLE_ADMIN = "google_admin", _("Google Workspace administrator")
        OTHER = "other", _("Another system")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="tenants")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="tenants")
    directory_id = models.UUIDField()
    default_domain = models.CharField(max_length=253)
    cloud = models.CharField(max_length=12, choices=Cloud, default=Cloud.GLOBAL)
    access = models.CharField(
        max_length=12, choices=Access, default=Access.APPLICATION, db_default=ports.Access.APPLICATION
    )
    system = models.CharField(max_length=12, choices=System, default=System.ENTRA, db_default=System.ENTRA)
    sign_in_address = models.URLField(max_length=500, blank=True, db_default="")
    hands_off = models.BooleanField(default=False, db_default=False)
    busy_until = models.DateTimeField(null=True, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    connection_problem = models.TextField(blank=True)
    tokens_problem = models.TextField(blank=True, db_default="")
    tokens_tried_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["default_domain"]
        constraints = [
            models.UniqueConstraint(fields=["reseller", "directory_id"], name="one_row_per_directory"),
        ]

    def __str__(self) -> str:
        return self.default_domain

    @property
    def is_guided(self) -> bool:
        return self.system != self.System.ENTRA

    @property
    def way(self) -> tuple[str, str, ports.Access]:
        """What a port needs to know in order to come to this tenant. Raises NoConnection for a guided place."""
        if self.is_guided:
            where = {"place": self}
            raise NoConnection(
                str(_("%(place)s is no Microsoft tenant: Latchkey can read nothing there, a person looks.") % where),
                code="guided",
            )
        return str(self.directory_id), self.cloud, ports.Access(self.access)


class TenantGroupQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(scoped_technicians=user.pk) if user.reach == Reach.GROUPS else self.none()


class TenantGroup(Row):
    """A named set of tenants; a technician who is given groups sees these tenants and no others."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="tenant_groups")
    name = models.CharField(max_length=100)
    tenants: Any = models.ManyToManyField(Tenant, related_name="groups", blank=True)

    objects = TenantGroupQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["reseller", "name"], name="one_group_per_name")]

    def __str__(self) -> str:
        return self.name
