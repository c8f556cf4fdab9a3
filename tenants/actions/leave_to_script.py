"""In a hands-off tenant no act is sent: a person runs a script, and what became of it is read."""

from __future__ import annotations

from django.utils.translation import gettext as _

from msp.microsoft.ports import Observation
from tenants.actions.work import Work, was_before
from tenants.models import Step
from tenants.plans import ACTS, TRIES, StepKind, StepState, hands_off

FOLLOW_UPS = (StepKind.PROVE, StepKind.RESHARE, StepKind.SECOND_LOOK, *TRIES)
"""What comes after the acts, and so after the script."""


def leave_to_script(work: Work, steps: list[Step], look: Observation) -> None:
    """Stop every planned act right before it would be sent, and keep the reading that its effect is compared with.

    The proof, the hand-over and the second look wait for the script. In other tenants nothing happens here.
    """
    if not work.account.tenant.hands_off or work.target.run.cancelled_at is not None:
        return
    planned = [step for step in steps if step.kind in ACTS and step.status == StepState.PLANNED]
    unread = [step for step in steps if step.kind in ACTS and step.status == StepState.BLOCKED and not step.was]
    stopped = [step for step in steps if step.kind in ACTS and step.status in (StepState.PLANNED, StepState.BLOCKED)]
    waiting = [step for step in steps if step.kind in FOLLOW_UPS and step.status == StepState.PLANNED]
    if not stopped or not (planned or unread or waiting):
        return
    with work.commit():
        for step in planned:
            step.advance(StepState.BLOCKED, problem=hands_off(), was=was_before(look))
            work.record("step.blocked", step, problem=hands_off())
        for step in unread:
            step.was = was_before(look)
            step.save(update_fields=["was"])
        for step in waiting:
            step.advance(StepState.BLOCKED, problem=_("It comes after the script: nothing is changed yet."))
            work.record("step.blocked", step, problem=step.problem)
