from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import Reach, Reseller, Row, SharedAccount, Viewer, Walled

from .authenticator import Authenticator
from .technician import Technician


class DeclaredDuplicateQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(authenticator__in=Authenticator.objects.visible_to(user))


class DeclaredDuplicate(Row):
    """A second device of the same person with the same seed. It goes with the authenticator: Entra knows only one."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    authenticator = models.ForeignKey(Authenticator, on_delete=models.CASCADE, related_name="duplicates")
    label = models.CharField(max_length=100)
    declared_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    declared_at = models.DateTimeField(default=timezone.now)

    objects = DeclaredDuplicateQuerySet.as_manager()

    class Meta:
        ordering = ["declared_at"]
        constraints = [
            models.UniqueConstraint(fields=["authenticator", "label"], name="one_duplicate_per_label"),
        ]

    def __str__(self) -> str:
        return self.label


class TwoPersonCheckQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(Q(first_id=user.pk) | Q(second_id=user.pk))
        return self.filter(account__in=SharedAccount.objects.visible_to(user))


class TwoPersonCheck(Row):
    """Two technicians type their codes within the same 30 seconds: equal codes prove one seed on both phones.

    `first_digest` is HMAC-SHA-256 of the first code under the reseller's key, emptied when the second is in;
    `step` is the number of the 30 seconds since 1970 in which it was typed.
    """

    class Result(models.TextChoices):
        WAITING = "waiting", _("Waiting for both codes")
        SHARED = "shared", _("The same code: both phones have one seed")
        INDEPENDENT = "independent", _("Different codes: two seeds")
        TOO_LATE = "too_late", _("Not within the same 30 seconds: try again")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="two_person_checks")
    first = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    typed_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    first_digest = models.BinaryField(max_length=32, blank=True, default=b"")
    step = models.BigIntegerField(null=True, blank=True)
    result = models.CharField(max_length=12, choices=Result, default=Result.WAITING)
    decided_at = models.DateTimeField(null=True, blank=True)

    objects = TwoPersonCheckQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(first=F("second")), name="two_different_people"),
        ]

    def __str__(self) -> str:
        return f"{self.first} and {self.second} on {self.account}"
