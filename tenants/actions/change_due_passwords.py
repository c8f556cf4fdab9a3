"""Change the passwords whose time has come: by schedule, or because something demanded it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from itertools import groupby
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actions.open_run import open_run
from tenants.exit_queries import customers_who_go
from tenants.models import ChangeDemand, Run, Secret, Step, Target
from tenants.password_plans import staggered
from tenants.plans import PlannedTarget, StepKind, StepState, steps_for_rotation
from tenants.policy_queries import policies_of

AT_ONCE = 500
ASKED_AGAIN_AFTER = dt.timedelta(hours=24)
"""A change that was begun is not begun again before this, whatever becomes of it."""
UNSETTLED = (
    StepState.PLANNED,
    StepState.SENDING,
    StepState.ACCEPTED,
    StepState.UNVERIFIED,
    StepState.REFUSED,
    StepState.BLOCKED,
)


def change_due_passwords() -> int:
    """Begin a rotation of every password that is due. Says how many; called by the clock, and safe to call at once.

    An account whose last change is under way, or needs a person, is left alone: trying again is that person's act.
    """
    with transaction.atomic():
        due = list(
            Secret.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(next_change_at__lte=timezone.now(), account__break_glass=False)
            .exclude(account__tenant__customer__in=customers_who_go())
            .select_related("account__tenant", "reseller")
            .order_by("reseller_id", "next_change_at")[:AT_ONCE]
        )
        busy = set(
            Step.objects.filter(
                target__account__in=[secret.account_id for secret in due],
                kind=StepKind.ROTATE_PASSWORD,
                status__in=UNSETTLED,
            ).values_list("target__account_id", flat=True)
        )
        ready = [secret for secret in due if secret.account_id not in busy]
        for _reseller_id, secrets in groupby(ready, key=lambda secret: secret.reseller_id):
            _begin(list(secrets))
        begun = Secret.objects.filter(pk__in=[secret.pk for secret in due])
        begun.update(next_change_at=timezone.now() + ASKED_AGAIN_AFTER)
    return len(ready)


def _begin(secrets: list[Secret]) -> None:
    policies, now = policies_of([secret.account for secret in secrets]), timezone.now()
    taken = _changes_of_tenants({secret.account.tenant_id for secret in secrets}, around=now)
    targets = []
    for secret in secrets:
        account = secret.account
        at = staggered(policies[account.pk].rules, wanted=now, others=taken[account.tenant_id])
        taken[account.tenant_id].append(at)
        targets.append(PlannedTarget(account.pk, steps_for_rotation(), not_before=at))
    causes = sorted({str(ChangeDemand.Because(secret.next_change_because).label) for secret in secrets})
    open_run(
        Run.Kind.ROTATION,
        reseller=secrets[0].reseller,
        targets=targets,
        reason=_("By policy: %(causes)s") % {"causes": "; ".join(causes)},
        by=None,
    )


def _changes_of_tenants(tenants: set[Any], *, around: dt.datetime) -> defaultdict[Any, list[dt.datetime]]:
    """When other passwords of these tenants have changed lately, or are going to."""
    found: defaultdict[Any, list[dt.datetime]] = defaultdict(list)
    waiting = Target.objects.filter(
        account__tenant__in=tenants, due_at__isnull=False, steps__kind=StepKind.ROTATE_PASSWORD,
        steps__status=StepState.PLANNED,
    )  # fmt: skip
    sent = Step.objects.filter(
        target__account__tenant__in=tenants,
        kind=StepKind.ROTATE_PASSWORD,
        sent_at__gte=around - dt.timedelta(days=1),
    )
    for tenant_id, at in (
        *waiting.values_list("account__tenant_id", "due_at"),
        *sent.values_list("target__account__tenant_id", "sent_at"),
    ):
        found[tenant_id].append(at)
    return found
