from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from msp.vault.envelope import Place
from tenants.models import Reach, Reseller, Row, SharedAccount, Viewer, Walled

from .authenticator import Authenticator
from .technician import Technician


class KeptCodeQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(account__in=SharedAccount.objects.visible_to(user))

    def live(self) -> Self:
        return self.filter(ended_at__isnull=True)


class KeptCode(Row):
    """A seed that stays in the vault, for one technician on one account: the code is shown to that person alone.

    It is kept for later (`until`) or for use (`until` is None). When it ends the envelope is emptied.
    """

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="kept_codes")
    account = models.ForeignKey(SharedAccount, on_delete=models.PROTECT, related_name="kept_codes")
    authenticator = models.OneToOneField(
        Authenticator, on_delete=models.PROTECT, null=True, blank=True, related_name="kept_code"
    )
    sealed = models.BinaryField()
    made_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)
    shown = models.PositiveIntegerField(default=0)
    shown_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=200, blank=True)

    objects = KeptCodeQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["technician", "account"], condition=Q(ended_at__isnull=True), name="one_live_code_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"codes of {self.technician} on {self.account}"

    @property
    def place(self) -> Place:
        """Where the seed's envelope belongs; needs `account` loaded."""
        return Place(
            reseller_id=str(self.reseller_id),
            tenant_id=str(self.account.tenant_id),
            kind="kept_code",
            object_id=str(self.pk),
            version=1,
        )
