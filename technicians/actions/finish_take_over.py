"""A take-over goes to its end, back to open, or is given up; its owner and its day may change on the way."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import withdraw_request
from technicians.actions.start_take_over import bring_up_to_date, check_day, check_owner
from technicians.models import TakeOver, TakeOverTask, Technician
from tenants.models import Method, Run, Step
from tenants.plans import RunState, StepKind, StepState

Status = TakeOver.Status
CLEAN = (RunState.CLEAN, RunState.CLEAN_WITH_EXCEPTIONS)


def mind_take_overs() -> int:
    """What the clock does: bring the open ones up to date, and settle those whose run is over. Says how many moved."""
    for take_over in TakeOver.objects.filter(status=Status.OPEN):
        bring_up_to_date(take_over)
    return sum(settle_take_over(take_over) for take_over in TakeOver.objects.filter(status=Status.REMOVING))


@transaction.atomic
def settle_take_over(take_over: TakeOver) -> bool:
    """Once the run is clean, its accounts are closed: the take-over is finished, or open again for those that are left.

    False while the run is under way or needs a person.
    """
    here = TakeOver.objects.select_for_update(no_key=True, of=("self",)).select_related("run").get(pk=take_over.pk)
    if here.status != Status.REMOVING or here.run is None:
        return False
    if Run.objects.with_counts().get(pk=here.run_id).state not in CLEAN:
        return False
    still = here.accounts.filter(closed_at__isnull=True)
    still.filter(account__in=_emptied(here.run)).update(closed_at=timezone.now())
    _close_or_open(here)
    take_over.refresh_from_db()
    return True


@transaction.atomic
def reopen_take_over(take_over: TakeOver, *, by: Technician) -> None:
    """The run needs a person, and meanwhile the campaign goes on: people can enrol and a new removal can be planned.

    Raises NotPermitted, BadInput (the run is under way, or over).
    """
    here = _mine(take_over, by)
    if here.status != Status.REMOVING or here.run is None:
        raise BadInput(_("No run of this take-over waits for a decision; nothing was changed."))
    if Run.objects.with_counts().get(pk=here.run_id).state != RunState.NEEDS_ATTENTION:
        raise BadInput(_("The run is still under way, or over; nothing was changed. Look again in a moment."))
    here.accounts.filter(closed_at__isnull=True, account__in=_emptied(here.run)).update(closed_at=timezone.now())
    here.advance(Status.OPEN)
    _record("take_over.reopened", here, by=by)
    take_over.refresh_from_db()


@transaction.atomic
def cancel_take_over(take_over: TakeOver, *, by: Technician, reason: str) -> None:
    """Nobody is asked any more. What people enrolled or claimed stays; what is unknown stays too.

    Raises NotPermitted, BadInput (no reason, not open).
    """
    here = _mine(take_over, by)
    if not reason.strip():
        raise BadInput(_("Say why it is given up; nothing was changed."))
    if here.status != Status.OPEN:
        raise BadInput(
            _("This take-over is not open (%(state)s); nothing was changed.") % {"state": here.get_status_display()}
        )
    waiting = TakeOverTask.objects.filter(take_over_account__take_over=here, status=TakeOverTask.Status.OPEN)
    for task in waiting.select_related("technician", "take_over_account__account"):
        withdraw_request(task.technician, task.take_over_account.account, by=by)
    here.accounts.filter(closed_at__isnull=True).update(closed_at=timezone.now())
    here.advance(Status.CANCELLED, finished_at=timezone.now())
    _record("take_over.cancelled", here, by=by, reason=reason.strip())
    take_over.refresh_from_db()


@transaction.atomic
def change_take_over(take_over: TakeOver, *, by: Technician, owner: Technician, due_on: dt.date) -> None:
    """Another owner (a successor) or another day. Raises NotPermitted, BadInput."""
    here = _mine(take_over, by)
    if here.status in (Status.FINISHED, Status.CANCELLED):
        raise BadInput(_("This take-over is over; nothing was changed."))
    check_owner(owner, reseller_id=by.reseller_id)
    if due_on != here.due_on:
        check_day(due_on)
    was = {"owner": str(here.owner_id), "due_on": here.due_on.isoformat()}
    now = {"owner": str(owner.pk), "due_on": due_on.isoformat()}
    if was == now:
        return
    TakeOver.objects.filter(pk=here.pk).update(owner=owner, due_on=due_on)
    _record("take_over.changed", here, by=by, was=was, now=now)
    take_over.refresh_from_db()


def _emptied(run: Run) -> list[Any]:
    """The accounts of the run on which nothing unknown is left, but for what somebody accepted as a gap."""
    waived = Step.objects.filter(target__run=run, kind=StepKind.REMOVE_METHOD, status=StepState.WAIVED)
    accounts = set(run.targets.values_list("account_id", flat=True))
    left = Method.objects.unknown().filter(account__in=accounts).exclude(pk__in=waived.values("method_id"))
    return list(accounts - set(left.values_list("account_id", flat=True)))


def _close_or_open(take_over: TakeOver) -> None:
    if take_over.accounts.filter(closed_at__isnull=True).exists():
        take_over.advance(Status.OPEN)
        _record("take_over.goes_on", take_over, by=None)
    else:
        take_over.advance(Status.FINISHED, finished_at=timezone.now())
        _record("take_over.finished", take_over, by=None)


def _mine(take_over: TakeOver, by: Technician) -> TakeOver:
    if not by.may("enrol") or by.reseller_id != take_over.reseller_id:
        raise NotPermitted(_("Your role may not decide about a take-over; nothing was changed."))
    return TakeOver.objects.select_for_update(no_key=True, of=("self",)).select_related("run").get(pk=take_over.pk)


def _record(verb: str, take_over: TakeOver, *, by: Technician | None, **facts: Any) -> None:
    record(
        verb,
        reseller_id=take_over.reseller_id,
        actor=by,
        run_id=take_over.run_id,
        take_over=str(take_over.pk),
        **facts,
    )
