"""Work on one shared account of a run until nothing more can be done now.

A worker never waits here: what is not yet visible, throttled or unreachable gets a due time in its row.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import Busy, LeaseLost, MoveLost, NoConnection, NotSent, Refused
from msp.microsoft.ports import Observation
from tenants.actions.connection import give_connection_back
from tenants.actions.findings import open_finding, resolve_findings
from tenants.actions.lease import take_lease
from tenants.actions.look import take_look
from tenants.actions.prove import prove, second_look
from tenants.actions.remove_method import remove_method
from tenants.actions.reshare import reshare
from tenants.actions.revoke_sessions import revoke_sessions
from tenants.actions.rotate_password import rotate_password
from tenants.actions.send import send
from tenants.actions.settle import settle
from tenants.actions.work import Later, Work, block
from tenants.actions.work_token import work_on_token
from tenants.models import Finding, Run, Step, Target, Tenant
from tenants.plans import ACTS, SETTLED, StepKind, StepState, worst

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
    target = (
        Target.objects.select_related("run", "account__tenant__customer")
        .not_held_back()
        .filter(pk=target_id, due_at__lte=timezone.now())
        .first()
    )
    if target is None or _tenant_is_busy(target):
        return None
    lease = take_lease(target)
    if lease is None:
        return None
    # Somebody may have worked on it between our reading and our lease.
    target.refresh_from_db(fields=["due_at", "before", "after", "tries", "problem"])
    directory = outside.directory_for(*target.account.tenant.way)
    work = Work(target, lease, outside, directory)
    try:
        if target.due_at is None or target.due_at > timezone.now():
            return None
        return _write_due(work, _until_it_must_wait(work))
    except (LeaseLost, MoveLost):
        log.info("target %s is in other hands now", target_id)
        return None
    finally:
        lease.give_back()
        give_connection_back()


def _tenant_is_busy(target: Target) -> bool:
    busy_until = target.account.tenant.busy_until
    return busy_until is not None and busy_until > timezone.now()


def _until_it_must_wait(work: Work) -> float | None:
    """Seconds until the next look, None when this target is done with."""
    try:
        seconds = _work_through(work)
    except Busy as busy:
        until = timezone.now() + dt.timedelta(seconds=busy.retry_after)
        Tenant.objects.filter(pk=work.account.tenant_id).update(busy_until=until)
        return busy.retry_after
    except Later as later:
        return later.seconds
    except NotSent as trouble:
        return _try_again(work, str(trouble))
    except (NoConnection, Refused) as trouble:
        _stop(work, str(trouble))
        return None
    if work.target.tries or work.target.problem:
        Target.objects.filter(pk=work.target.pk).update(tries=0, problem="")
    return seconds


def _work_through(work: Work) -> float | None:
    if work.target.run.kind in WITH_TOKENS:
        return work_on_token(work)
    while True:
        look = take_look(work)
        steps = _steps(work)
        settle(work, steps, look)
        acts = [s for s in steps if s.kind in ACTS and s.status == StepState.PLANNED]
        if acts and work.target.run.cancelled_at is not None:
            _cancel(work, acts)
            continue
        if not acts or work.target.run.is_paused:
            return _after_the_acts(work, steps, look)
        errands = [errand for step in acts if (errand := ACT[StepKind(step.kind)](work, step, look))]
        if errands:
            send(work, errands, look)


def _steps(work: Work) -> list[Step]:
    """The steps in their order, and with them whether somebody has paused or cancelled the run meanwhile."""
    related = ("method", "version__secret__account__tenant", "target__run")
    steps = list(work.target.steps.select_related(*related).order_by("position"))
    if steps:
        work.target.run = steps[0].target.run
    return steps


def _cancel(work: Work, acts: list[Step]) -> None:
    """Sent before the run was cancelled, and read back: it had not happened. It is not sent again."""
    with work.commit():
        work.lease.hold()
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


def _second_look(work: Work, step: Step, steps: list[Step], look: Observation) -> None:
    if step.status == StepState.PLANNED and step.due_at is None:
        step.due_at = timezone.now() + dt.timedelta(seconds=work.outside.patience.second_look)
        step.save(update_fields=["due_at"])
    elif step.status in (StepState.PLANNED, StepState.UNVERIFIED) and step.due_at and step.due_at <= timezone.now():
        second_look(work, step, steps, look)


def _next(work: Work, steps: list[Step]) -> float | None:
    """The earliest of: the next try to prove what is unverified, and the second look."""
    delays = []
    unverified = [s for s in steps if s.status == StepState.UNVERIFIED]
    if unverified:
        delays.append(work.outside.patience.next_unverified(max(s.looks for s in unverified)))
    delays += [
        max(0.0, (s.due_at - timezone.now()).total_seconds())
        for s in steps
        if s.kind == StepKind.SECOND_LOOK and s.status == StepState.PLANNED and s.due_at
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
                work.lease.hold()
                step.advance(
                    StepState.UNVERIFIED,
                    problem=_("It was sent, and cannot be read back: %(problem)s") % {"problem": problem},
                )
                work.record("step.unverified", step, problem=problem)


def _write_due(work: Work, seconds: float | None) -> dt.datetime | None:
    due_at = None if seconds is None else timezone.now() + dt.timedelta(seconds=seconds)
    states = list(work.target.steps.values_list("status", flat=True))
    with transaction.atomic():
        work.lease.hold()
        Target.objects.filter(pk=work.target.pk).update(due_at=due_at)
        if worst(states) in (StepState.UNVERIFIED, StepState.REFUSED, StepState.BLOCKED):
            problems = work.target.steps.exclude(problem="").values_list("problem", flat=True)
            open_finding(
                Finding.Kind.RUN_PROBLEM,
                tenant=work.account.tenant,
                account=work.account,
                detail=" ".join(dict.fromkeys(problems)),
            )
        elif due_at is None or not {StepState.PLANNED, *WAITING} & set(states):
            resolve_findings(work.account, kinds=[Finding.Kind.RUN_PROBLEM])
    return due_at
