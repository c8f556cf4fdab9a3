from __future__ import annotations

import datetime as dt
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import NEVER_A_WAY_IN, Method, Reach, Reseller, Row, SharedAccount, Viewer, Walled

from .technician import Technician


class AuthenticatorQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.ASSIGNED:
            return self.filter(technician_id=user.pk)
        return self.filter(method__account__in=SharedAccount.objects.visible_to(user))

    def on_the_account(self) -> Self:
        return self.filter(method__removed_at__isnull=True)

    def at(self, moment: dt.datetime) -> Self:
        """Bound and present on that day. The binding may be younger than the method it is about."""
        gone = Q(method__removed_at__isnull=True) | Q(method__removed_at__gt=moment)
        return self.filter(gone, bound_from__lte=moment)

    def that_let_in(self) -> Self:
        """Present methods that let their owner in: the ways in that the lock-out guard counts."""
        return self.on_the_account().exclude(method__kind__in=NEVER_A_WAY_IN)

    def of_those_who_stay(self, *, leavers: list[Technician] | None = None) -> Self:
        """Ways in of active technicians who hold a live assignment on the same account."""
        now = timezone.now()
        live = (
            Q(technician__assignments__account=F("method__account"))
            & Q(technician__assignments__from_at__lte=now)
            & (Q(technician__assignments__until_at__isnull=True) | Q(technician__assignments__until_at__gt=now))
        )
        stay = self.that_let_in().filter(live, technician__status=Technician.Status.ACTIVE)
        return stay.exclude(technician__in=leavers or [])


class Authenticator(Row):
    """A method on a shared account, bound to the one technician who carries it, with the proof of that.

    It has no status of its own: it is on the account while its method is. `note` is what a person gave as evidence.
    """

    class Proof(models.TextChoices):
        IMPORTED = "imported", _("Imported: said by whoever gave the list")
        OBSERVED = "observed", _("Observed: it appeared while this technician enrolled")
        PROVEN = "proven", _("Proven: it appeared, and a code of its key was right")
        ACTIVATED = "activated", _("Activated: Latchkey chose the seed, and a code of it was right")
        SIGNED_IN = "signed_in", _("Claimed: a sign-in names the device")
        CLAIMED = "claimed", _("Claimed by this technician; the label is the evidence")
        SAID = "said", _("Said by a manager")

    ON_A_WORD = (Proof.IMPORTED, Proof.CLAIMED, Proof.SAID)

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    method = models.OneToOneField(Method, on_delete=models.PROTECT, related_name="authenticator")
    technician = models.ForeignKey(Technician, on_delete=models.PROTECT, related_name="authenticators")
    label = models.CharField(max_length=256, blank=True)
    proof = models.CharField(max_length=12, choices=Proof)
    note = models.CharField(max_length=500, blank=True, db_default="")
    bound_from = models.DateTimeField(default=timezone.now)
    bound_by = models.ForeignKey(Technician, on_delete=models.PROTECT, null=True, related_name="+")

    objects = AuthenticatorQuerySet.as_manager()

    class Meta:
        ordering = ["technician__name", "bound_from"]

    def __str__(self) -> str:
        return f"{self.technician}: {self.method}"

    @property
    def on_the_account(self) -> bool:
        return self.method.removed_at is None
