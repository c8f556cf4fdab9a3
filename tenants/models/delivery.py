from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .base import Reach, Row, Viewer, Walled
from .reseller import Reseller
from .run import Run


class DeliveryQuerySet(Walled):
    def within_reach_of(self, user: Viewer) -> Self:
        if user.reach == Reach.GROUPS:
            return self.filter(run__in=Run.objects.visible_to(user))
        return self.none()


class Delivery(Row):
    """Word about a run that leaves the house, by mail or to a webhook; it waits here until it is taken.

    `about` is the event (`run.finished`, `run.alarm`, `request.waiting`, ...), `facts` what the message says of it:
    names, numbers and times, never a secret. `due_at` is None when nothing more is tried. `key` makes one event one
    delivery.
    """

    class Way(models.TextChoices):
        MAIL = "mail", _("Mail")
        WEBHOOK = "webhook", _("Webhook")

    reseller = models.ForeignKey(Reseller, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="deliveries", null=True, blank=True)
    way = models.CharField(max_length=10, choices=Way)
    about = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    address = models.CharField(max_length=500)
    facts: Any = models.JSONField(default=dict)
    made_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    taken_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.UniqueConstraint(fields=["reseller", "way", "address", "key"], name="one_event_one_delivery"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="deliveries_due"),
        ]

    def __str__(self) -> str:
        return f"{self.about} to {self.address}"
