"""Five places on each account: how many are left, who has them, and what that means for somebody who joins."""

from __future__ import annotations

import pytest

from technicians.capacity_plans import AccountPlaces, Taken, TakenPlace, plan_capacity
from tenants.token_plans import places_left

ANA, BEN = "ana", "ben"


def bound(person: str) -> TakenPlace:
    return TakenPlace(Taken.BOUND, "Authenticator app (code)", person, person.title())


def under_way(person: str) -> TakenPlace:
    return TakenPlace(Taken.UNDER_WAY, "Enrolment under way", person, person.title())


UNKNOWN = TakenPlace(Taken.UNKNOWN, "Authenticator app (code)")


def account(*taken: TakenPlace, name: str = "admin@contoso.example") -> AccountPlaces:
    return AccountPlaces(name, name, "contoso.example", "Contoso", taken)


class TheFivePlaces:
    @pytest.mark.parametrize(
        ("methods", "under_way", "free"), [(0, 0, 5), (4, 0, 1), (5, 0, 0), (3, 2, 0), (4, 1, 0), (2, 1, 2)]
    )
    def test_are_shared_by_methods_and_by_enrolments_under_way(self, methods: int, under_way: int, free: int):
        assert places_left(methods, under_way) == free

    def test_are_never_fewer_than_none(self):
        """Somebody may have registered at Microsoft while an enrolment was under way."""
        assert places_left(5, 2) == 0


class AnAccountWithPlaces:
    def test_is_full_when_methods_and_enrolments_take_all_five(self):
        places = account(bound(BEN), bound("cid"), UNKNOWN, UNKNOWN, under_way("dan"))
        assert places.is_full
        assert (places.used, places.free, places.unknown) == (5, 0, 2)

    def test_has_a_place_for_whoever_is_enrolling_in_it_right_now(self):
        places = account(*[bound(BEN)] * 4, under_way(ANA))
        assert places.has_place_for(ANA)
        assert not places.has_place_for("eve")

    def test_says_whether_somebody_could_make_room_for_their_own_successor(self):
        places = account(*[UNKNOWN] * 4, bound(ANA))
        assert places.held_by(ANA)
        assert not places.held_by(BEN)


class WhenSomebodyIsToEnrolOnManyAccounts:
    def test_the_plan_names_the_full_ones_and_those_with_a_last_place(self):
        full = account(*[bound(BEN)] * 5, name="full")
        last = account(*[bound(BEN)] * 4, name="last")
        empty = account(name="empty")
        plan = plan_capacity([full, last, empty], ANA)
        assert plan.accounts == 3
        assert plan.full == (full,)
        assert plan.last == (last,)
        assert not plan.fits

    def test_everything_fits_where_nothing_is_full(self):
        assert plan_capacity([account(), account(bound(BEN), name="b")], ANA).fits

    def test_no_account_at_all_fits(self):
        assert plan_capacity([], ANA).fits
