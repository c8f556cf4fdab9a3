"""What a departure concerns: whom, which accounts, and who may decide about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from technicians.exit_queries import plan_exit_of
from technicians.models import RIGHTS, DepartureRequest, Role, Technician
from technicians.plans import DeparturePlan, plan_departures
from technicians.queries import holdings_of
from tenants.departure_policy_queries import tries_asked_by
from tenants.models import Customer, DeparturePolicy, Reach, SharedAccount, TenantGroup

Place = TenantGroup | SharedAccount | Customer
"""How far a departure reaches, when it is not everything of a person."""

DECIDING = [role for role, rights in RIGHTS.items() if "offboard" in rights]


def place_of(request: DepartureRequest) -> Place | None:
    return request.group or request.account or request.customer


def accounts_in(place: Place | None) -> set[UUID] | None:
    """The ids of the shared accounts there; None for no limit."""
    if place is None:
        return None
    if isinstance(place, SharedAccount):
        return {place.pk}
    inside = Q(tenant__groups=place) if isinstance(place, TenantGroup) else Q(tenant__customer=place)
    return set(SharedAccount.objects.filter(inside, reseller_id=place.reseller_id).values_list("pk", flat=True))


def plan_for(leavers: Iterable[Technician], place: Place | None = None) -> DeparturePlan:
    """One plan for all of them, over everything or over one place; nobody of them counts as staying."""
    if isinstance(place, Customer):
        return plan_exit_of(place)
    leavers, only = list(leavers), accounts_in(place)
    tries = tries_asked_by(leavers[0].reseller_id) if leavers else ()
    return plan_departures({leaver.pk: holdings_of(leaver, only) for leaver in leavers}, tries)


def approvals_needed(policy: DeparturePolicy, accounts: int) -> int:
    """How many others must agree to a departure from so many accounts."""
    if policy.approvals_above is not None and accounts > policy.approvals_above:
        return max(policy.approvals, policy.approvals_for_many)
    return policy.approvals


def those_who_may_decide(reseller_id: UUID, *, but: Collection[Any] = ()) -> list[Technician]:
    """The active people whose role may offboard and who see everything, by name, without those whose ids are `but`."""
    people = Technician.objects.active().filter(reseller_id=reseller_id, role__in=DECIDING).exclude(pk__in=but)
    return [person for person in people.order_by("name") if person.reach == Reach.EVERYTHING]


def those_who_may_approve(request: DepartureRequest) -> list[Technician]:
    """Neither whoever asked, nor a leaver, nor anybody who has had their say."""
    had_their_say = request.approvals.values_list("by_id", flat=True)
    but = {request.requested_by_id, *request.leavers.values_list("pk", flat=True), *had_their_say}
    return those_who_may_decide(request.reseller_id, but=but)


def those_who_may_succeed(leavers: Sequence[Technician]) -> QuerySet[Any]:
    """Active people of the same reseller who are not leaving with them."""
    found: QuerySet[Any] = Technician.objects.active().filter(reseller_id=leavers[0].reseller_id)
    return found.exclude(pk__in=[leaver.pk for leaver in leavers]).exclude(role=Role.CUSTOMER_CONTACT).order_by("name")


def waiting_for(person: Technician) -> QuerySet[Any]:
    """The requests that this person may approve now and has said nothing to."""
    if not person.may("offboard") or person.reach != Reach.EVERYTHING:
        return DepartureRequest.objects.none()
    return (
        DepartureRequest.objects.visible_to(person)
        .filter(status=DepartureRequest.Status.WAITING)
        .exclude(requested_by=person)
        .exclude(pk__in=DepartureRequest.objects.filter(leavers=person).values("pk"))
        .exclude(pk__in=DepartureRequest.objects.filter(approvals__by=person).values("pk"))
    )


def to_review_by(person: Technician) -> QuerySet[Any]:
    """Departures that somebody else started without approval, and that nobody has looked at since."""
    if not person.may("offboard") or person.reach != Reach.EVERYTHING:
        return DepartureRequest.objects.none()
    overridden = DepartureRequest.objects.visible_to(person).filter(override_at__isnull=False, reviewed_at__isnull=True)
    return overridden.exclude(override_by=person)


def open_request_about(leavers: Sequence[Technician], place: Place | None = None) -> DepartureRequest | None:
    """One that is neither started nor ended, about any of these people, or about this customer."""
    about = Q(customer=place) if isinstance(place, Customer) else Q(leavers__in=leavers)
    found: DepartureRequest | None = DepartureRequest.objects.open().filter(about).first()
    return found
