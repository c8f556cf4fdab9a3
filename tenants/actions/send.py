"""Take planned steps of one account through intent, act and answer.

The cycle: record the intent (commit), act, record the answer (commit). The proof comes later, from a reading
(`settle`). A crash between two commits leaves a question, never a lie. The acts of one account go out together, in
the order of the steps, each waiting for the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from msp.errors import AnswerLost, DirectoryError, NoConnection, NotSent, NotTried, Refused
from msp.lifecycle import advance_all
from msp.microsoft.ports import Act, Answer, Observation
from tenants.actions.connection import give_connection_back
from tenants.actions.work import Work, nothing_more, refuse, was_before
from tenants.models import Step
from tenants.plans import StepState

Outcome = Answer | DirectoryError


@dataclass(frozen=True)
class Errand:
    """A planned step and what is asked of the directory for it.

    `at_intent` and `if_not_sent` move rows that belong to the step, inside its transactions. `another_way` may turn
    a refusal into another try, outside of any transaction. `at_refusal` writes a refusal down in its own way.
    """

    step: Step
    act: Act
    at_intent: Callable[[], None] = nothing_more
    if_not_sent: Callable[[], None] = nothing_more
    another_way: Callable[[Refused], Outcome] | None = None
    at_refusal: Callable[[Refused], None] | None = None


def send(work: Work, errands: Sequence[Errand]) -> None:
    """Send what was intended. Afterwards each step is accepted, refused, planned again, or still sending: its answer
    is lost.

    Raises the first NotSent or NoConnection that a step met by itself, after all outcomes were written down.
    """
    give_connection_back()
    outcomes = list(work.directory.act(work.account.ref, tuple(errand.act for errand in errands)))
    for number, errand in enumerate(errands):
        outcome = outcomes[number]
        if isinstance(outcome, Refused) and errand.another_way is not None:
            outcomes[number] = errand.another_way(outcome)
        work.reached(f"{errand.step.kind}.call.answered")
    answered = list(zip(errands, outcomes, strict=True))
    _write_answers(work, answered)
    for errand, outcome in answered:
        if isinstance(outcome, Refused):
            if errand.at_refusal is None:
                refuse(work, errand.step, outcome)
            else:
                errand.at_refusal(outcome)
    for _errand, outcome in answered:
        if isinstance(outcome, NotSent | NoConnection) and not isinstance(outcome, NotTried):
            raise outcome


def intend(work: Work, errands: Sequence[Errand], look: Observation) -> None:
    """Write down that the errands are about to be sent; `send` has to follow once this is committed."""
    with work.commit():
        steps = [errand.step for errand in errands]
        advance_all(steps, StepState.SENDING, sent_at=timezone.now(), was=was_before(look), problem="", looks=0)
        for errand in errands:
            step = errand.step
            errand.at_intent()
            work.record("step.sent", step, method=str(step.method_id or ""))
            work.reached(f"{step.kind}.intent.uncommitted")
    for errand in errands:
        work.reached(f"{errand.step.kind}.intent.committed")


def _write_answers(work: Work, answered: Sequence[tuple[Errand, Outcome]]) -> None:
    with work.commit():
        for errand, outcome in answered:
            _write_answer(work, errand, outcome)
    for errand, outcome in answered:
        if isinstance(outcome, Answer):
            work.reached(f"{errand.step.kind}.answer.committed")


def _write_answer(work: Work, errand: Errand, outcome: Outcome) -> None:
    """Everything but a refusal, which may move more than the step."""
    step = errand.step
    match outcome:
        case Answer():
            ids = [*step.request_ids, outcome.request_id]
            step.advance(StepState.ACCEPTED, accepted_at=timezone.now(), request_ids=ids)
            work.record("step.accepted", step, request_id=outcome.request_id, already=outcome.already)
            work.reached(f"{step.kind}.answer.uncommitted")
        case AnswerLost():
            step.problem = str(outcome)
            step.save(update_fields=["problem"])
            work.record("step.answer_lost", step, problem=str(outcome))
        case NotSent() | NoConnection():
            step.advance(StepState.PLANNED, problem="" if isinstance(outcome, NotTried) else str(outcome))
            errand.if_not_sent()
            work.record("step.not_sent", step, problem=str(outcome))
