"""What others say to a departure request: yes, no, not any more, or now without asking."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.departure_rules import demand_may_decide
from technicians.actions.start_departure import begin, locked
from technicians.actions.tell_of_requests import about, tell_whoever_asked
from technicians.departure_queries import approvals_needed, place_of, plan_for
from technicians.models import Approval, DepartureRequest, Role, Technician
from tenants.actions.alarms import end_alarm, raise_alarm
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Alarm, Run

Starts = DepartureRequest.Starts
Status = DepartureRequest.Status


@transaction.atomic
def approve(request: DepartureRequest, *, by: Technician, note: str = "") -> Run | None:
    """With the last of the approvals that are needed it starts in this transaction, or is scheduled.

    Answers the run when it started. Raises NotPermitted (who asked, a leaver, no right), BadInput (not waiting any
    more, said something already), LedgerClosed; then nothing was changed.
    """
    request = _waiting(request, by)
    _say(request, by, agrees=True, note=note)
    # The policy may be stricter by now, or the departure concern more accounts than when it was asked for.
    accounts = len(plan_for(request.leavers.all(), place_of(request)).accounts)
    needed = max(request.approvals_needed, approvals_needed(departure_policy_of(request.reseller_id), accounts))
    if needed != request.approvals_needed:
        request.approvals_needed = needed
        request.save(update_fields=["approvals_needed"])
    if request.approvals.filter(agrees=True).count() < needed:
        return None
    if _its_time_has_come(request):
        return begin(request, by=by)
    request.advance(Status.SCHEDULED)
    tell_whoever_asked(request, "approved", by=by)
    return None


@transaction.atomic
def reject(request: DepartureRequest, *, by: Technician, reason: str) -> None:
    """One no ends it. Raises like `approve`, and BadInput without a reason."""
    request = _waiting(request, by)
    _demand(reason, _("Say why it is rejected; nothing was changed."))
    _say(request, by, agrees=False, note=reason)
    request.advance(Status.REJECTED, ended_by=by, ended_because=reason.strip())
    tell_whoever_asked(request, "rejected", by=by)


@transaction.atomic
def withdraw(request: DepartureRequest, *, by: Technician, reason: str) -> None:
    """It will not start. Whoever asked may do so, and whoever may decide. Raises NotPermitted, BadInput, LedgerClosed.

    A sign-in to Latchkey that was ended ahead of it stays ended until somebody brings the person back.
    """
    request = locked(request)
    demand_may_decide(request, by)
    _demand(reason, _("Say why it is withdrawn; nothing was changed."))
    if request.status not in DepartureRequest.OPEN:
        raise BadInput(_not_open(request))
    request.advance(Status.WITHDRAWN, ended_by=by, ended_because=reason.strip())
    _record("departure.withdrawn", request, by, reason=reason.strip())
    tell_whoever_asked(request, "withdrawn", by=by)


@transaction.atomic
def override(request: DepartureRequest, *, by: Technician, reason: str) -> Run:
    """An owner starts it at once without the approvals; an alarm says so until somebody else has reviewed it.

    Raises NotPermitted (no owner, a leaver), BadInput (no reason, not waiting any more), LedgerClosed.
    """
    request = locked(request)
    demand_may_decide(request, by)
    if by.role != Role.OWNER:
        raise NotPermitted(_("Only an owner may start a departure without approval; nothing was changed."))
    _demand(reason, _("Say why it cannot wait for approval; nothing was changed."))
    if request.status != Status.WAITING:
        raise BadInput(_not_open(request))
    request.override_by, request.override_reason, request.override_at = by, reason.strip(), timezone.now()
    request.save(update_fields=["override_by", "override_reason", "override_at"])
    run = begin(request, by=by)
    _record("departure.overridden", request, by, reason=reason.strip(), run_id=run.pk)
    detail = _("%(by)s started the departure of %(about)s without approval: %(reason)s Somebody else has to review it.")
    raise_alarm(run, Alarm.Kind.OVERRIDE, detail=detail % {"by": by, "about": about(request), "reason": reason.strip()})
    return run


@transaction.atomic
def review_override(request: DepartureRequest, *, by: Technician, note: str) -> None:
    """Somebody else has looked at a departure that was started without approval, and says what they found.

    Raises NotPermitted (whoever started it so), BadInput (nothing to review, no words), LedgerClosed.
    """
    request = locked(request)
    demand_may_decide(request, by)
    if request.override_at is None or request.reviewed_at is not None or request.run is None:
        raise BadInput(_("There is nothing to review here, or somebody did already; nothing was changed."))
    if by.pk == request.override_by_id:
        raise NotPermitted(_("Somebody else has to review what you started without approval; nothing was changed."))
    _demand(note, _("Say what you found; nothing was changed."))
    request.reviewed_by, request.review, request.reviewed_at = by, note.strip(), timezone.now()
    request.save(update_fields=["reviewed_by", "review", "reviewed_at"])
    end_alarm(request.run, Alarm.Kind.OVERRIDE)
    _record("departure.override_reviewed", request, by, note=note.strip(), run_id=request.run_id)


def _waiting(request: DepartureRequest, by: Technician) -> DepartureRequest:
    request = locked(request)
    demand_may_decide(request, by)
    if by.pk == request.requested_by_id:
        raise NotPermitted(_("Nobody decides about their own request: somebody else has to. Nothing was changed."))
    if request.status != Status.WAITING:
        raise BadInput(_not_open(request))
    if request.approvals.filter(by=by).exists():
        raise BadInput(_("You have approved this request already; others have to agree as well. Nothing was changed."))
    return request


def _say(request: DepartureRequest, by: Technician, *, agrees: bool, note: str) -> None:
    Approval.objects.create(reseller=request.reseller, request=request, by=by, agrees=agrees, note=note.strip())
    _record("departure.approved" if agrees else "departure.rejected", request, by, note=note.strip())


def _its_time_has_come(request: DepartureRequest) -> bool:
    if request.starts == Starts.AT:
        return request.starts_at is not None and request.starts_at <= timezone.now()
    return request.starts == Starts.NOW or request.disabled_at is not None


def _not_open(request: DepartureRequest) -> str:
    return _("This request does not wait for a decision any more (%(state)s); nothing was changed.") % {
        "state": request.get_status_display()
    }


def _demand(words: str, otherwise: str) -> None:
    if not words.strip():
        raise BadInput(otherwise)


def _record(verb: str, request: DepartureRequest, by: Technician, **facts: Any) -> None:
    record(
        verb,
        reseller_id=request.reseller_id,
        actor=by,
        request=str(request.pk),
        leavers=sorted(request.leavers.values_list("email", flat=True)),
        **facts,
    )
