"""How a step of the negative proof is written down: each in a transaction of its own, with its entry."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone

from tenants.actions.work import Work
from tenants.models import Step
from tenants.plans import StepState

WAITS = "waits_for"
"""What `Step.was` remembers of a try that waits until another step is proven: that step's id."""


def proven(work: Work, step: Step, said: str, *, was: dict[str, Any], **changes: Any) -> None:
    """It was refused. What was tried is told in words, since "verified" alone does not say."""
    with work.commit():
        step.advance(
            StepState.VERIFIED,
            verified_at=timezone.now(),
            problem="",
            sealed=None,
            was=step.was | was | {"said": said},
            **changes,
        )
        work.record("step.verified", step, said=said)


def still_open(work: Work, step: Step, problem: str, *, was: dict[str, Any], **changes: Any) -> None:
    """What must be refused was taken."""
    if step.status == StepState.UNVERIFIED:
        return
    with work.commit():
        step.advance(StepState.UNVERIFIED, problem=problem, looks=step.looks + 1, was=step.was | was, **changes)
        work.record("step.unverified", step, problem=problem)


def blocked(
    work: Work,
    step: Step,
    problem: str,
    until: Step | None = None,
    *,
    was: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    """The proof cannot be had now: a person tries again or accepts the gap, or the step `until` gets proven."""
    if step.status == StepState.UNVERIFIED:
        return
    with work.commit():
        facts = step.was | (was or {}) | ({WAITS: str(until.pk)} if until else {})
        step.advance(StepState.BLOCKED, problem=problem, was=facts, **changes)
        work.record("step.blocked", step, problem=problem)


def needless(work: Work, step: Step, reason: str) -> None:
    """There is nothing here that could be tried. It proves nothing, and the reason says so."""
    if step.status == StepState.UNVERIFIED:
        return
    with work.commit():
        step.advance(StepState.NEEDLESS, problem=reason)
        work.record("step.needless", step, reason=reason)


def planned_again(work: Work, step: Step, *, problem: str, due_at: dt.datetime | None = None) -> None:
    with work.commit():
        was = {name: fact for name, fact in step.was.items() if name != WAITS}
        step.advance(StepState.PLANNED, problem=problem, due_at=due_at, was=was)
        work.record("step.planned_again", step)


def waits_for(step: Step, steps: list[Step]) -> str:
    """The state of the step that this one waits for, "" when it waits for none."""
    awaited = step.was.get(WAITS)
    return next((s.status for s in steps if str(s.pk) == awaited), "")
