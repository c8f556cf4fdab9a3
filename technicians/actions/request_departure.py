"""Ask that access is taken away: from whom, how far, when and why. It starts at once when nobody has to agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from technicians.actions.departure_rules import demand_may_offboard, demand_sees_everything, lock_people
from technicians.actions.end_access_early import end_access_early
from technicians.actions.hand_over_duties import demand_may_succeed
from technicians.actions.start_departure import begin
from technicians.actions.tell_of_requests import tell_those_who_may_approve
from technicians.departure_queries import Place, approvals_needed, plan_for
from technicians.departure_times import NOW, Start
from technicians.exit_queries import exit_of
from technicians.models import DepartureRequest, DepartureRequestLeaver, Technician
from technicians.plans import DeparturePlan
from technicians.preview_queries import snapshot_of
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Customer, SharedAccount, TenantGroup

Scope = DepartureRequest.Scope
Starts = DepartureRequest.Starts
Status = DepartureRequest.Status

SCOPES: dict[type[Any], tuple[DepartureRequest.Scope, str]] = {
    TenantGroup: (Scope.GROUP, "group"),
    SharedAccount: (Scope.ACCOUNT, "account"),
    Customer: (Scope.CUSTOMER, "customer"),
}
"""The scope that a place means, and the field that names it."""


@transaction.atomic
def request_departure(
    leavers: Sequence[Technician],
    *,
    by: Technician,
    reason: str,
    place: Place | None = None,
    successor: Technician | None = None,
    start: Start = NOW,
    end_access_now: bool = False,
) -> DepartureRequest:
    """Write the request down; with `start` now, and nobody who has to agree, its run begins in the same transaction.

    Without a `place` it is about everything of the leavers, who leave. In a tenant group or on one account they lose
    what is there, and stay. A customer's exit is about everybody there and names no leaver.
    `end_access_now` ends the sign-in of the leavers to Latchkey already now.
    Raises NotPermitted, BadInput (no reason, a request is open already, a time that is past, ...), LedgerClosed; then
    nothing was changed.
    """
    scope, field = SCOPES[type(place)] if place is not None else (Scope.PERSON, "")
    _demand_sense(leavers, scope, reason, start, end_access_now)
    demand_sees_everything(by, reseller_id=(place or leavers[0]).reseller_id)
    people = lock_people(leavers)
    for person in people:
        demand_may_offboard(person, by)
        _demand_no_other(person)
    if successor is not None:
        demand_may_succeed(successor, people, reseller_id=by.reseller_id, takes_over=scope == Scope.PERSON)
    if isinstance(place, Customer):
        _demand_no_other_exit(place)
    plan = plan_for(people, place)
    if place is not None and not plan.accounts:
        raise BadInput(_nothing_there(people, place))
    request = DepartureRequest.objects.create(
        reseller=by.reseller,
        scope=scope,
        reason=reason.strip(),
        successor=successor,
        starts=start.kind,
        starts_at=start.at,
        time_zone=start.zone,
        approvals_needed=approvals_needed(departure_policy_of(by.reseller_id), len(plan.accounts)),
        preview=snapshot_of(plan, people, reseller_id=by.reseller_id),
        requested_by=by,
        **({field: place} if field else {}),
    )
    DepartureRequestLeaver.objects.bulk_create(
        DepartureRequestLeaver(reseller=by.reseller, request=request, technician=person) for person in people
    )
    _record(request, people, plan, by=by)
    _move_on(request, people, plan, by=by, end_access_now=end_access_now)
    return request


def _move_on(
    request: DepartureRequest, people: list[Technician], plan: DeparturePlan, *, by: Technician, end_access_now: bool
) -> None:
    """Start, schedule, or wait for those who have to agree."""
    if not request.approvals_needed and request.starts == Starts.NOW:
        begin(request, by=by, plan=plan)
        return
    if end_access_now and end_access_early(people, by=by, reason=request.reason):
        request.access_ended_at = timezone.now()
        request.save(update_fields=["access_ended_at"])
    if request.approvals_needed:
        tell_those_who_may_approve(request)
    else:
        request.advance(Status.SCHEDULED)


def _demand_sense(
    leavers: Sequence[Technician], scope: DepartureRequest.Scope, reason: str, start: Start, end_access_now: bool
) -> None:
    """What can be said without looking anything up."""
    if scope != Scope.CUSTOMER and not leavers:
        raise BadInput(_("Choose who leaves; nothing was changed."))
    if scope == Scope.CUSTOMER and leavers:
        raise BadInput(_("A customer's exit is about everybody there: choose nobody. Nothing was changed."))
    if not reason.strip():
        raise BadInput(
            _("Say why %(name)s leaves: the reason is part of the evidence. Nothing was changed.")
            % {"name": ", ".join(str(leaver) for leaver in leavers) or _("the customer")}
        )
    if start.at is not None and start.at <= timezone.now():
        raise BadInput(_("That time is past. Choose one that lies ahead, or start now. Nothing was changed."))
    if start.kind == Starts.WHEN_DISABLED and (scope != Scope.PERSON or len(leavers) != 1):
        raise BadInput(
            _(
                "Only the departure of one person can wait until that person is disabled: "
                "ask for each of them separately. Nothing was changed."
            )
        )
    if end_access_now and scope != Scope.PERSON:
        raise BadInput(_("Whoever stays keeps the sign-in to Latchkey: untick that it ends now. Nothing was changed."))


def _demand_no_other(person: Technician) -> None:
    other = DepartureRequest.objects.open().filter(leavers=person).first()
    if other is not None:
        raise BadInput(
            _(
                "There is a request about %(name)s already (%(state)s, asked for on %(day)s); nothing was changed. "
                "Decide about that one, or withdraw it first."
            )
            % {
                "name": person,
                "state": other.get_status_display().lower(),
                "day": timezone.localtime(other.requested_at).date(),
            }
        )


def _demand_no_other_exit(customer: Customer) -> None:
    # Two managers at once: the second waits here, and then finds what the first one asked for.
    Customer.objects.select_for_update().get(pk=customer.pk)
    if exit_of(customer) is not None:
        raise BadInput(
            _("The exit of %(name)s has begun already; look at that one. Nothing was changed.") % {"name": customer}
        )
    if DepartureRequest.objects.open().filter(customer=customer).exists():
        raise BadInput(
            _("The exit of %(name)s is asked for already: decide about that request. Nothing was changed.")
            % {"name": customer}
        )


def _nothing_there(people: list[Technician], place: Place) -> str:
    if isinstance(place, Customer):
        return _("%(place)s has no shared account here, so there is nothing to hand over. Nothing was changed.") % {
            "place": place
        }
    return _("%(names)s can enter no account of %(place)s, so there is nothing to take away. Nothing was changed.") % {
        "names": ", ".join(map(str, people)),
        "place": place,
    }


def _record(request: DepartureRequest, people: list[Technician], plan: DeparturePlan, *, by: Technician) -> None:
    record(
        "departure.requested",
        reseller_id=request.reseller_id,
        actor=by,
        technician_id=people[0].pk if len(people) == 1 else None,
        request=str(request.pk),
        scope=str(request.scope),
        leavers=[person.email for person in people],
        place=str(request.group or request.account or request.customer or ""),
        reason=request.reason,
        starts=str(request.starts),
        starts_at=request.starts_at,
        time_zone=request.time_zone,
        successor=request.successor.email if request.successor else None,
        accounts=len(plan.accounts),
        approvals_needed=request.approvals_needed,
    )
