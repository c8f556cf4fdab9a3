from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle

from .base import Reach, Row, Viewer, Walled
from .method import Method
from .reseller import Reseller
from .shared_account import SharedAccount
from .tenant import Tenant


class FindingQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        seen = self.filter(tenant__in=Tenant.objects.visible_to(user))
        # An alarm about a person is for those who answer for people, not for the person and their colleagues.
        hidden = user.reach in (Reach.ASSIGNED, Reach.CUSTOMER)
        return seen.exclude(kind=Finding.Kind.UNUSUAL_REVEALS) if hidden else seen

    def open(self) -> Self:
        return self.filter(status=Finding.Status.OPEN)


class Finding(Lifecycle, Row):
    """Something wrong or risky in a tenant, open until it is resolved or somebody accepts it."""

    class Kind(models.TextChoices):
        UNKNOWN_METHOD = "unknown_method", _("A method that belongs to nobody")
        PUSH_ON_SHARED = "push_on_shared", _("Push approval on a shared account")
        NO_CONNECTION = "no_connection", _("No connection to the tenant")
        ACCOUNT_MISSING = "account_missing", _("The account is not in the directory")
        RUN_PROBLEM = "run_problem", _("A step of a run needs a person")
        CHECK_FAILED = "check_failed", _("The tenant check found something wrong")
        PASSWORD_DOUBTFUL = "password_doubtful", _("The password was changed outside Latchkey")
        ROTATION_FAILED = "rotation_failed", _("The password could not be changed")
        SHARED_SEED = "shared_seed", _("A shared seed: replace it by independent authenticators")
        TOKEN_LEFT_OVER = "token_left_over", _("A token of ours is left over in the tenant's inventory")
        OVERDUE = "overdue", _("Access should be gone by now, and is not")
        GAP_ENDED = "gap_ended", _("A gap was accepted until a day that is past")
        UNUSUAL_REVEALS = "unusual_reveals", _("Unusually many passwords were shown to one person")

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        SNOOZED = "snoozed", _("Snoozed")
        ACCEPTED = "accepted", _("Accepted")
        RESOLVED = "resolved", _("Resolved")

    NEXT = {
        Status.OPEN: {Status.SNOOZED, Status.ACCEPTED, Status.RESOLVED},
        Status.SNOOZED: {Status.OPEN, Status.RESOLVED},
        Status.ACCEPTED: {Status.OPEN, Status.RESOLVED},
        Status.RESOLVED: set(),
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="findings")
    account = models.ForeignKey(SharedAccount, on_delete=models.CASCADE, related_name="findings", null=True)
    method = models.ForeignKey(Method, on_delete=models.CASCADE, related_name="findings", null=True)
    kind = models.CharField(max_length=30, choices=Kind)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    detail = models.TextField(blank=True)
    opened_at = models.DateTimeField(auto_now_add=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "method", "kind"],
                condition=~Q(status="resolved"),
                name="one_unresolved_finding",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.tenant})"
