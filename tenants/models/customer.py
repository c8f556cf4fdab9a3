from __future__ import annotations

from typing import Self

from django.db import models

from .base import Reach, Row, Viewer, Walled
from .reseller import Reseller


class CustomerQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.CUSTOMER:
            return self.filter(pk=user.customer_id)
        # A relation by name, so that this file need not import the tenants that import it.
        seen = self.model._meta.get_field("tenants").related_model.objects.visible_to(user)
        return self.filter(pk__in=seen.values("customer_id"))


class Customer(Row):
    """A company that the reseller looks after."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="customers")
    name = models.CharField(max_length=200)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
