"""Run -> Target -> Step: one change job, one shared account in it, one action on that account.

No row holds "clean": the state of a target is its worst step, the state of a run is computed from its steps.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from tenants.plans import RunState, StepKind, StepState, run_state

from .base import Row, Viewer, Walled
from .method import Method
from .registration import Registration
from .reseller import Reseller
from .secret import SecretVersion
from .shared_account import SharedAccount

UNDER_WAY = [StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED]
FOR_A_PERSON = [StepState.UNVERIFIED, StepState.REFUSED, StepState.BLOCKED]


class RunQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        seen = Target.objects.visible_to(user)
        return self.filter(pk__in=seen.values("run_id"))

    def with_counts(self) -> Self:
        """Annotate how many steps are in which condition, so that `state` needs no further query."""
        second = Q(targets__steps__kind=StepKind.SECOND_LOOK)
        state = "targets__steps__status__in"
        return self.annotate(
            under_way=Count("targets__steps", filter=Q(**{state: UNDER_WAY}) & ~second),
            for_a_person=Count("targets__steps", filter=Q(**{state: FOR_A_PERSON})),
            waived=Count("targets__steps", filter=Q(targets__steps__status=StepState.WAIVED)),
            second_looks=Count("targets__steps", filter=Q(**{state: UNDER_WAY}) & second),
            steps_in_all=Count("targets__steps"),
            accounts=Count("targets", distinct=True),
        )


class Run(Row):
    """One change job: what kind, why, who asked, who approved."""

    class Kind(models.TextChoices):
        OFFBOARDING = "offboarding", _("Offboarding")
        ROTATION = "rotation", _("Rotation")
        ENROLMENT = "enrolment", _("Enrolment")
        LOST_DEVICE = "lost_device", _("Lost phone")
        NEW_PHONE = "new_phone", _("New phone")
        MOVE = "move", _("Assignment ended")
        SUSPENSION = "suspension", _("Suspension")
        TAKE_OVER = "take_over", _("Removal of unknown methods")
        CLEAN_UP = "clean_up", _("Clean-up of tokens")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="runs")
    kind = models.CharField(max_length=20, choices=Kind)
    reason = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="requested_runs", null=True
    )
    started_at = models.DateTimeField()

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def state(self) -> RunState:
        """Computed from the steps, always. Uses the annotations of `with_counts` when they are there."""
        counted: Any = self if hasattr(self, "under_way") else Run.objects.with_counts().get(pk=self.pk)
        return run_state(
            under_way=counted.under_way,
            for_a_person=counted.for_a_person,
            waived=counted.waived,
            second_looks=counted.second_looks,
        )


class TargetQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def due(self, moment: dt.datetime) -> Self:
        """Due for work, in a tenant that is not asking for patience, on an account that nobody holds."""
        free = Q(account__lease__isnull=True) | Q(account__lease__until__lte=moment)
        patient = Q(account__tenant__busy_until__isnull=True) | Q(account__tenant__busy_until__lte=moment)
        return self.filter(free & patient, due_at__lte=moment)


class Target(Row):
    """One shared account in a run. `due_at` is when a worker should look at it next; None means never again.

    `before` and `after` are what was read at the first and at the last look (`tenants.evidence` says the shape).
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="targets")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="targets")
    position = models.PositiveIntegerField()
    due_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    objects = TargetQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "account"], name="an_account_once_per_run")]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="targets_due")]

    def __str__(self) -> str:
        return f"{self.account} in {self.run}"


class Lease(models.Model):
    """Who works on an account right now. One row per account, so two live leases cannot exist."""

    account = models.OneToOneField(SharedAccount, on_delete=models.CASCADE, primary_key=True, related_name="lease")
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="+")
    holder = models.UUIDField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"lease on {self.account_id} until {self.until}"


class StepQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(target__in=Target.objects.visible_to(user))


class Step(Lifecycle, Row):
    """One action on one account. The label of each state says what is true outside."""

    NEXT = {
        StepState.PLANNED: {
            StepState.SENDING,
            StepState.NEEDLESS,
            StepState.BLOCKED,
            StepState.VERIFIED,
            StepState.UNVERIFIED,
        },
        StepState.SENDING: {
            StepState.ACCEPTED,
            StepState.VERIFIED,
            StepState.PLANNED,
            StepState.REFUSED,
            StepState.BLOCKED,
            StepState.UNVERIFIED,
        },
        StepState.ACCEPTED: {StepState.VERIFIED, StepState.UNVERIFIED},
        StepState.UNVERIFIED: {StepState.VERIFIED, StepState.PLANNED, StepState.WAIVED},
        StepState.REFUSED: {StepState.PLANNED, StepState.WAIVED},
        StepState.BLOCKED: {StepState.PLANNED, StepState.WAIVED},
        StepState.VERIFIED: set(),
        StepState.WAIVED: set(),
        StepState.NEEDLESS: set(),
    }

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="steps")
    kind = models.CharField(max_length=20, choices=StepKind.choices)
    position = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=StepState.choices, default=StepState.PLANNED)
    method = models.ForeignKey(Method, on_delete=models.PROTECT, null=True, blank=True, related_name="steps")
    version = models.ForeignKey(SecretVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="steps")
    registration = models.ForeignKey(
        Registration, on_delete=models.PROTECT, null=True, blank=True, related_name="steps"
    )
    was = models.JSONField(default=dict, help_text="What was read before the act, to compare with what is read after")
    looks = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    request_ids = models.JSONField(default=list)
    problem = models.TextField(blank=True)
    due_at = models.DateTimeField(null=True, blank=True, help_text="When the second look is to be taken")
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    waived_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    waived_reason = models.TextField(blank=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["target", "position"], name="one_step_per_position"),
            models.CheckConstraint(
                condition=~Q(kind="remove_method") | Q(method__isnull=False), name="a_removal_names_its_method"
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["create_token", "activate_token", "delete_token"])
                | Q(registration__isnull=False),
                name="a_token_step_names_its_token",
            ),
            models.CheckConstraint(
                condition=~Q(status="verified") | Q(verified_at__isnull=False), name="verified_when"
            ),
            models.CheckConstraint(
                condition=~Q(status="waived") | (Q(waived_by__isnull=False) & ~Q(waived_reason="")),
                name="waived_by_whom_and_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.target.account}"
