"""What the page of a person's enrolment list reads, in a constant number of queries."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from django.utils import timezone

from technicians.capacity_plans import AccountPlaces
from technicians.capacity_queries import places_of
from technicians.life_queries import on_their_way_out
from technicians.models import Enrolment, EnrolmentLink, EnrolmentRequest, Technician
from tenants.models import Reach

NEWEST_DONE = 20
"""How many of the finished lines a page shows when nothing is open any more."""


@dataclass(frozen=True)
class ListLine:
    """One line with what stands in its way. `under_way` is the person's own open enrolment on that account."""

    request: EnrolmentRequest
    places: AccountPlaces
    under_way: Enrolment | None
    old_goes: bool

    @property
    def is_done(self) -> bool:
        return self.request.done_at is not None

    @property
    def is_late(self) -> bool:
        return not self.is_done and self.request.due_on is not None and self.request.due_on < _today()

    @property
    def has_place(self) -> bool:
        return self.is_done or self.under_way is not None or self.places.has_place_for(self.request.technician_id)

    @property
    def may_make_room(self) -> bool:
        """Only the own old method may go for the new one; for anybody else's a person decides."""
        new_phone = self.request.because == EnrolmentRequest.Because.NEW_PHONE
        theirs = self.places.held_by(self.request.technician_id)
        return new_phone and theirs and not self.has_place and not self.old_goes


@dataclass(frozen=True)
class CustomerLines:
    customer: str
    lines: tuple[ListLine, ...]


@dataclass(frozen=True)
class EnrolmentList:
    """A person's list as one reader sees it. `done` of `total` lines count since the oldest line that is still open."""

    technician: Technician
    customers: tuple[CustomerLines, ...]
    done: int
    total: int

    @property
    def open(self) -> int:
        return self.total - self.done

    @property
    def lines(self) -> list[ListLine]:
        return [line for customer in self.customers for line in customer.lines]

    @property
    def without_place(self) -> list[ListLine]:
        return [line for line in self.lines if not line.has_place]


def enrolment_list_of(technician: Technician, reader: Any) -> EnrolmentList:
    """The lines that `reader` sees, by customer."""
    lines = (
        EnrolmentRequest.objects.visible_to(reader)
        .filter(technician=technician, withdrawn_at__isnull=True)
        .select_related("account__tenant__customer", "requested_by")
    )
    waiting = list(lines.open())
    if waiting:
        since = min(line.requested_at for line in waiting)
        done = list(lines.filter(done_at__gte=since))
        shown = waiting + done
    else:
        done = shown = list(lines.filter(done_at__isnull=False).order_by("-done_at")[:NEWEST_DONE])
    return EnrolmentList(technician, _by_customer(technician, shown), len(done), len(shown))


@dataclass(frozen=True)
class Life:
    """What a reader may do about a person's authenticators; the acts ask again."""

    may_see_list: bool
    open_lines: int
    may_assign_many: bool
    may_report: bool
    may_suspend: bool
    may_bring_back: bool


def life_of(technician: Technician, reader: Technician) -> Life:
    own = technician.pk == reader.pk
    sees_all = reader.reach == Reach.EVERYTHING
    decides = sees_all and not own and reader.may("offboard")
    open_lines = EnrolmentRequest.objects.visible_to(reader).open().filter(technician=technician)
    return Life(
        may_see_list=reader.may("see_accounts"),
        open_lines=open_lines.count(),
        may_assign_many=technician.is_active and reader.may("assign"),
        may_report=technician.is_active and reader.may("see_accounts") and (own or decides),
        may_suspend=technician.is_active and decides,
        may_bring_back=technician.status == Technician.Status.SUSPENDED and decides,
    )


def _by_customer(technician: Technician, requests: Iterable[EnrolmentRequest]) -> tuple[CustomerLines, ...]:
    ordered = sorted(requests, key=lambda r: (str(r.account.tenant.customer), str(r.account)))
    places = places_of({r.account for r in ordered})
    going = on_their_way_out(technician)
    goes_on = set(_accounts_of_methods(technician, going)) if going else set()
    mine = Enrolment.objects.open().filter(technician=technician, expires_at__gt=timezone.now())
    under_way = {enrolment.account_id: enrolment for enrolment in mine}
    lines = [ListLine(r, places[r.account_id], under_way.get(r.account_id), r.account_id in goes_on) for r in ordered]
    return tuple(
        CustomerLines(customer, tuple(rows))
        for customer, rows in groupby(lines, key=lambda line: str(line.request.account.tenant.customer))
    )


def _accounts_of_methods(technician: Technician, methods: Iterable[Any]) -> Iterable[Any]:
    return technician.authenticators.filter(method__in=list(methods)).values_list("method__account_id", flat=True)


def _today() -> dt.date:
    return timezone.now().astimezone(dt.UTC).date()


class LinkState(StrEnum):
    WAITING = "waiting"
    USED = "used"
    EXPIRED = "expired"
    ANOTHERS = "anothers"
    UNKNOWN = "unknown"


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def find_enrolment_link(token: str, person: Technician) -> tuple[LinkState, EnrolmentLink | None]:
    """What this address is to this signed-in person. Nothing is told of a link of another reseller."""
    found = EnrolmentLink.objects.filter(digest=digest_of(token), reseller_id=person.reseller_id).first()
    if found is None:
        return LinkState.UNKNOWN, None
    if found.technician_id != person.pk:
        return LinkState.ANOTHERS, None
    if found.used_at is not None:
        return LinkState.USED, found
    if found.expires_at <= timezone.now():
        return LinkState.EXPIRED, found
    return LinkState.WAITING, found
