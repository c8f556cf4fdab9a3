"""Ask that a departure is rehearsed: by a person who may offboard, or by the policy's clock."""

from __future__ import annotations

import datetime as dt
import logging

from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from msp.errors import BadInput
from msp.ledger.record import record
from technicians.actions.departure_rules import demand_may_offboard
from technicians.models import DepartureRequest, Rehearsal, Technician
from technicians.rehearsal_plans import whose_turn
from technicians.rehearsal_queries import people_to_rehearse
from tenants.models import DeparturePolicy

log = logging.getLogger(__name__)


@transaction.atomic
def ask_for_rehearsal(
    technician: Technician,
    *,
    by: Technician | None,
    request: DepartureRequest | None = None,
    pace: str = Rehearsal.Pace.QUICK,
) -> Rehearsal:
    """It waits for a worker. `request` rehearses that request: all its leavers, as far as it reaches.

    No `by`: the clock asks. Raises NotPermitted, BadInput (left already, one is waiting or running, no such pace, the
    request is about others), LedgerClosed; then nothing was written.
    """
    if by is not None:
        demand_may_offboard(technician, by)
    if pace not in Rehearsal.Pace.values:
        raise BadInput(_("There is no pace called %(pace)s; nothing was asked for.") % {"pace": pace})
    if request is not None and not request.about.filter(technician=technician).exists():
        raise BadInput(_("This request is not about %(name)s; nothing was asked for.") % {"name": technician})
    try:
        with transaction.atomic():
            asked = Rehearsal.objects.create(
                reseller_id=technician.reseller_id, technician=technician, request=request, asked_by=by, pace=pace
            )
    except IntegrityError:
        raise BadInput(
            _("A rehearsal of %(name)s is waiting or running already; look at that one. Nothing was asked for.")
            % {"name": technician}
        ) from None
    record(
        "rehearsal.asked",
        reseller_id=technician.reseller_id,
        actor=by,
        technician_id=technician.pk,
        rehearsal=str(asked.pk),
        request=str(request.pk) if request else None,
        pace=pace,
    )
    transaction.on_commit(_wake)
    return asked


def ask_for_due_rehearsals() -> list[Rehearsal]:
    """For the clock: at most one of each reseller whose policy wants it, the one who waits longest first."""
    asked = []
    for policy in DeparturePolicy.objects.filter(rehearse_every_days__isnull=False):
        if Rehearsal.objects.filter(
            reseller=policy.reseller_id, status__in=[Rehearsal.Status.WAITING, Rehearsal.Status.RUNNING]
        ).exists():
            continue
        every = dt.timedelta(days=policy.rehearse_every_days or 0)
        person_id = whose_turn(people_to_rehearse(policy.reseller_id), every=every, now=timezone.now())
        if person_id is not None:
            asked.append(ask_for_rehearsal(Technician.objects.get(pk=person_id), by=None))
    return asked


def _wake() -> None:
    """By the task's name; without the message the clock finds it within a minute."""
    try:
        current_app.send_task("technicians.tasks.rehearse", retry=False)
    except (OperationalError, OSError) as trouble:
        log.warning("The broker did not take a message (%s); the clock will find it.", type(trouble).__name__)
