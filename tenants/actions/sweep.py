"""Find targets that are due and in nobody's hands, and wake workers for them."""

from __future__ import annotations

from django.utils import timezone

from tenants.actions.nudge import wake
from tenants.models import Target

AT_ONCE = 500


def sweep() -> int:
    """How many were woken. Taken tenant by tenant in turns, so that one with many accounts does not push out others."""
    due = Target.objects.due(timezone.now()).order_by("position", "due_at")
    ids = list(due.values_list("pk", flat=True)[:AT_ONCE])
    wake(ids)
    return len(ids)
