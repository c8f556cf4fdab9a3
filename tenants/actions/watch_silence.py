"""A run that should move and does not raises an alarm by itself, which ends when the run moves again."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actions.alarms import end_alarm, raise_alarm
from tenants.models import Alarm, Run
from tenants.silence_queries import silent_runs, targets_at_a_standstill


def watch_silence() -> list[Run]:
    """Raise and end the alarms of silence; the runs with a new one.

    A silence that a person has seen to is not told a second time: only a run that has moved since can fall silent
    again.
    """
    now = timezone.now()
    silent = list(silent_runs(now).select_related("reseller", "requested_by"))
    raised = [run for run in silent if _raise(run, now)]
    for alarm in Alarm.objects.open().filter(kind=Alarm.Kind.SILENT).exclude(run__in=silent).select_related("run"):
        end_alarm(alarm.run, Alarm.Kind.SILENT)
    return raised


@transaction.atomic
def _raise(run: Run, now: dt.datetime) -> bool:
    since: dt.datetime = run.last_move  # type: ignore[attr-defined]  # annotated by silent_runs
    if run.alarms.filter(kind=Alarm.Kind.SILENT, raised_at__gt=since).exists():
        return False
    names = list(
        targets_at_a_standstill(now)
        .filter(run=run)
        .order_by("position")
        .values_list("account__user_principal_name", flat=True)[:1]
    )
    detail = _(
        "No step of this run has moved since %(since)s UTC, and %(account)s waits for no reason that is known. See "
        "whether worker and beat are running (`python3 manage.py doctor`); when they are, the run goes on by itself."
    ) % {"since": f"{since.astimezone(dt.UTC):%Y-%m-%d %H:%M}", "account": names[0] if names else run}
    return raise_alarm(run, Alarm.Kind.SILENT, detail=detail) is not None
