"""What every row of ours has, and who may see it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Protocol, Self

from django.db import models
from django.db.models import Q


class Reach(models.TextChoices):
    """How far a person sees. `Technician.reach` says which one; the querysets here say what it means."""

    EVERYTHING = "everything", "every tenant of the reseller"
    GROUPS = "groups", "the tenants of the person's tenant groups"
    ASSIGNED = "assigned", "the shared accounts assigned to the person today"
    CUSTOMER = "customer", "the tenants of one customer"
    NOTHING = "nothing", "nothing"


class Viewer(Protocol):
    """The person who looks: a signed-in technician, or nobody (an anonymous user has no reach)."""

    pk: Any
    reseller_id: Any
    customer_id: Any
    reach: Reach


def within(field: str, moment: dt.datetime, *, start: str, end: str) -> Q:
    """An interval [start, end) of the rows behind `field` ("" for the row itself) holds `moment`."""
    prefix = f"{field}__" if field else ""
    begun = Q(**{f"{prefix}{start}__lte": moment})
    return begun & (Q(**{f"{prefix}{end}__isnull": True}) | Q(**{f"{prefix}{end}__gt": moment}))


class Walled(models.QuerySet[Any]):
    """A queryset that starts behind the wall: `visible_to(user)` first, filters after."""

    def visible_to(self, user: Any) -> Self:
        reach = getattr(user, "reach", Reach.NOTHING)
        if reach == Reach.NOTHING:
            return self.none()
        ours = self.filter(reseller_id=user.reseller_id)
        return ours if reach == Reach.EVERYTHING else ours.within_reach_of(user)

    def within_reach_of(self, user: Viewer) -> Self:
        """The part of the reseller's rows that somebody with a narrower reach sees. Nothing, unless said."""
        return self.none()


class Row(models.Model):
    """A row with an id that cannot be guessed or counted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True
