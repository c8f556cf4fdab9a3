"""Run -> Target -> Step: one change job, one shared account in it, one action on that account.

No row holds "clean": the state of a target is its worst step, the state of a run is computed from its steps.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from msp.vault.envelope import Place
from tenants.plans import ACTS, TRIES, RunState, StepKind, StepState, run_state

from .base import Row, Viewer, Walled
from .method import Method
from .registration import Registration
from .reseller import Reseller
from .secret import SecretVersion
from .shared_account import SharedAccount

UNDER_WAY = [StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED]
FOR_A_PERSON = [StepState.UNVERIFIED, StepState.REFUSED, StepState.BLOCKED]


def condition_counts(steps: str) -> dict[str, Count]:
    """The counts that `run_state` asks for, over the steps at the end of the path `steps` ("" for steps themselves)."""
    path = f"{steps}__" if steps else ""
    second = Q(**{f"{path}kind": StepKind.SECOND_LOOK})

    def count(states: list[StepState], only: Q | None = None) -> Count:
        among = Q(**{f"{path}status__in": states})
        return Count(f"{path}pk", filter=among if only is None else among & only)

    return {
        "under_way": count(UNDER_WAY, ~second),
        "for_a_person": count(FOR_A_PERSON),
        "waived": count([StepState.WAIVED]),
        "stated": count([StepState.STATED]),
        "cancelled": count([StepState.CANCELLED]),
        "second_looks": count(UNDER_WAY, second),
    }


class RunQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        seen = Target.objects.visible_to(user)
        return self.filter(pk__in=seen.values("run_id"))

    def with_counts(self) -> Self:
        """Annotate how many steps are in which condition, so that `state` needs no further query."""
        return self.annotate(
            **condition_counts("targets__steps"),
            steps_in_all=Count("targets__steps"),
            accounts=Count("targets", distinct=True),
        )


class Run(Row):
    """One change job: what kind, why, who asked.

    While it is paused nothing new is sent, and what was sent is read back all the same.
    """

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
        CUSTOMER_EXIT = "customer_exit", _("Customer exit")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="runs")
    kind = models.CharField(max_length=20, choices=Kind)
    reason = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="requested_runs", null=True
    )
    started_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    paused_because = models.TextField(blank=True, db_default="")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    cancelled_because = models.TextField(blank=True, db_default="")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def state(self) -> RunState:
        """Computed from the steps, always. Uses the annotations of `with_counts` when they are there."""
        counted: Any = self if hasattr(self, "under_way") else Run.objects.with_counts().get(pk=self.pk)
        return run_state(**{name: getattr(counted, name) for name in condition_counts("")}, paused=self.is_paused)


class TargetQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def due(self, moment: dt.datetime) -> Self:
        """Due for work, in a tenant that is not asking for patience, on an account that nobody holds.

        Of a paused run only what has nothing left to send, or was sent and is to be read back.
        """
        free = Q(account__lease__isnull=True) | Q(account__lease__until__lte=moment)
        patient = Q(account__tenant__busy_until__isnull=True) | Q(account__tenant__busy_until__lte=moment)
        return self.not_held_back().filter(free & patient, due_at__lte=moment)

    def not_held_back(self) -> Self:
        """Without those of paused runs that have something to send and nothing to read back."""
        steps = Step.objects.filter(target=OuterRef("pk"), kind__in=[*ACTS, *TRIES])
        to_send = Exists(steps.filter(status=StepState.PLANNED))
        sent = Exists(steps.filter(status__in=[StepState.SENDING, StepState.ACCEPTED]))
        return self.exclude(~sent & to_send, run__paused_at__isnull=False)


class Target(Row):
    """One shared account in a run. `due_at` is when a worker should look at it next; None means never again.

    `before` and `after` are what was read at the first and at the last look (`tenants.evidence` says the shape).
    `deadline_at` is when the access must be gone; `warned` is how much of that time had passed at the last warning, in
    percent: 0, 50, 80 or 100.
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
    deadline_at = models.DateTimeField(null=True, blank=True)
    warned = models.PositiveSmallIntegerField(default=0, db_default=0)

    objects = TargetQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "account"], name="an_account_once_per_run")]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="targets_due"),
            models.Index(fields=["deadline_at"], condition=Q(warned__lt=100), name="targets_to_warn_of"),
        ]

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
    """One action on one account. The label of each state says what is true outside.

    `sealed` is the session that a try of an old session opened before the change; None as soon as it was refused.
    """

    NEXT = {
        StepState.PLANNED: {
            StepState.SENDING,
            StepState.NEEDLESS,
            StepState.BLOCKED,
            StepState.VERIFIED,
            StepState.UNVERIFIED,
            StepState.STATED,
            StepState.CANCELLED,
        },
        StepState.SENDING: {
            StepState.ACCEPTED,
            StepState.VERIFIED,
            StepState.PLANNED,
            StepState.REFUSED,
            StepState.BLOCKED,
            StepState.UNVERIFIED,
            StepState.STATED,
        },
        StepState.ACCEPTED: {StepState.VERIFIED, StepState.UNVERIFIED},
        StepState.UNVERIFIED: {StepState.VERIFIED, StepState.PLANNED, StepState.WAIVED},
        StepState.REFUSED: {StepState.PLANNED, StepState.WAIVED, StepState.VERIFIED},
        StepState.BLOCKED: {StepState.PLANNED, StepState.WAIVED, StepState.VERIFIED},
        StepState.VERIFIED: set(),
        StepState.WAIVED: {StepState.BLOCKED},
        StepState.NEEDLESS: set(),
        StepState.STATED: set(),
        StepState.CANCELLED: set(),
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
    sealed = models.BinaryField(null=True, blank=True)
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
    waived_until = models.DateField(null=True, blank=True, help_text="The last day on which the gap is accepted")
    stated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    stated_at = models.DateTimeField(null=True, blank=True)
    stated_note = models.TextField(blank=True, db_default="")

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
            models.CheckConstraint(
                condition=~Q(status="stated") | Q(stated_by__isnull=False, stated_at__isnull=False),
                name="stated_by_whom_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.target.account}"

    @property
    def place(self) -> Place:
        """Where the envelope of the session belongs; needs `target.account` loaded."""
        return Place(
            reseller_id=str(self.reseller_id),
            tenant_id=str(self.target.account.tenant_id),
            kind="old_session",
            object_id=str(self.pk),
            version=1,
        )
