from __future__ import annotations

from typing import Self

from django.db import models

from .base import Reach, Row, Viewer


class ResellerQuerySet(models.QuerySet["Reseller"]):
    def visible_to(self, user: Viewer) -> Self:
        """The person's own, and no other; nothing for somebody who sees nothing."""
        if getattr(user, "reach", Reach.NOTHING) == Reach.NOTHING:
            return self.none()
        return self.filter(pk=user.reseller_id)


class Reseller(Row):
    """The MSP. Everything else belongs to exactly one."""

    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ResellerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
