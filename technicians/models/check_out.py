from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import Reach, Reseller, Row, SharedAccount, Viewer, Walled

from .technician import Technician


class CheckOutQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def live(self) -> Self:
        return self.filter(ended_at=None)


class CheckOut(Row):
    """One technician has an account for themselves until `until_at`, or until it is checked in before."""

    class Ended(models.TextChoices):
        CHECKED_IN = "checked_in", _("Checked in")
        TIME_OVER = "time_over", _("Its time was over")
        TAKEN_BACK = "taken_back", _("Taken back by somebody else")
        ACCESS_ENDED = "access_ended", _("The access of the person ended")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="check_outs")
    account = models.ForeignKey(SharedAccount, on_delete=models.CASCADE, related_name="check_outs")
    reason = models.CharField(max_length=500, blank=True)
    ticket = models.CharField(max_length=64, blank=True)
    from_at = models.DateTimeField(default=timezone.now)
    until_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=12, choices=Ended, blank=True)
    ended_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = CheckOutQuerySet.as_manager()

    class Meta:
        ordering = ["-from_at"]
        constraints = [
            models.UniqueConstraint(fields=["account"], condition=Q(ended_at=None), name="one_check_out_at_a_time"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_because="") | (Q(ended_at__isnull=False) & ~Q(ended_because="")),
                name="a_check_out_ended_why",
            ),
        ]
        indexes = [models.Index(fields=["until_at"], condition=Q(ended_at=None), name="check_outs_to_end")]

    def __str__(self) -> str:
        return f"{self.account} with {self.technician}"
