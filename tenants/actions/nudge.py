"""Wake a worker for a target. Only a nudge: a lost one costs a delay until the next sweep, never a step."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

LONGEST_DELAY = 30.0
"""Seconds. What is due later waits in its row; the broker holds no schedule."""


def nudge(target_id: UUID, *, seconds: float = 0) -> bool:
    """By the task's name, so that nothing here depends on the tasks that depend on the actions.

    False when the broker did not take the message.
    """
    if seconds > LONGEST_DELAY:
        return True
    try:
        current_app.send_task("tenants.tasks.work_target", [str(target_id)], countdown=seconds or None, retry=False)
    except (OperationalError, OSError) as trouble:
        log.warning("The broker did not take a message (%s); the sweep will find the work.", type(trouble).__name__)
        return False
    return True


def wake(target_ids: list[UUID]) -> None:
    """A broker that is away is asked once, not once for each target: somebody waits for this page."""
    for target_id in target_ids:
        if not nudge(target_id):
            return
