"""What a leaver answered for here goes to whoever was named."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import BadInput
from msp.ledger.models import Entry
from technicians.actions.start_take_over import start_take_over
from technicians.departure_times import WHEN_DISABLED, start_at
from technicians.models import DepartureRequest, Role, TakeOver, Technician
from tenants.models import SharedAccount
from tests.support.departures import Scene


class Duties(Scene):
    """Max, a manager, answers for a take-over and, by name, for Contoso's account; Fabrikam's is somebody else's."""

    @pytest.fixture(autouse=True)
    def _duties(self, _scene: None) -> None:
        self.max = self.world.technician("Max", Role.MANAGER)
        self.campaign = start_take_over(
            "Everybody anew",
            [self.contoso],
            by=self.owner,
            owner=self.max,
            due_on=timezone.localdate() + dt.timedelta(days=14),
            reason="spring",
            outside=self.world.outside,
        )
        self.owned(self.contoso, " MAX ")
        self.owned(self.fabrikam, "Maxine")

    def owned(self, account: SharedAccount, owner: str) -> None:
        SharedAccount.objects.filter(pk=account.pk).update(owner=owner)

    def owners(self) -> list[str]:
        return [self.now(account).owner for account in (self.contoso, self.fabrikam)]

    def leaves(self, **wish: Any) -> DepartureRequest:
        return self.asks(self.max, by=self.owner, **wish)


class WhenASuccessorIsNamed(Duties):
    def test_the_take_over_and_the_account_are_theirs_from_the_start_on(self):
        self.leaves(successor=self.nia)
        assert self.now(self.campaign).owner == self.nia
        assert self.owners() == ["Nia", "Maxine"]

    def test_an_address_is_followed_by_an_address(self):
        self.owned(self.contoso, self.max.email.upper())
        self.leaves(successor=self.nia)
        assert self.owners()[0] == self.nia.email

    def test_nothing_moves_before_it_starts(self):
        tomorrow = timezone.now().date() + dt.timedelta(days=1)
        self.leaves(successor=self.nia, start=start_at(tomorrow, None, "UTC"))
        assert self.now(self.campaign).owner == self.max
        assert self.owners()[0] == " MAX "

    def test_what_is_over_stays_as_it_was(self):
        TakeOver.objects.filter(pk=self.campaign.pk).update(status="finished", finished_at=timezone.now())
        self.leaves(successor=self.nia)
        assert self.now(self.campaign).owner == self.max

    def test_the_ledger_says_how_many_went_to_whom(self):
        self.leaves(successor=self.nia)
        facts = Entry.objects.get(verb="duties.handed_over").facts
        assert (facts["to"], facts["take_overs"], facts["accounts"], facts["left"]) == (self.nia.email, 1, 1, 0)

    def test_a_technician_cannot_get_a_take_over_and_it_is_said_before(self):
        with pytest.raises(BadInput, match="may enrol others"):
            self.leaves(successor=self.ben)
        assert self.now(self.max).is_active

    def test_a_successor_who_left_meanwhile_does_not_stop_the_departure(self):
        self.policy(approvals=1)
        request = self.leaves(successor=self.nia)
        Technician.objects.filter(pk=self.nia.pk).update(status="left", left_at=timezone.now())
        assert self.approves(request, self.mo) is not None
        assert Entry.objects.get(verb="duties.handed_over").facts["left"] == 2

    def test_a_departure_to_come_in_which_the_leaver_was_the_successor_names_the_new_one(self):
        other = self.asks(self.ana, successor=self.max, start=WHEN_DISABLED)
        self.leaves(successor=self.nia)
        assert self.now(other).successor == self.nia


class WhenNobodyIsNamed(Duties):
    def test_what_is_left_without_an_owner_is_counted_and_named_as_before(self):
        self.leaves()
        assert self.owners()[0] == " MAX "
        assert Entry.objects.get(verb="duties.handed_over").facts["left"] == 2

    def test_a_departure_to_come_names_nobody_instead_of_somebody_gone(self):
        other = self.asks(self.ana, successor=self.max, start=WHEN_DISABLED)
        self.leaves()
        assert self.now(other).successor is None


class WhenAnotherOfTheSameNameStays(Duties):
    def test_the_name_alone_moves_nothing_and_the_address_does(self):
        second = self.world.technician("Max2")
        Technician.objects.filter(pk=second.pk).update(name="max")
        self.owned(self.fabrikam, self.max.email)
        self.leaves(successor=self.nia)
        assert self.owners() == [" MAX ", self.nia.email]


class WhenSomebodyLosesOneAccountAndStays(Duties):
    def test_only_the_owner_of_that_account_changes(self):
        self.world.give(self.now(self.contoso), self.max)
        self.owned(self.fabrikam, "Max")
        self.leaves(place=self.contoso, successor=self.nia)
        assert self.owners() == ["Nia", "Max"]
        assert self.now(self.campaign).owner == self.max
