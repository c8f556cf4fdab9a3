from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from tenants.models import Customer, Reach, Reseller, Row, Run, SharedAccount, TenantGroup, Viewer, Walled

from .technician import Technician


class DepartureRequestQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.GROUPS:
            return self.filter(run__in=Run.objects.visible_to(user))
        return self.none()

    def open(self) -> Self:
        """Neither started nor ended: somebody or something is still waited for."""
        return self.filter(status__in=DepartureRequest.OPEN)


class DepartureRequest(Lifecycle, Row):
    """Somebody asks that access is taken away: from whom, how far, when and why. It is kept for ever.

    A request that starts becomes a run. `preview` is what was shown when it was asked for, `differences` what had
    changed when it started (`technicians.difference_plans` says both shapes).
    """

    class Scope(models.TextChoices):
        PERSON = "person", _("Everything of the person")
        GROUP = "group", _("One group of tenants")
        ACCOUNT = "account", _("One account")
        CUSTOMER = "customer", _("Customer exit: everybody, everywhere at this customer")

    class Starts(models.TextChoices):
        NOW = "now", _("Now")
        AT = "at", _("At a time")
        WHEN_DISABLED = "when_disabled", _("When the person is disabled in the directory")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Awaiting approval")
        SCHEDULED = "scheduled", _("Scheduled")
        STARTED = "started", _("Started")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    NEXT = {
        Status.WAITING: {Status.SCHEDULED, Status.STARTED, Status.REJECTED, Status.WITHDRAWN},
        Status.SCHEDULED: {Status.STARTED, Status.WITHDRAWN},
        Status.STARTED: set(),
        Status.REJECTED: set(),
        Status.WITHDRAWN: set(),
    }
    OPEN = (Status.WAITING, Status.SCHEDULED)

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="departure_requests")
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.PERSON)
    leavers: Any = models.ManyToManyField(
        Technician, through="DepartureRequestLeaver", related_name="departure_requests", blank=True
    )
    group = models.ForeignKey(TenantGroup, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="exits")
    reason = models.TextField()
    successor = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    starts = models.CharField(max_length=14, choices=Starts, default=Starts.NOW)
    starts_at = models.DateTimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    access_ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When sign-in to Latchkey was taken already, before the start"
    )
    disabled_at = models.DateTimeField(
        null=True, blank=True, help_text="When the directory said that the person is disabled there"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    approvals_needed = models.PositiveSmallIntegerField(default=0)
    preview: Any = models.JSONField(default=dict)
    differences: Any = models.JSONField(default=list)
    requested_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    override_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    override_reason = models.TextField(blank=True)
    override_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    review = models.TextField(blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="departure_request")
    ended_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ended_because = models.TextField(blank=True)
    problem = models.TextField(blank=True)

    objects = DepartureRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="person", group=None, account=None, customer=None)
                | Q(scope="group", group__isnull=False, account=None, customer=None)
                | Q(scope="account", account__isnull=False, group=None, customer=None)
                | Q(scope="customer", customer__isnull=False, group=None, account=None),
                name="a_scope_names_its_place",
            ),
            models.CheckConstraint(condition=~Q(starts="at") | Q(starts_at__isnull=False), name="a_start_has_a_time"),
            models.CheckConstraint(condition=~Q(status="started") | Q(run__isnull=False), name="started_as_a_run"),
            models.CheckConstraint(
                condition=Q(override_at__isnull=True) | (Q(override_by__isnull=False) & ~Q(override_reason="")),
                name="overridden_by_whom_and_why",
            ),
        ]
        indexes = [
            models.Index(fields=["starts_at"], condition=Q(status="scheduled"), name="requests_to_start"),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()}, asked {self.requested_at:%Y-%m-%d}"


class DepartureRequestLeaverQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(request__in=DepartureRequest.objects.visible_to(user))


class DepartureRequestLeaver(Row):
    """One person whom a request is about."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    request = models.ForeignKey(DepartureRequest, on_delete=models.CASCADE, related_name="about")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")

    objects = DepartureRequestLeaverQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "technician"], name="a_leaver_once_per_request")]

    def __str__(self) -> str:
        return str(self.technician)


class ApprovalQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(request__in=DepartureRequest.objects.visible_to(user))


class Approval(Row):
    """What a second person said to a request: nobody twice, and neither the one who asks nor a leaver."""

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    request = models.ForeignKey(DepartureRequest, on_delete=models.PROTECT, related_name="approvals")
    by = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="+")
    agrees = models.BooleanField()
    note = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["request", "by"], name="nobody_approves_twice")]

    def __str__(self) -> str:
        return f"{self.by}: {'yes' if self.agrees else 'no'}"
