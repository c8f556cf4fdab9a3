"""Which runs stand still although something is to be done: found by a query, so that it shows without any worker."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from tenants.models import Run, Step, Target, Tenant
from tenants.models.run import UNDER_WAY
from tenants.plans import StepKind

SILENT_AFTER = dt.timedelta(minutes=15)
SOON = dt.timedelta(minutes=1)
"""What is due later than this waits for a reason: a second look, a growing interval, a time that was set."""
LOOKED_BACK = dt.timedelta(days=7)
"""How old a run may be whose account nothing wakes up any more. What is due is found however old it is."""


def targets_at_a_standstill(now: dt.datetime) -> Any:
    """Accounts of runs that are not paused, which somebody should have moved by now.

    Not those that wait for a known reason: a tenant that asks for patience or cannot be reached, a second look, a
    person who works by hand. But when the time of the waiting itself is long past, nobody works at all.
    """
    long_ago = now - SILENT_AFTER
    open_steps = Step.objects.filter(target=OuterRef("pk"), status__in=UNDER_WAY).exclude(kind=StepKind.SECOND_LOOK)
    not_taken = Q(due_at__lte=long_ago) & (
        Q(account__tenant__busy_until=None) | Q(account__tenant__busy_until__lte=long_ago)
    )
    turning = Q(due_at__lte=now + SOON, tries=0) & Q(Exists(open_steps))
    patient = Q(account__tenant__busy_until__gt=long_ago)
    forgotten = Q(due_at=None, run__started_at__gte=now - LOOKED_BACK) & Q(Exists(open_steps))
    return (
        Target.objects.filter(run__paused_at=None, run__started_at__lte=long_ago)
        .filter(account__tenant__system=Tenant.System.ENTRA)
        .filter(not_taken | (turning & ~patient) | forgotten)
    )


def silent_runs(now: dt.datetime | None = None, *, run: Run | None = None) -> Any:
    """Runs with something to do, none of whose steps has moved for SILENT_AFTER; `last_move` says since when.

    With `run` only that one is looked at, which its own page does every few seconds.
    """
    now = now or timezone.now()
    still = targets_at_a_standstill(now)
    if run is not None:
        still = still.filter(run=run)
    return (
        Run.objects.filter(pk__in=still.values("run_id"))
        .annotate(last_move=Greatest(Max("targets__steps__changed_at"), "started_at"))
        .filter(last_move__lte=now - SILENT_AFTER)
    )
