from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from tenants.check_facts import CheckItem, CheckState

from .base import Row, Viewer, Walled
from .reseller import Reseller
from .tenant import Tenant


class TenantCheckQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(tenant__in=Tenant.objects.visible_to(user))


class TenantCheck(Row):
    """What one check of a tenant found at `checked_at`; what is true now may differ.

    `items` are `CheckItem`s as plain values. Some are about single accounts, so whoever shows them leaves out those
    that the reader does not see; `worst` is the worst of them all. `by` None means Latchkey itself.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="checks")
    checked_at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    items = models.JSONField(default=list)
    worst = models.CharField(max_length=10, choices=CheckState)

    objects = TenantCheckQuerySet.as_manager()

    class Meta:
        ordering = ["-checked_at"]
        indexes = [models.Index(fields=["tenant", "-checked_at"], name="newest_check_of_a_tenant")]

    def __str__(self) -> str:
        return f"{self.tenant} {self.checked_at:%Y-%m-%d %H:%M}"

    @property
    def found(self) -> tuple[CheckItem, ...]:
        """The items, in the order of mending."""
        return tuple(CheckItem.from_json(kept) for kept in self.items)
