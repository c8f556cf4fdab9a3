"""What a person had to do on one account of a take-over is done, or is not needed, or is to be done after all."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, MoveLost, NotPermitted
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import ask_to_enrol, withdraw_request
from technicians.models import Authenticator, Enrolment, EnrolmentRequest, TakeOverTask, Technician
from tenants.models import NEVER_A_WAY_IN

Status = TakeOverTask.Status
LONGEST_NOTE = 500


def task_done_by_enrolment(enrolment: Enrolment) -> None:
    """The enrolment is active: call it in the transaction that binds its authenticator. Nothing open, nothing done."""
    if enrolment.authenticator is not None:
        _done(enrolment.authenticator, Status.ENROLLED, by=enrolment.requested_by)


def task_done_by_claim(authenticator: Authenticator, *, by: Technician) -> None:
    """A claim of something that is no way in for good does nothing here: the person still has to enrol."""
    _done(authenticator, Status.CLAIMED, by=by)


def open_tasks_again(authenticator: Authenticator, *, by: Technician) -> None:
    """The claim is taken back. Call it in the same transaction."""
    for task in _tasks(authenticator=authenticator):
        if Status.OPEN in TakeOverTask.NEXT[task.status]:
            task.advance(Status.OPEN, authenticator=None, done_at=None, note="")
            _ask(task, by=by)
        else:
            TakeOverTask.objects.filter(pk=task.pk).update(authenticator=None)


@transaction.atomic
def excuse(task: TakeOverTask, *, by: Technician, reason: str) -> None:
    """A manager says that this person needs no method here. Raises NotPermitted, BadInput (no reason, not open)."""
    _may_decide(task, by)
    if not reason.strip():
        raise BadInput(_("Say why %(name)s needs none; nothing was changed.") % {"name": task.technician})
    if task.status != Status.OPEN:
        raise BadInput(_("This is not open any more: %(state)s.") % {"state": task.get_status_display()})
    _move(task, Status.EXCUSED, done_at=timezone.now(), note=reason.strip()[:LONGEST_NOTE])
    account = task.take_over_account.account
    withdraw_request(task.technician, account, by=by)
    _record("take_over.excused", task, by=by, reason=reason.strip())


@transaction.atomic
def ask_again(task: TakeOverTask, *, by: Technician) -> None:
    """Somebody who was excused has to enrol or claim after all. Raises NotPermitted, BadInput."""
    _may_decide(task, by)
    if task.status != Status.EXCUSED:
        raise BadInput(_("Nobody was excused here; nothing was changed."))
    if task.take_over_account.closed_at is not None:
        raise BadInput(_("The take-over of this account is over; nothing was changed."))
    _move(task, Status.OPEN, done_at=None, note="")
    _ask(task, by=by)
    _record("take_over.asked_again", task, by=by)


def _done(authenticator: Authenticator, status: Any, *, by: Technician) -> None:
    if authenticator.method.kind in NEVER_A_WAY_IN:
        return
    mine = {"technician": authenticator.technician_id, "take_over_account__account": authenticator.method.account_id}
    for task in _tasks(status=Status.OPEN, take_over_account__closed_at__isnull=True, **mine):
        _move(task, status, authenticator=authenticator, done_at=timezone.now())
        if status == Status.CLAIMED:
            withdraw_request(task.technician, task.take_over_account.account, by=by)
        _record("take_over.task_done", task, by=by, how=str(status), proof=authenticator.proof)


def _tasks(**which: Any) -> list[TakeOverTask]:
    found = TakeOverTask.objects.filter(**which)
    return list(found.select_related("technician", "take_over_account__take_over", "take_over_account__account"))


def _move(task: TakeOverTask, to: Any, **changes: Any) -> None:
    try:
        task.advance(to, **changes)
    except MoveLost as lost:
        raise BadInput(_("Somebody else changed this at the same moment; look again.")) from lost


def _ask(task: TakeOverTask, *, by: Technician) -> None:
    row = task.take_over_account
    if row.closed_at is not None or not task.technician.is_active:
        return
    ask_to_enrol(
        task.technician,
        [row.account],
        because=EnrolmentRequest.Because.TAKE_OVER,
        by=by,
        due_on=row.take_over.due_on,
    )


def _may_decide(task: TakeOverTask, by: Technician) -> None:
    if not by.may("enrol") or by.reseller_id != task.reseller_id:
        raise NotPermitted(_("Your role may not decide about a take-over; nothing was changed."))


def _record(verb: str, task: TakeOverTask, *, by: Technician | None, **facts: Any) -> None:
    account = task.take_over_account.account
    record(
        verb,
        reseller_id=task.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=task.technician_id,
        take_over=str(task.take_over_account.take_over_id),
        **facts,
    )
