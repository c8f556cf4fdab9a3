from __future__ import annotations

from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .base import Reach, Row, Viewer, Walled
from .reseller import Reseller


class DeparturePolicyQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        return self.all() if user.reach == Reach.GROUPS else self.none()


class DeparturePolicy(Row):
    """What a reseller asks of every departure. Without a row the defaults hold.

    `approvals` is how many others must agree (0: nobody), `approvals_above` the number of accounts from which
    `approvals_for_many` are needed instead. The tries are the negative proof: what must be refused afterwards.
    """

    reseller = models.OneToOneField(Reseller, on_delete=models.PROTECT, related_name="departure_policy")
    approvals = models.PositiveSmallIntegerField(
        _("People who must agree"), default=0, validators=[MaxValueValidator(3)]
    )
    approvals_above = models.PositiveIntegerField(
        _("More people for runs above this many accounts"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    approvals_for_many = models.PositiveSmallIntegerField(
        _("People who must agree then"), default=2, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    try_password = models.BooleanField(_("Try that the old password is refused"), default=False)
    try_code = models.BooleanField(_("Try that an old code is refused"), default=False)
    try_session = models.BooleanField(_("Try that an old session is refused"), default=False)
    rehearse_every_days = models.PositiveSmallIntegerField(
        _("Rehearse by itself every so many days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    webhook_url = models.URLField(_("Webhook"), max_length=500, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    changed_at = models.DateTimeField(default=timezone.now)

    objects = DeparturePolicyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approvals_above__isnull=True) | Q(approvals_for_many__gte=models.F("approvals")),
                name="many_accounts_need_no_fewer_people",
            ),
        ]

    def __str__(self) -> str:
        return f"departure policy of {self.reseller}"
