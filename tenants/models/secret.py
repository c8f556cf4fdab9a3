from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from msp.lifecycle import Lifecycle
from msp.vault.envelope import Place

from .base import Row, Viewer, Walled
from .reseller import Reseller
from .shared_account import SharedAccount


class SecretQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(account__in=SharedAccount.objects.visible_to(user))


class Secret(Row):
    """The shared password of one account, in all its versions.

    `next_change_at` is when automation changes it next, and `next_change_because` why. `wrong_try_at` is when a
    sign-in with a password that may be wrong was last tried: smart lockout counts these.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    account = models.OneToOneField(SharedAccount, on_delete=models.CASCADE, related_name="secret")
    next_change_at = models.DateTimeField(null=True, blank=True)
    next_change_because = models.CharField(max_length=20, blank=True, db_default="")
    wrong_try_at = models.DateTimeField(null=True, blank=True)

    objects = SecretQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["next_change_at"], condition=Q(next_change_at__isnull=False), name="secrets_due"),
        ]

    def __str__(self) -> str:
        return f"password of {self.account}"


class SecretVersionQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.filter(secret__in=Secret.objects.visible_to(user))

    def that_may_sign_in(self) -> Self:
        """The one in force, even when that is doubtful, and the one that may have replaced it meanwhile."""
        return self.filter(status__in=SecretVersion.MAY_SIGN_IN)

    def in_force(self) -> Self:
        """The one that signs in as far as is known. At most one of a secret."""
        return self.filter(status__in=SecretVersion.IN_FORCE)


class SecretVersion(Lifecycle, Row):
    """One value of the password. It is sealed before it is sent anywhere, and kept whatever the answer is.

    `repeats` is the oldest version with the same value: whoever knows that one knows this one. `note` is what the
    person said who entered it.
    """

    class Status(models.TextChoices):
        CANDIDATE = "candidate", _("Stored, not sent")
        UNVERIFIED = "unverified", _("Sent; it may be in force, not proven")
        CURRENT = "current", _("In force")
        DOUBTFUL = "doubtful", _("Doubtful: the password was changed outside Latchkey")
        RETIRED = "retired", _("No longer in force")
        DEAD = "dead", _("Dead: the directory refused it")

    class Source(models.TextChoices):
        GENERATED = "generated", _("Made by Latchkey")
        IMPORTED = "imported", _("Imported")
        ENTERED = "entered", _("Entered by a person")
        CORRECTED = "corrected", _("Corrected by a person")

    class Proof(models.TextChoices):
        NONE = "", _("Not proven")
        READ_BACK = "read_back", _("Read back at the directory")
        SIGN_IN = "sign_in", _("Signed in with it")
        PERSON = "person", _("Said by a person")

    NEXT = {
        Status.CANDIDATE: {Status.UNVERIFIED, Status.RETIRED, Status.DEAD},
        Status.UNVERIFIED: {Status.CURRENT, Status.RETIRED, Status.CANDIDATE, Status.DEAD},
        Status.CURRENT: {Status.RETIRED, Status.DOUBTFUL},
        Status.DOUBTFUL: {Status.CURRENT, Status.RETIRED},
        Status.RETIRED: set(),
        Status.DEAD: set(),
    }
    IN_FORCE = (Status.CURRENT, Status.DOUBTFUL)
    ON_THE_WAY = (Status.CANDIDATE, Status.UNVERIFIED)
    MAY_SIGN_IN = (*IN_FORCE, Status.UNVERIFIED)

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=Status, default=Status.CANDIDATE)
    sealed = models.BinaryField()
    source = models.CharField(max_length=20, choices=Source, default=Source.GENERATED)
    proof = models.CharField(max_length=10, choices=Proof, blank=True, db_default="")
    repeats = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="repeated_by")
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    current_from = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_because = models.CharField(max_length=200, blank=True)

    objects = SecretVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["secret", "number"], name="one_version_per_number"),
            models.UniqueConstraint(
                fields=["secret"], condition=Q(status__in=["current", "doubtful"]), name="one_version_in_force"
            ),
            models.UniqueConstraint(
                fields=["secret"], condition=Q(status__in=["candidate", "unverified"]), name="one_candidate_version"
            ),
            models.CheckConstraint(
                condition=~Q(status="current") | Q(current_from__isnull=False), name="current_since_when"
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    @property
    def place(self) -> Place:
        """Where this version's envelope belongs; needs `secret.account` loaded."""
        return Place(
            reseller_id=str(self.reseller_id),
            tenant_id=str(self.secret.account.tenant_id),
            kind="secret_version",
            object_id=str(self.secret_id),
            version=self.number,
        )
