"""Carry a rehearsal out: record, have the copy played apart, keep what came of it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import LatchkeyError, MoveLost
from msp.ledger.record import record
from technicians.departure_queries import place_of, those_who_may_decide
from technicians.models import Rehearsal, Technician
from technicians.rehearsal_plans import digest_of_result, needs_a_person
from technicians.rehearsal_records import Record, record_of
from tenants.actions.connection import give_connection_back
from tenants.actions.deliver import tell

log = logging.getLogger(__name__)

Status = Rehearsal.Status
Play = Callable[..., dict[str, Any]]
"""`msp.ops.rehearsing.play_apart`: (record, pace=...) -> result; raises a LatchkeyError with a sentence."""

LONGEST = dt.timedelta(minutes=45)
"""Whoever plays gives up long before; one that is still running then has lost its worker."""


def rehearse_next(*, play: Play) -> Rehearsal | None:
    """The one that waits longest, in this process; None when none waits, or one runs somewhere already."""
    give_up_the_dead()
    waiting = Rehearsal.objects.filter(status=Status.WAITING).order_by("asked_at").first()
    return rehearse(waiting, play=play) if waiting is not None else None


def rehearse(asked: Rehearsal, *, play: Play) -> Rehearsal | None:
    """Claim this one and see it through; None when somebody else has it, or another one runs.

    Nothing is written in the tenants, nothing is read there. A copy that breaks leaves a rehearsal that failed, with
    the reason; it never raises for that.
    """
    if not _claim(asked):
        return None
    try:
        copied = _record_of(asked)
        # While the copy plays, others can have our connection.
        give_connection_back()
        result = play(copied, pace=asked.pace)
    except LatchkeyError as trouble:
        return _end(asked, Status.FAILED, problem=str(trouble))
    except Exception:
        # Whatever is wrong, the row must not say "running" for ever; the whole of it goes into the log.
        log.exception("the rehearsal %s broke off", asked.pk)
        problem = _("The rehearsal broke off because of a fault in Latchkey, which is in the log. Nothing was touched.")
        return _end(asked, Status.FAILED, problem=problem)
    return _end(asked, Status.FINISHED, plan=result["plan"]["digest"], result=result)


def give_up_the_dead() -> int:
    """Those whose worker died with them. Says how many."""
    dead = Rehearsal.objects.filter(status=Status.RUNNING, started_at__lt=timezone.now() - LONGEST)
    for rehearsal in dead:
        _end(rehearsal, Status.FAILED, problem=_("Its worker ended meanwhile. Nothing was touched. Rehearse again."))
    return len(dead)


def _claim(asked: Rehearsal) -> bool:
    """The database lets one run at a time."""
    try:
        with transaction.atomic():
            asked.advance(Status.RUNNING, started_at=timezone.now())
    except (IntegrityError, MoveLost):
        return False
    return True


def _record_of(asked: Rehearsal) -> Record:
    if asked.request is None:
        return record_of([asked.technician])
    people = asked.request.leavers.exclude(status=Technician.Status.LEFT).order_by("pk")
    return record_of(list(people), place_of(asked.request))


def _end(asked: Rehearsal, status: Rehearsal.Status, **facts: Any) -> Rehearsal:
    with transaction.atomic():
        asked.advance(status, ended_at=timezone.now(), **facts)
        said = _said(asked.result) if status == Status.FINISHED else {"problem": asked.problem}
        record(
            f"rehearsal.{status}",
            reseller_id=asked.reseller_id,
            actor=None,
            technician_id=asked.technician_id,
            rehearsal=str(asked.pk),
            **said,
        )
        if status == Status.FAILED or said["need_a_person"]:
            _tell(asked)
    return asked


def _tell(rehearsal: Rehearsal) -> None:
    """One that would not end clean is no use if nobody looks: word to whoever asked, else to those who decide."""
    about = {"name": rehearsal.technician}
    if rehearsal.status == Status.FAILED:
        title, text = _("A rehearsal failed: %(name)s") % about, rehearsal.problem
    else:
        title = _("A rehearsal would not end clean: %(name)s") % about
        text = _("On some accounts a person would have to do something. Nothing real was touched; see which ones.")
    asked_by = rehearsal.asked_by
    tell(
        rehearsal.reseller,
        "rehearsal.not_clean",
        key=f"rehearsal:{rehearsal.pk}",
        people=[asked_by] if asked_by else those_who_may_decide(rehearsal.reseller_id),
        facts={
            "title": title,
            "text": text,
            "rehearsal": str(rehearsal.pk),
            "path": reverse("technicians:rehearsal", args=[rehearsal.pk]),
        },
    )


def _said(result: dict[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a result: enough to see later that it was not changed."""
    return {
        "plan": result["plan"]["digest"],
        "record": result["recorded"]["digest"],
        "result": digest_of_result(result),
        "state": result["run"]["state"],
        "accounts": len(result["accounts"]),
        "need_a_person": sum(needs_a_person(account) for account in result["accounts"]),
    }
