"""A seed that stays in the vault: its codes go to one person, are written down first, and die with the access."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from msp.errors import BadInput, KeyTrouble, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from msp.simulator import totp
from technicians.actions.assign import assign, end_assignment
from technicians.actions.keep_code import end_kept_codes, end_stale_kept_codes, keep_code
from technicians.actions.show_code import ShownCode, show_code
from technicians.models import Assignment, KeptCode, Technician
from tenants.actions.observe_account import observe_account
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.models import EnrolmentPolicy, PasswordPolicy
from tenants.password_plans import Place
from tests.support.scan import spellings
from tests.support.world import World

SEED = bytes(range(40, 60))


class Scene:
    """Ana and Ben hold Contoso's account; the seed of Ana's authenticator there stays in the vault."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.kept = self.keep(self.ana)

    def keep(self, person: Technician, **facts: Any) -> KeptCode:
        bound = facts.pop("authenticator", None) or person.authenticators.first()
        return keep_code(self.account, person, SEED, authenticator=bound, outside=self.world.outside, **facts)

    def show(self, person: Technician | None = None, kept: KeptCode | None = None) -> ShownCode:
        return show_code(kept or self.kept, by=person or self.ana, outside=self.world.outside)

    def ended(self, kept: KeptCode | None = None) -> str:
        """Why it ended, "" while it lives; an envelope that is not empty then would be a seed that outlives it."""
        row = KeptCode.objects.get(pk=(kept or self.kept).pk)
        assert bool(row.sealed) == (row.ended_at is None)
        return row.ended_because


