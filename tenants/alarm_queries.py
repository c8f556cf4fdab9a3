"""The alarms that a person should look at, and the runs that stand still whether or not any clock is running."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.models import Alarm, Reach, Run
from tenants.run_queries import people_about
from tenants.silence_queries import silent_runs

RUN_FACTS = ("run__lost_device__technician", "run__suspension__technician")


@dataclass(frozen=True)
class AlarmLine:
    """One alarm in words. `alarm` is None for a silence that no clock has written down: then the clock is dead too."""

    run: Run
    kind: str
    label: str
    detail: str
    since: dt.datetime
    people: list[str]
    alarm: Alarm | None = None


def alarms_seen_by(user: Any, *, run: Run | None = None) -> list[AlarmLine]:
    """Open alarms, newest first, and silent runs without one; of one run when it is given. Four queries at most.

    Whoever sees only some tenants gets no detail, as it may name accounts of others.
    """
    alarms = Alarm.objects.visible_to(user).open()
    silent = silent_runs(run=run).filter(pk__in=Run.objects.visible_to(user).values("pk"))
    if run is not None:
        alarms = alarms.filter(run=run)
    told = list(alarms.select_related("run", *RUN_FACTS).prefetch_related("run__offboardings__technician"))
    lines = [_line(alarm, sees_all=user.reach == Reach.EVERYTHING) for alarm in told]
    if user.reach not in (Reach.EVERYTHING, Reach.GROUPS):
        return lines
    known = {alarm.run_id for alarm in told if alarm.kind == Alarm.Kind.SILENT}
    silent = silent.exclude(pk__in=known).exclude(alarms__in=_seen_to_since())
    related = [name.removeprefix("run__") for name in RUN_FACTS]
    silent = silent.select_related(*related).prefetch_related("offboardings__technician")
    return [_unheard(found) for found in silent] + lines


def open_alarms(user: Any) -> int:
    return int(Alarm.objects.visible_to(user).open().count())


def _seen_to_since() -> Any:
    """Alarms of silence that a person has seen to a moment ago; an older one says nothing of this silence."""
    recent = timezone.now() - dt.timedelta(hours=1)
    return Alarm.objects.filter(kind=Alarm.Kind.SILENT, ended_at__gte=recent).values("pk")


def _line(alarm: Alarm, *, sees_all: bool) -> AlarmLine:
    detail = (
        alarm.detail if sees_all else _("The page of the run shows which of the accounts that you see it is about.")
    )
    people = [str(person) for person in people_about(alarm.run)]
    return AlarmLine(alarm.run, alarm.kind, alarm.get_kind_display(), detail, alarm.raised_at, people, alarm)


def _unheard(run: Any) -> AlarmLine:
    detail = _(
        "No step has moved since then, and no clock has raised an alarm: worker or beat are not running. Whoever runs "
        "Latchkey should look at them (`python3 manage.py doctor`)."
    )
    people = [str(person) for person in people_about(run)]
    return AlarmLine(run, Alarm.Kind.SILENT, str(Alarm.Kind.SILENT.label), detail, run.last_move, people)
