"""How fast the last runs of a reseller went, from what their steps say."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, Max, Min, OuterRef
from django.utils import timezone

from tenants.models import Run, Step
from tenants.models.run import UNDER_WAY
from tenants.plans import ACTS, StepKind, StepState

LAST_RUNS = 5
LOOKED_BACK = dt.timedelta(days=180)
MOST_ACCOUNTS = 1000
"""So many tell as much as more would, and a page waits for this."""
LIKE_A_DEPARTURE = (
    Run.Kind.OFFBOARDING,
    Run.Kind.LOST_DEVICE,
    Run.Kind.MOVE,
    Run.Kind.SUSPENSION,
    Run.Kind.CUSTOMER_EXIT,
)


def last_finished_runs(reseller_id: UUID) -> list[UUID]:
    """Those in which nothing is under way but second looks, and something was done; the newest first."""
    now = timezone.now()
    under_way = Step.objects.filter(target__run=OuterRef("pk"), status__in=UNDER_WAY).exclude(kind=StepKind.SECOND_LOOK)
    done = Step.objects.filter(target__run=OuterRef("pk"), kind__in=ACTS, status=StepState.VERIFIED)
    found = Run.objects.filter(
        Exists(done), ~Exists(under_way), reseller_id=reseller_id, kind__in=LIKE_A_DEPARTURE,
        started_at__gte=now - LOOKED_BACK,
    )  # fmt: skip
    return list(found.order_by("-started_at").values_list("pk", flat=True)[:LAST_RUNS])


def accounts_worked(runs: list[UUID]) -> list[dict[str, Any]]:
    """{"target__run_id", "began", "ended", "sent", "looks"} for each account of these runs on which something was done.

    `sent` is how many requests with acts went out (what goes out together has one time), `looks` how often the acts
    were looked for in vain.
    """
    if not runs:
        return []
    verified = Step.objects.filter(
        target__run__in=runs, kind__in=ACTS, status=StepState.VERIFIED, sent_at__isnull=False
    )
    rows = verified.order_by().values("target_id", "target__run_id").annotate(
        began=Min("sent_at"), ended=Max("verified_at"), sent=Count("sent_at", distinct=True), looks=Max("looks")
    )  # fmt: skip
    return list(rows[:MOST_ACCOUNTS])