class WhenACodeIsShown(Scene):
    def test_it_is_the_code_that_a_phone_with_this_seed_shows_and_for_how_long_it_counts(self):
        at = dt.datetime(2026, 3, 1, 12, 0, 11, tzinfo=dt.UTC)
        Assignment.objects.update(from_at=at - dt.timedelta(days=1))
        with time_machine.travel(at, tick=False):
            shown = self.show()
        assert (shown.code, shown.seconds_left) == (totp.code(as_base32(SEED), at.timestamp()), 19)

    def test_it_stands_in_the_ledger_for_that_person(self):
        self.show()
        entry = Entry.objects.get(verb="code.shown")
        assert (entry.actor_id, entry.technician_id, entry.account_id) == (self.ana.pk, self.ana.pk, self.account.pk)
        kept = KeptCode.objects.get(pk=self.kept.pk)
        assert (kept.shown, kept.shown_at is not None) == (1, True)

    def test_nothing_is_shown_that_cannot_be_written_down(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger cannot be written.")

        monkeypatch.setattr("technicians.actions.keep_code.record", closed)
        with pytest.raises(LedgerClosed):
            self.show()
        assert KeptCode.objects.get(pk=self.kept.pk).shown == 0

    def test_nobody_else_gets_it_not_even_the_owner(self):
        for person in (self.ben, self.world.owner):
            with pytest.raises(NotPermitted, match="not yours"):
                self.show(person)
        assert not Entry.objects.filter(verb="code.shown").exists()

    def test_there_are_as_many_in_an_hour_as_the_password_policy_says(self):
        PasswordPolicy.objects.create(reseller=self.world.reseller, reveals_per_hour=2)
        self.show()
        self.show()
        with pytest.raises(BadInput, match="2 codes within an hour"):
            self.show()
        with time_machine.travel(timezone.now() + dt.timedelta(minutes=61), tick=True):
            assert self.show().code

    def test_a_print_of_it_tells_nothing(self):
        shown = self.show()
        assert shown.code not in repr(shown)


class WhenASeedIsKept(Scene):
    def test_it_is_nowhere_in_the_database_in_clear(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT t::text FROM technicians_keptcode t")
            rows = " ".join(row[0] for row in cursor.fetchall())
        assert str(self.kept.pk) in rows
        for secret in (SEED, as_base32(SEED).encode()):
            assert not [how for how, written in spellings(secret).items() if written in rows.encode()]

    def test_it_opens_in_its_own_place_only(self):
        theirs = self.keep(self.ben)
        KeptCode.objects.filter(pk=self.kept.pk).update(sealed=theirs.sealed)
        with pytest.raises(KeyTrouble):
            self.show()
        assert not Entry.objects.filter(verb="code.shown").exists()

    def test_a_new_one_takes_the_place_of_the_old_one(self):
        new = self.world.enrol(self.account, self.ana)
        self.keep(self.ana, authenticator=new.authenticator)
        assert self.ended() == "Another one took its place."
        assert KeptCode.objects.live().get(technician=self.ana).authenticator == new.authenticator

    def test_the_policy_of_later_does_not_lock_out_whoever_has_codes_here(self):
        rules = facts_of(EnrolmentPolicy()) | {"kept_here": False}
        set_enrolment_policy(Place(), rules, by=self.world.owner)
        end_stale_kept_codes()
        assert self.show().code


class WhenTheAccessEnds(Scene):
    def refuses(self) -> bool:
        try:
            self.show(Technician.objects.get(pk=self.ana.pk))
        except (NotPermitted, BadInput):
            return True
        return False

    def test_whoever_leaves_has_no_code_from_that_second_on(self):
        self.world.offboard(self.ana)
        assert self.refuses()
        assert self.ended() == "The technician left."

    def test_whoever_loses_the_account_has_none_either(self):
        end_assignment(self.ana.assignments.get(), by=self.world.owner)
        assert self.refuses()
        assert self.ended() == "The assignment ended."

    def test_an_assignment_that_runs_out_shuts_it_at_once_and_the_clock_empties_it(self):
        until = timezone.now() + dt.timedelta(hours=1)
        Assignment.objects.filter(technician=self.ana).update(until_at=until)
        with time_machine.travel(until + dt.timedelta(seconds=1), tick=True):
            assert self.refuses()
            assert end_stale_kept_codes() == 1
        assert self.ended() == "The assignment ended."

    def test_a_method_that_is_gone_at_microsoft_takes_its_codes_along(self):
        phone = self.world.phones[self.account.pk, self.ana.pk]
        there = self.world.directory_id(self.account)
        self.world.cloud.remove_method_as_person(there, self.account.object_id, phone.method_id)
        observe_account(self.account, outside=self.world.outside)
        assert self.refuses()
        end_stale_kept_codes()
        assert self.ended() == "Its authenticator is not there."

    def test_whoever_is_suspended_gets_none_and_the_clock_empties_it(self):
        Technician.objects.filter(pk=self.ana.pk).update(status=Technician.Status.SUSPENDED)
        assert self.refuses()
        end_stale_kept_codes()
        assert self.ended() == "The person has no access any more."

    def test_what_others_keep_stays(self):
        theirs = self.keep(self.ben)
        self.world.offboard(self.ana)
        end_stale_kept_codes()
        assert self.ended(theirs) == ""
        assert self.show(self.ben, theirs).code

    def test_each_end_is_written_down_once(self):
        assert end_kept_codes(technician=self.ana, because="The phone was lost.", by=self.world.owner) == 1
        assert end_kept_codes(technician=self.ana, because="The phone was lost.", by=self.world.owner) == 0
        [entry] = Entry.objects.filter(verb="code.emptied")
        assert entry.facts["because"] == "The phone was lost."

    def test_it_is_never_asked_to_end_everybodys(self):
        with pytest.raises(ValueError, match="whose"):
            end_kept_codes(because="by mistake")
        assert self.ended() == ""

    def test_coming_back_does_not_bring_it_back(self):
        end_assignment(self.ana.assignments.get(), by=self.world.owner)
        assign(self.ana, self.account, by=self.world.owner, reason="back")
        with pytest.raises(BadInput, match="Nothing is kept here"):
            self.show()


def as_base32(seed: bytes) -> str:
    return base64.b32encode(seed).decode().rstrip("=")
