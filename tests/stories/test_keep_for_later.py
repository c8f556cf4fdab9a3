"""A person sees the seed of their own authenticator once more, for a new phone, as long as the policy says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from msp.access.seeds import read_seed
from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.keep_code import end_stale_kept_codes, keep_code, keep_for_later
from technicians.actions.show_code import show_code
from technicians.actions.show_seed_again import show_seed_again
from technicians.models import KeptCode
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.models import EnrolmentPolicy
from tenants.password_plans import Place
from tests.support.world import World

SEED = bytes(range(60, 80))
DAY = dt.timedelta(days=1)


class Scene:
    """The policy keeps seeds for seven days; Ana enrolled on Contoso's account a moment ago."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.days(7)
        kept = self.keep()
        assert kept is not None
        self.kept = kept

    def keep(self) -> KeptCode | None:
        bound = self.ana.authenticators.get()
        return keep_for_later(self.account, self.ana, SEED, authenticator=bound, outside=self.world.outside)

    def days(self, number: int) -> None:
        rules = facts_of(EnrolmentPolicy()) | {"keep_for_later_days": number}
        set_enrolment_policy(Place(), rules, by=self.world.owner)

    def show(self, **facts: Any) -> Any:
        return show_seed_again(self.kept, by=facts.get("by", self.ana), outside=self.world.outside)

    def is_empty(self) -> bool:
        kept = KeptCode.objects.get(pk=self.kept.pk)
        return kept.ended_at is not None and not kept.sealed


class WhenThePolicyKeepsSeeds(Scene):
    def test_the_person_sees_the_very_same_seed_again(self):
        assert read_seed(self.show().address).key == SEED

    def test_every_time_is_an_entry_of_the_ledger(self):
        self.show()
        self.show()
        entries = Entry.objects.filter(verb="seed.shown_again")
        assert {(e.actor_id, e.account_id) for e in entries} == {(self.ana.pk, self.account.pk)}
        assert (entries.count(), KeptCode.objects.get(pk=self.kept.pk).shown) == (2, 2)

    def test_nothing_is_shown_that_cannot_be_written_down(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger cannot be written.")

        monkeypatch.setattr("technicians.actions.keep_code.record", closed)
        with pytest.raises(LedgerClosed):
            self.show()

    def test_nobody_else_ever_sees_it(self):
        for person in (self.ben, self.world.owner):
            with pytest.raises(NotPermitted):
                self.show(by=person)

    def test_it_makes_no_codes_here(self):
        with pytest.raises(BadInput, match="next phone"):
            show_code(self.kept, by=self.ana, outside=self.world.outside)

    def test_what_was_shown_tells_nothing_when_it_is_printed(self):
        shown = self.show()
        assert shown.address not in repr(shown)
        assert str(SEED) not in repr(shown)


class WhenItsTimeIsOver(Scene):
    def test_it_is_shown_no_more_and_the_clock_empties_it(self):
        with time_machine.travel(timezone.now() + 7 * DAY + dt.timedelta(seconds=1), tick=True):
            with pytest.raises(BadInput, match="over"):
                self.show()
            assert end_stale_kept_codes() == 1
        assert self.is_empty()

    def test_until_then_it_stays(self):
        with time_machine.travel(timezone.now() + 6 * DAY, tick=True):
            assert end_stale_kept_codes() == 0
            assert self.show().address

    def test_a_stricter_policy_counts_at_once(self):
        self.days(2)
        with time_machine.travel(timezone.now() + 3 * DAY, tick=True):
            with pytest.raises(BadInput, match="over"):
                self.show()
            end_stale_kept_codes()
        assert self.is_empty()

    def test_a_more_generous_one_does_not_make_it_longer(self):
        self.days(30)
        with time_machine.travel(timezone.now() + 8 * DAY, tick=True), pytest.raises(BadInput, match="over"):
            self.show()


class WhenThePolicyKeepsNone(Scene):
    def test_nothing_is_kept(self):
        KeptCode.objects.all().delete()
        self.days(0)
        assert self.keep() is None
        assert not KeptCode.objects.exists()

    def test_what_was_kept_before_is_emptied(self):
        self.days(0)
        end_stale_kept_codes()
        assert self.is_empty()

    def test_codes_in_use_are_never_shown_as_a_seed(self):
        self.kept = keep_code(self.account, self.ana, SEED, outside=self.world.outside)
        with pytest.raises(BadInput, match="the seed never is"):
            self.show()
