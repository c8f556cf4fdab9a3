"""Somebody is away for long: nothing is open to them meanwhile, and what they held is remembered."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.end_access import end_access
from technicians.models import Assignment, Role, Suspension, Technician
from technicians.plans import DeparturePlan, plan_departure
from technicians.queries import holdings_of
from tenants.actions.open_run import open_run
from tenants.departure_policy_queries import tries_asked_by
from tenants.models import Reach, Run


def preview_suspension(technician: Technician, *, by: Technician) -> DeparturePlan:
    """What `suspend` would do now. Raises NotPermitted, BadInput; changes nothing."""
    may_suspend(technician, by)
    if technician.status == Technician.Status.LEFT:
        raise BadInput(_("%(name)s has left already; nothing was changed.") % {"name": technician})
    if technician.status == Technician.Status.SUSPENDED:
        raise BadInput(_("%(name)s is suspended already; nothing was changed.") % {"name": technician})
    return plan_departure(holdings_of(technician), tries_asked_by(technician.reseller_id))


@transaction.atomic
def suspend(
    technician: Technician, *, by: Technician, reason: str, expected_back_on: dt.date | None = None
) -> Suspension:
    """End everything inside Latchkey and write the run down, as for a departure, and remember what to give back.

    Raises NotPermitted, BadInput (not active, no reason, a day that is past), LedgerClosed; then nothing was changed.
    """
    if not reason.strip():
        raise BadInput(_("Say why %(name)s is away; nothing was changed.") % {"name": technician})
    if expected_back_on is not None and expected_back_on <= timezone.now().astimezone(dt.UTC).date():
        raise BadInput(_("The day of the return must lie ahead; nothing was changed."))
    technician = Technician.objects.select_for_update().get(pk=technician.pk)
    plan = preview_suspension(technician, by=by)
    held = what_they_hold(technician)
    end_access(technician, by=by, to=Technician.Status.SUSPENDED)
    run = open_run(
        Run.Kind.SUSPENSION,
        reseller=technician.reseller,
        targets=plan.targets,
        reason=reason.strip(),
        by=by,
        about={"holder": technician.email},
    )
    suspension = Suspension.objects.create(
        reseller=technician.reseller,
        technician=technician,
        reason=reason.strip(),
        suspended_by=by,
        expected_back_on=expected_back_on,
        accounts=held,
        run=run,
    )
    record(
        "technician.suspended",
        reseller_id=technician.reseller_id,
        actor=by,
        run_id=run.pk,
        technician_id=technician.pk,
        reason=reason.strip(),
        accounts=len(plan.accounts),
        methods=plan.methods_to_go,
        expected_back_on=expected_back_on.isoformat() if expected_back_on else None,
    )
    return suspension


def may_suspend(technician: Technician, by: Technician) -> None:
    """Whoever may offboard may suspend and bring back. Raises NotPermitted."""
    if not by.may("offboard") or technician.reseller_id != by.reseller_id:
        raise NotPermitted(_("Your role may not suspend anybody or bring anybody back; nothing was changed."))
    if by.reach != Reach.EVERYTHING:
        raise NotPermitted(
            _(
                "You see only some tenants, and this concerns every tenant of %(name)s. "
                "Ask somebody who sees all of them; nothing was changed."
            )
            % {"name": technician}
        )
    if technician.pk == by.pk:
        raise NotPermitted(_("Nobody suspends themselves: ask another manager. Nothing was changed."))
    if technician.role == Role.OWNER and by.role != Role.OWNER:
        raise NotPermitted(_("Only an owner may suspend an owner or bring one back; nothing was changed."))


def what_they_hold(technician: Technician) -> list[dict[str, str | None]]:
    """What `Suspension.accounts` remembers: also assignments that would have begun meanwhile."""
    now = timezone.now()
    live_or_to_come = Assignment.objects.filter(technician=technician).exclude(until_at__lte=now).order_by("from_at")
    return [
        {
            "account": str(assignment.account_id),
            "from": assignment.from_at.isoformat(),
            "until": assignment.until_at.isoformat() if assignment.until_at else None,
            "reason": assignment.reason,
        }
        for assignment in live_or_to_come
    ]
