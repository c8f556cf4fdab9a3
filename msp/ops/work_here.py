"""Work a run in this process, beside any worker: the leases in the rows keep the two apart."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from uuid import UUID

from django.utils import timezone

from msp.outside import Outside
from tenants.actions.work_target import work_target
from tenants.models import Run, Step, Target
from tenants.models.run import UNDER_WAY
from tenants.plans import StepKind

log = logging.getLogger(__name__)

GLANCE = 0.2
"""Seconds between two looks at the rows. Nobody waits in a thread: what is due later waits in its row."""


def work_until_settled(run: Run, outside: Outside, threads: int = 64) -> None:
    """Return when no step of the run is under way any more; a second look that is still to come does not count.

    A target on which our own code breaks is left as it is and not taken again; the others go on, and the first such
    error is raised at the end.
    """
    in_hand: dict[Future[Any], UUID] = {}
    broken: dict[UUID, BaseException] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="work-here") as pool:
        while True:
            passed_over = {*in_hand.values(), *broken}
            for target_id in _due(run, passed_over, threads - len(in_hand)):
                in_hand[pool.submit(work_target, target_id, outside=outside)] = target_id
            if not in_hand:
                if not _under_way(run, broken):
                    break
                time.sleep(GLANCE)
                continue
            done, _still = wait(in_hand, timeout=GLANCE, return_when=FIRST_COMPLETED)
            for future in done:
                target_id = in_hand.pop(future)
                if (trouble := future.exception()) is not None:
                    log.error("target %s could not be worked on (%s)", target_id, type(trouble).__name__)
                    broken[target_id] = trouble
    for trouble in broken.values():
        raise trouble


def _due(run: Run, passed_over: set[UUID], room: int) -> list[UUID]:
    if room <= 0:
        return []
    due = Target.objects.due(timezone.now()).filter(run=run).exclude(pk__in=passed_over)
    return list(due.order_by("position").values_list("pk", flat=True)[:room])


def _under_way(run: Run, broken: dict[UUID, BaseException]) -> bool:
    """Only a target with a due time is ever worked on again."""
    waiting = Step.objects.filter(target__run=run, target__due_at__isnull=False, status__in=UNDER_WAY)
    return waiting.exclude(kind=StepKind.SECOND_LOOK).exclude(target_id__in=broken).exists()
