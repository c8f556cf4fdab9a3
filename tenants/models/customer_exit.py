from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .base import Reach, Row, Viewer, Walled
from .customer import Customer
from .reseller import Reseller
from .run import Run


class CustomerExitQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        """For those who answer for runs."""
        if user.reach == Reach.GROUPS:
            return self.filter(customer__in=Customer.objects.visible_to(user))
        return self.none()

    def standing(self) -> Self:
        """Begun, and not called off: what is the customer's from now on is left alone."""
        return self.filter(run__cancelled_at__isnull=True)


class CustomerExit(Row):
    """A customer goes: everybody of ours is taken out, and what is theirs is handed over.

    `package` says which password of which account the package had in it: {account id: number of the version}. Only
    with that in the customer's hands the last of our authenticators goes. `received_note` is who said that it came and
    opens. When it has ended, the keys are destroyed, and no secret of this customer opens any more.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="exits_begun")
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="customer_exit")
    begun_at = models.DateTimeField(default=timezone.now)
    recipient = models.CharField(max_length=200, blank=True)
    package: Any = models.JSONField(default=dict)
    package_sha256 = models.CharField(max_length=64, blank=True)
    package_made_at = models.DateTimeField(null=True, blank=True)
    package_made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    received_at = models.DateTimeField(null=True, blank=True)
    received_note = models.TextField(blank=True)
    received_said_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    keys_destroyed = models.PositiveIntegerField(default=0)

    objects = CustomerExitQuerySet.as_manager()

    class Meta:
        ordering = ["-begun_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(package_made_at__isnull=True)
                | (Q(package_made_by__isnull=False) & ~Q(package_sha256="") & ~Q(recipient="")),
                name="a_package_for_somebody",
            ),
            models.CheckConstraint(
                condition=Q(received_at__isnull=True)
                | (Q(package_made_at__isnull=False, received_said_by__isnull=False) & ~Q(received_note="")),
                name="only_a_package_is_received",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(received_at__isnull=False, ended_by__isnull=False),
                name="ended_after_it_was_received",
            ),
        ]

    def __str__(self) -> str:
        return f"exit of {self.customer}"
