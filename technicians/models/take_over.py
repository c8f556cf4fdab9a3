from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from tenants.models import Reach, Reseller, Row, Run, SharedAccount, Viewer, Walled

from .authenticator import Authenticator
from .technician import Technician


class TakeOverQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        seen = TakeOverAccount.objects.visible_to(user)
        return self.filter(pk__in=seen.values("take_over_id"))


class TakeOver(Lifecycle, Row):
    """A campaign: accounts existed before Latchkey, and nobody knows whose the methods on them are.

    Everybody concerned enrols anew or claims a method; what nobody claimed is removed by a run at the end.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        REMOVING = "removing", _("The unknown methods are being removed")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")

    NEXT = {
        Status.OPEN: {Status.REMOVING, Status.FINISHED, Status.CANCELLED},
        Status.REMOVING: {Status.FINISHED, Status.OPEN},
        Status.FINISHED: set(),
        Status.CANCELLED: set(),
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    reason = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    owner = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="take_overs")
    started_by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField()
    reminded_at = models.DateTimeField(null=True, blank=True)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="take_over")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TakeOverQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return self.name


class TakeOverAccountQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))


class TakeOverAccount(Row):
    """One account of a campaign. An account is in one open campaign at a time."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    take_over = models.ForeignKey(TakeOver, on_delete=models.CASCADE, related_name="accounts")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="take_overs")
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = TakeOverAccountQuerySet.as_manager()

    class Meta:
        ordering = ["account__tenant__default_domain", "account__user_principal_name"]
        constraints = [
            models.UniqueConstraint(fields=["take_over", "account"], name="an_account_once_per_take_over"),
            models.UniqueConstraint(
                fields=["account"], condition=Q(closed_at__isnull=True), name="one_open_take_over_per_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} in {self.take_over}"


class TakeOverTaskQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(take_over_account__in=TakeOverAccount.objects.visible_to(user))


class TakeOverTask(Lifecycle, Row):
    """What one person has to do on one account of a campaign, and how it was done."""

    class Status(models.TextChoices):
        OPEN = "open", _("To do")
        ENROLLED = "enrolled", _("Enrolled anew")
        CLAIMED = "claimed", _("Claimed a method")
        EXCUSED = "excused", _("Needs none")

    NEXT = {
        Status.OPEN: {Status.ENROLLED, Status.CLAIMED, Status.EXCUSED},
        Status.ENROLLED: set(),
        Status.CLAIMED: {Status.OPEN},
        Status.EXCUSED: {Status.OPEN},
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    take_over_account = models.ForeignKey(TakeOverAccount, on_delete=models.CASCADE, related_name="tasks")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="take_over_tasks")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    authenticator = models.ForeignKey(Authenticator, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    done_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True)

    objects = TakeOverTaskQuerySet.as_manager()

    class Meta:
        ordering = ["technician__name"]
        constraints = [
            models.UniqueConstraint(fields=["take_over_account", "technician"], name="one_task_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.technician}: {self.take_over_account}"
