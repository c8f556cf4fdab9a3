"""Work on one shared account of a run until nothing more can be done now.

A worker never waits here: what is not yet visible, throttled or unreachable gets a due time in its row.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import Busy, LeaseLost, MoveLost, NoConnection, NotSent, Refused
from msp.microsoft.ports import Observation, ProbeResult
from tenants.actions.connection import give_connection_back
from tenants.actions.findings import open_finding, resolve_findings
from tenants.actions.lease import take_lease
from tenants.actions.leave_to_script import leave_to_script
from tenants.actions.look import keep_look
from tenants.actions.mend import hold_target
from tenants.actions.observe_account import read_account
from tenants.actions.prove import prove, second_look
from tenants.actions.remove_method import remove_method
from tenants.actions.reshare import reshare
from tenants.actions.revoke_sessions import revoke_sessions
from tenants.actions.rotate_password import rotate_password
from tenants.actions.send import Errand, intend, send
from tenants.actions.settle import AskTheSignIn, settle
from tenants.actions.try_old import try_old
from tenants.actions.try_old_session import open_old_session, wants_a_session
from tenants.actions.try_password import try_password
from tenants.actions.work import Later, Work, block
from tenants.actions.work_by_hand import work_by_hand
from tenants.actions.work_token import work_on_token
from tenants.models import Finding, Run, Step, Target, Tenant
from tenants.plans import ACTS, SETTLED, TRIES, StepKind, StepState, worst

if TYPE_CHECKING:
    from msp.outside import Outside

log = logging.getLogger(__name__)

ACT = {
    StepKind.ROTATE_PASSWORD: rotate_password,
    StepKind.REMOVE_METHOD: remove_method,
    StepKind.REVOKE_SESSIONS: revoke_sessions,
}
WITH_TOKENS = (Run.Kind.ENROLMENT, Run.Kind.CLEAN_UP)
"""The runs that work on tokens of our own, and on nothing else of an account."""
WAITING = (StepState.SENDING, StepState.ACCEPTED)
LONG_AFTER = 30.0
"""Seconds until a step is looked at again whose own delays are used up."""


def work_target(target_id: UUID, *, outside: Outside) -> dt.datetime | None:
    """Work, and answer when to look again (None: nothing left, or not ours to work on).

    A second message for the same target finds it not due, or finds the lease taken, and does nothing.
    """
    lease = take_lease(target_id)
    if lease is None:
        return None
    try:
        target = Target.objects.select_related("run", "account__tenant__customer").not_held_back().get(pk=target_id)
        if target.account.tenant.is_guided:
            return work_by_hand(target, outside=outside)
        work = Work(target, lease, outside, outside.directory_for(*target.account.tenant.way))
        return _until_it_must_wait(work)
    except Target.DoesNotExist:
        log.info("target %s waits: its run is paused", target_id)
        return None
    except (LeaseLost, MoveLost):
        log.info("target %s is in other hands now", target_id)
        return None
    finally:
        lease.give_back()
        give_connection_back()


def _until_it_must_wait(work: Work) -> dt.datetime | None:
    """When to look again, as it was written down; None when this target is done with."""
    try:
        return _work_through(work)
    except Busy as busy:
        until = timezone.now() + dt.timedelta(seconds=busy.retry_after)
        Tenant.objects.filter(pk=work.account.tenant_id).update(busy_until=until)
        return _write_due(work, busy.retry_after)
    except Later as later:
        return _write_due(work, later.seconds)
    except NotSent as trouble:
        return _write_due(work, _try_again(work, str(trouble)))
    except (NoConnection, Refused) as trouble:
        _stop(work, str(trouble))
        return _write_due(work, None)


def _work_through(work: Work) -> dt.datetime | None:
    if work.target.run.kind in WITH_TOKENS:
        return _write_due(work, work_on_token(work), answered=True)
    while True:
        look = read_account(work.account, outside=work.outside)
        decided = _decide(work, look)
        if isinstance(decided, list):
            send(work, decided)
        elif not _has_tries(work.steps):
            return decided
        else:
            # Each of them asks the sign-in, so none is part of a commit that is open.
            for step in [step for step in work.steps if step.kind in TRIES]:
                try_old(work, step, work.steps)
            return _write_due(work, _next(work, work.steps), answered=True)


def _decide(work: Work, look: Observation) -> list[Errand] | dt.datetime | None:
    """Write down in one commit what one reading shows and what follows from it.

    Answers the errands that are to be sent now, or else when to look again.
    """
    tried: dict[Any, ProbeResult] = {}
    while True:
        try:
            with work.commit():
                return _what_follows(work, look, tried)
        except AskTheSignIn as question:
            assert question.step.version is not None
            tried[question.step.pk] = try_password(
                question.step.version, directory=work.directory, outside=work.outside
            )
        except OpenASession as wish:
            open_old_session(work, wish.step)
        # What the lost commit had written on it is not there.
        work.account.tenant.refresh_from_db()


class OpenASession(Exception):
    """The policy asks for a session of before the first act, and nobody signs in within a transaction."""

    def __init__(self, step: Step) -> None:
        super().__init__(f"a session for {step}")
        self.step = step


def _what_follows(work: Work, look: Observation, tried: dict[Any, ProbeResult]) -> list[Errand] | dt.datetime | None:
    keep_look(work, look)
    steps = _steps(work)
    settle(work, steps, look, tried)
    leave_to_script(work, steps, look)
    while acts := [s for s in steps if s.kind in ACTS and s.status == StepState.PLANNED]:
        if work.target.run.cancelled_at is not None:
            _cancel(work, acts)
        elif work.target.run.is_paused:
            break
        elif step := wants_a_session(steps):
            raise OpenASession(step)
        elif errands := [errand for step in acts if (errand := ACT[StepKind(step.kind)](work, step, look))]:
            intend(work, errands, look)
            return errands
    return _write_due(work, _after_the_acts(work, steps, look), answered=True)


def _steps(work: Work) -> list[Step]:
    """The steps in their order, and with them whether somebody has paused or cancelled the run meanwhile."""
    related = ("method", "version__secret", "target__run")
    work.steps = list(work.target.steps.select_related(*related).order_by("position"))
    for step in work.steps:
        work.target.run = step.target.run
        if step.version is not None:
            step.version.secret.account = work.account
    return work.steps


def _cancel(work: Work, acts: list[Step]) -> None:
    """Sent before the run was cancelled, and read back: it had not happened. It is not sent again."""
    with work.commit():
        for step in acts:
            step.advance(StepState.CANCELLED, problem=work.target.run.cancelled_because)
            work.record("step.cancelled", step)


def _after_the_acts(work: Work, steps: list[Step], look: Observation) -> float | None:
    """Every act was sent: wait for what is not visible yet, then prove, hand over, and look a second time."""
    acts = [s for s in steps if s.kind in ACTS]
    waiting = [s.looks for s in acts if s.status in WAITING]
    if waiting:
        seconds = work.outside.patience.next_read_back(max(0, min(waiting) - 1))
        return LONG_AFTER if seconds is None else seconds
    if any(s.status == StepState.PLANNED for s in acts):
        # Paused. It stays due, and is taken up again by whoever resumes.
        return 0
    for step in steps:
        if step.kind == StepKind.PROVE and step.status in (StepState.PLANNED, StepState.UNVERIFIED):
            prove(work, step, steps, look)
        elif step.kind == StepKind.RESHARE and step.status == StepState.PLANNED:
            if not any(a.kind == StepKind.ROTATE_PASSWORD and a.status not in SETTLED for a in acts):
                reshare(work, step, steps)
        elif step.kind == StepKind.SECOND_LOOK:
            _second_look(work, step, steps, look)
    return _next(work, steps)


def _has_tries(steps: list[Step]) -> bool:
    """Is there a negative proof to be taken further, now that every act is over?"""
    over = all(s.status not in (StepState.PLANNED, *WAITING) for s in steps if s.kind in ACTS)
    return over and any(s.kind in TRIES for s in steps)


def _second_look(work: Work, step: Step, steps: list[Step], look: Observation) -> None:
    if step.status == StepState.PLANNED and step.due_at is None:
        step.due_at = timezone.now() + dt.timedelta(seconds=work.outside.patience.second_look)
        step.save(update_fields=["due_at"])
    elif step.status in (StepState.PLANNED, StepState.UNVERIFIED) and step.due_at and step.due_at <= timezone.now():
        second_look(work, step, steps, look)


def _next(work: Work, steps: list[Step]) -> float | None:
    """The earliest of: the next try to prove what is unverified, a try that waits, and the second look."""
    delays = []
    unverified = [s for s in steps if s.status == StepState.UNVERIFIED]
    if unverified:
        delays.append(work.outside.patience.next_unverified(max(s.looks for s in unverified)))
    delays += [
        max(0.0, (s.due_at - timezone.now()).total_seconds()) if s.due_at else 0.0
        for s in steps
        if s.status == StepState.PLANNED and (s.kind in TRIES or (s.kind == StepKind.SECOND_LOOK and s.due_at))
    ]
    return min(delays) if delays else None


def _try_again(work: Work, problem: str) -> float | None:
    """The tenant could not be reached, and nothing was sent: later, and not for ever."""
    Target.objects.filter(pk=work.target.pk).update(tries=F("tries") + 1, problem=problem)
    seconds = work.outside.patience.next_try(work.target.tries)
    if seconds is None:
        _stop(work, problem)
    return seconds


def _stop(work: Work, problem: str) -> None:
    """A person must mend the connection or the account: say so on every step that is still to be done."""
    for step in _steps(work):
        if step.status == StepState.PLANNED:
            block(work, step, problem)
        elif step.status in WAITING:
            with work.commit():
                step.advance(
                    StepState.UNVERIFIED,
                    problem=_("It was sent, and cannot be read back: %(problem)s") % {"problem": problem},
                )
                work.record("step.unverified", step, problem=problem)


def _write_due(work: Work, seconds: float | None, *, answered: bool = False) -> dt.datetime | None:
    """The due time; `answered` ends the counting of tries that did not reach the tenant.

    A person may have tried again since the steps were read: then there is something to send, and it is due at once.
    """
    target = work.target
    with work.commit():
        hold_target(target)
        steps = target.steps.values_list("kind", "status")
        states = [status for _kind, status in steps]
        if (answered or seconds is None) and target.run.kind not in WITH_TOKENS:
            to_send = any(kind in ACTS and status == StepState.PLANNED for kind, status in steps)
            seconds = 0 if to_send else seconds
        due_at = None if seconds is None else timezone.now() + dt.timedelta(seconds=seconds)
        target.due_at = due_at
        if answered:
            target.tries, target.problem = 0, ""
        target.save(update_fields=["due_at", *(("tries", "problem") if answered else ())])
        if worst(states) in (StepState.UNVERIFIED, StepState.REFUSED, StepState.BLOCKED):
            problems = target.steps.exclude(problem="").values_list("problem", flat=True)
            open_finding(
                Finding.Kind.RUN_PROBLEM,
                tenant=work.account.tenant,
                account=work.account,
                detail=" ".join(dict.fromkeys(problems)),
            )
        elif due_at is None or not {StepState.PLANNED, *WAITING} & set(states):
            resolve_findings(work.account, kinds=[Finding.Kind.RUN_PROBLEM])
    return due_at
