"""Raise and end alarms about runs; each is in the ledger, and goes out to those who answer for the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.actions.deliver import tell
from tenants.models import Alarm, Reach, Run
from tenants.run_people import people_who_answer_for

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def raise_alarm(run: Run, kind: Alarm.Kind, *, detail: str) -> Alarm | None:
    """Open an alarm and tell those who answer for the run; None when one of this kind is open already.

    `detail` says what is wrong and where. It may name every account of the run, so only people who see all tenants
    get to read it; the others are told that there is an alarm, and their page of the run shows their part.
    Call it in the transaction of its cause. Raises LedgerClosed.
    """
    alarm = Alarm(reseller_id=run.reseller_id, run=run, kind=kind, detail=detail)
    try:
        with transaction.atomic():
            alarm.save(force_insert=True)
    except IntegrityError:
        return None
    record("alarm.raised", reseller_id=run.reseller_id, actor=None, run_id=run.pk, kind=str(kind), detail=detail)
    _tell(alarm)
    return alarm


@transaction.atomic
def end_alarm(run: Run, kind: Alarm.Kind) -> bool:
    """Its cause is gone: False when there was none open. Raises LedgerClosed."""
    open_one = Alarm.objects.open().filter(run=run, kind=kind)
    if not open_one.update(ended_at=timezone.now()):
        return False
    record("alarm.ended", reseller_id=run.reseller_id, actor=None, run_id=run.pk, kind=str(kind))
    return True


@transaction.atomic
def see_to_alarm(alarm: Alarm, *, by: Technician) -> None:
    """A person has seen to it, and it is shown no more.

    That of an override ends with its review by somebody else, and with nothing less. Raises NotPermitted, BadInput
    (ended already, an override), LedgerClosed.
    """
    if not by.may("waive") or not Alarm.objects.visible_to(by).filter(pk=alarm.pk).exists():
        raise NotPermitted(_("Your role may not see to alarms; nothing was changed."))
    if alarm.kind == Alarm.Kind.OVERRIDE:
        raise BadInput(
            _("This alarm ends when somebody other than whoever started the run reviews that: open the request.")
        )
    if not Alarm.objects.open().filter(pk=alarm.pk).update(ended_at=timezone.now()):
        raise BadInput(_("This alarm has ended already; nothing was changed."))
    record("alarm.seen_to", reseller_id=alarm.reseller_id, actor=by, run_id=alarm.run_id, kind=alarm.kind)


def _tell(alarm: Alarm) -> None:
    run, people = alarm.run, people_who_answer_for(alarm.run)
    title = _("Alarm: %(what)s (%(run)s)") % {"what": alarm.get_kind_display(), "run": run}
    facts = {
        "title": title,
        "kind": str(alarm.kind),
        "run": str(run.pk),
        "run_kind": str(run.kind),
        "raised_at": alarm.raised_at.isoformat(),
        "path": reverse("tenants:run", args=[run.pk]),
    }
    wide = [person for person in people if person.reach == Reach.EVERYTHING]
    tell(
        run.reseller,
        "run.alarm",
        key=f"alarm:{alarm.pk}",
        run=run,
        people=wide,
        facts=facts | {"text": alarm.detail or _("Open the run to see what stands still.")},
    )
    for person in people:
        if person.reach != Reach.EVERYTHING:
            _tell_of_part(alarm, person, facts)


def _tell_of_part(alarm: Alarm, person: Technician, facts: dict[str, str]) -> None:
    """Without the names of accounts, some of which this person does not see; the webhook has its own already."""
    text = _("The page of the run shows which of the accounts that you see are concerned.")
    tell(
        alarm.run.reseller,
        "run.alarm",
        key=f"alarm:{alarm.pk}",
        run=alarm.run,
        people=[person],
        facts=facts | {"text": text},
    )
