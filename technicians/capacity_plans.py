"""Who takes an account's five authenticator places, and whether one is left: facts in, plan out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tenants.token_plans import places_left


class Taken(StrEnum):
    """By what a place is taken."""

    BOUND = "bound"
    UNKNOWN = "unknown"
    UNDER_WAY = "under_way"


@dataclass(frozen=True)
class TakenPlace:
    """One place in use. `holder_id` and `holder` are None and "" for a method of nobody."""

    by: Taken
    what: str
    holder_id: Any = None
    holder: str = ""


@dataclass(frozen=True)
class AccountPlaces:
    """One shared account with the places that are taken on it."""

    account_id: Any
    account: str
    tenant: str
    customer: str
    taken: tuple[TakenPlace, ...] = ()

    @property
    def used(self) -> int:
        return len(self.taken)

    @property
    def free(self) -> int:
        under_way = sum(place.by == Taken.UNDER_WAY for place in self.taken)
        return places_left(self.used - under_way, under_way)

    @property
    def is_full(self) -> bool:
        return self.free == 0

    @property
    def unknown(self) -> int:
        return sum(place.by == Taken.UNKNOWN for place in self.taken)

    def has_place_for(self, person_id: Any) -> bool:
        """Somebody whose own enrolment is under way has the place that they need."""
        return not self.is_full or any(p.by == Taken.UNDER_WAY and p.holder_id == person_id for p in self.taken)

    def held_by(self, person_id: Any) -> bool:
        """Has this person a bound method among the places? Only such a one can make room for its own successor."""
        return any(place.by == Taken.BOUND and place.holder_id == person_id for place in self.taken)


@dataclass(frozen=True)
class CapacityPlan:
    """Which of the accounts that somebody is to enrol on have no place for that, and which have only one."""

    accounts: int
    full: tuple[AccountPlaces, ...]
    last: tuple[AccountPlaces, ...]

    @property
    def fits(self) -> bool:
        return not self.full


def plan_capacity(places: Iterable[AccountPlaces], person_id: Any) -> CapacityPlan:
    """What a person's enrolments would meet. Accounts on which the person has a place under way are not full."""
    wanted = list(places)
    full = tuple(p for p in wanted if not p.has_place_for(person_id))
    last = tuple(p for p in wanted if p.free == 1)
    return CapacityPlan(len(wanted), full, last)
