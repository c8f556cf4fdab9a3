from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from msp.vault.envelope import Place

from .base import Row, Viewer, Walled
from .method import Method
from .reseller import Reseller
from .shared_account import SharedAccount


class RegistrationQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def under_way(self) -> Self:
        """Neither active nor given up: each of them holds one of the account's places."""
        return self.filter(activated_at__isnull=True, given_up_at__isnull=True)

    def to_clean_up(self) -> Self:
        """Given up, or gone from the account again, while an object of ours may still lie in the inventory."""
        over = Q(given_up_at__isnull=False) | Q(method__removed_at__isnull=False)
        return self.filter(over, cleaned_at__isnull=True)


class Registration(Row):
    """A token that Latchkey makes on one account for one person: the seed is chosen here, the object lies at Microsoft.

    The seed is sealed from the making to the end and nowhere after it: `sealed` is None as soon as the token is active
    or given up. `device_id` is "" until the object was seen in the tenant's inventory. `proven_at` is when the person
    showed a code of it: before that, nothing is activated. `cleaned_at` is when no object of ours was left.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="registrations")
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="registrations")
    serial = models.CharField(max_length=64, unique=True)
    display_name = models.CharField(max_length=128)
    device_id = models.CharField(max_length=100, blank=True)
    sealed = models.BinaryField(null=True)
    made_at = models.DateTimeField(default=timezone.now)
    proven_at = models.DateTimeField(null=True, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    method = models.OneToOneField(Method, on_delete=models.PROTECT, null=True, blank=True, related_name="registration")
    given_up_at = models.DateTimeField(null=True, blank=True)
    given_up_because = models.TextField(_("Given up because"), blank=True)
    cleaned_at = models.DateTimeField(null=True, blank=True)

    objects = RegistrationQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sealed__isnull=True) | Q(activated_at__isnull=True, given_up_at__isnull=True),
                name="no_seed_after_the_end",
            ),
            models.CheckConstraint(
                condition=Q(activated_at__isnull=True) | Q(proven_at__isnull=False), name="proven_before_active"
            ),
        ]

    def __str__(self) -> str:
        return self.serial

    @property
    def place(self) -> Place:
        """Where the seed's envelope belongs; needs `account` loaded."""
        return Place(
            reseller_id=str(self.reseller_id),
            tenant_id=str(self.account.tenant_id),
            kind="registration",
            object_id=str(self.pk),
            version=1,
        )
