"""Warn when half and four fifths of the time for an account are gone, and say aloud when its deadline is past."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.actions.alarms import end_alarm, raise_alarm
from tenants.actions.findings import open_finding, resolve_findings
from tenants.clock_plans import time_gone
from tenants.clock_queries import with_access_left
from tenants.models import AccountClass, Alarm, Finding, Run, Target

LEVELS = {50: Alarm.Kind.HALF, 80: Alarm.Kind.NEARLY, 100: Alarm.Kind.OVERDUE}
"""Percent of the time that is gone, and the alarm for it."""
LONGEST = dt.timedelta(hours=max(named.hours for named in AccountClass))
LOOKED_BACK = dt.timedelta(days=30)
"""A deadline that passed longer ago than this is not warned of for the first time."""
NAMED_AT_MOST = 20


def watch_deadlines() -> None:
    now = timezone.now()
    concerned: dict[Run, set[int]] = defaultdict(set)
    for target in _to_warn_of(now):
        level = max((at for at in LEVELS if at <= time_gone(target.run.started_at, target.deadline_at, now)), default=0)
        if level > target.warned and _warn(target, level):
            concerned[target.run].add(level)
    for run, levels in concerned.items():
        for level in sorted(levels):
            _alarm(run, level)
    _end_what_is_over()


def _to_warn_of(now: dt.datetime) -> Any:
    return (
        Target.objects.filter(
            with_access_left(),
            warned__lt=100,
            deadline_at__gte=now - LOOKED_BACK,
            deadline_at__lte=now + LONGEST / 2,
        )
        .select_related("run__reseller", "run__requested_by", "account__tenant")
        .order_by("run_id", "position")
    )


@transaction.atomic
def _warn(target: Target, level: int) -> bool:
    """Of two clocks at once, one says it."""
    if not Target.objects.filter(pk=target.pk, warned=target.warned).update(warned=level):
        return False
    if level == 100:
        account = target.account
        detail = _(
            "Its class is %(class)s, and the run of %(started)s UTC has not taken the access away yet. Open the run: "
            "it says what stands in the way."
        ) % {
            "class": account.get_account_class_display(),
            "started": f"{target.run.started_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
        }
        open_finding(Finding.Kind.OVERDUE, tenant=account.tenant, account=account, detail=detail)
    return True


@transaction.atomic
def _alarm(run: Run, level: int) -> None:
    kind, targets = LEVELS[level], list(_at(run, level))
    if not targets:
        return
    detail = _words(level, [str(target.account) for target in targets])
    if raise_alarm(run, kind, detail=detail) is None:
        Alarm.objects.open().filter(run=run, kind=kind).update(detail=detail)


def _at(run: Run, level: int) -> Any:
    return run.targets.filter(with_access_left(), warned=level).select_related("account").order_by("deadline_at")


def _words(level: int, names: list[str]) -> str:
    count = len(names)
    named = ", ".join(names[:NAMED_AT_MOST])
    if count > NAMED_AT_MOST:
        named += " " + _("and %(more)d more") % {"more": count - NAMED_AT_MOST}
    if level == 100:
        words = ngettext(
            "Access to %(count)d account should be gone by now, and is not: %(named)s.",
            "Access to %(count)d accounts should be gone by now, and is not: %(named)s.",
            count,
        )
    else:
        words = ngettext(
            "%(level)d %% of the time is gone, and access to %(count)d account is not: %(named)s.",
            "%(level)d %% of the time is gone, and access to %(count)d accounts is not: %(named)s.",
            count,
        )
    return words % {"count": count, "named": named, "level": level}


def _end_what_is_over() -> None:
    """An alarm ends when none of its accounts has access left, or all of them have come to the next one."""
    level_of = {kind: level for level, kind in LEVELS.items()}
    for alarm in Alarm.objects.open().filter(kind__in=level_of).select_related("run"):
        if not _at(alarm.run, level_of[Alarm.Kind(alarm.kind)]).exists():
            end_alarm(alarm.run, Alarm.Kind(alarm.kind))
    overdue = Target.objects.filter(with_access_left(), account=OuterRef("account"), warned=100)
    over = Finding.objects.filter(~Exists(overdue), kind=Finding.Kind.OVERDUE, account__isnull=False)
    for finding in over.exclude(status=Finding.Status.RESOLVED).select_related("account"):
        assert finding.account is not None
        resolve_findings(finding.account, kinds=[Finding.Kind.OVERDUE])
