"""Who may have a departure rehearsed, when it happens by itself, and what is kept of it."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.evidence import verify
from msp.ledger.models import Entry
from msp.vault.signing import evidence_key
from technicians.actions.ask_for_rehearsal import ask_for_due_rehearsals, ask_for_rehearsal
from technicians.actions.hand_out_rehearsal import hand_out_rehearsal
from technicians.actions.rehearse import LONGEST, give_up_the_dead, rehearse, rehearse_next
from technicians.actions.request_departure import request_departure
from technicians.models import Rehearsal, Role, Technician
from technicians.rehearsal_pages import RehearsalPage
from technicians.rehearsal_plans import digest_of_result
from tenants.models import Delivery, DeparturePolicy, TenantGroup
from tests.support.closed_ledger import close_the_ledger
from tests.support.rehearsals import foretell
from tests.support.world import World

Status = Rehearsal.Status


class Scene:
    """Ana and Ben hold Contoso's account."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world, self.owner = world, world.owner
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.tenant = world.tenant("Contoso")
        self.account = world.account(self.tenant)
        world.give(self.account, self.ana, self.ben)

    def ask(self, person: Technician | None = None, **facts: Any) -> Rehearsal:
        return ask_for_rehearsal(person or self.ana, **({"by": self.owner} | facts))

    def played(self, **ends: str) -> Rehearsal:
        done = rehearse(self.ask(), play=partial(foretell, **ends))
        assert done is not None
        return done

    def said(self) -> list[str]:
        found = Entry.objects.filter(verb__startswith="rehearsal.").order_by("id")
        return list(found.values_list("verb", flat=True))


class WhoMayNotOffboardAnybody(Scene):
    def test_may_not_rehearse_it_either(self):
        sia = self.world.technician("Sia", Role.MANAGER, groups=[self.group()])
        for person in (self.ben, sia, self.world.technician("Aud", Role.AUDITOR)):
            with pytest.raises(NotPermitted):
                self.ask(by=person)
        assert not Rehearsal.objects.exists()

    def group(self) -> TenantGroup:
        return TenantGroup.objects.create(reseller=self.world.reseller, name="Some")


class WhenARehearsalIsAskedFor(Scene):
    def test_it_waits_and_the_ledger_says_who_asked(self):
        asked = self.ask()
        assert asked.status == Status.WAITING
        entry = Entry.objects.get(verb="rehearsal.asked")
        assert (entry.actor, entry.technician_id) == (self.owner.email, self.ana.pk)

    def test_a_second_one_of_the_same_person_has_to_wait_for_the_first(self):
        self.ask()
        with pytest.raises(BadInput, match="waiting or running already"):
            self.ask()
        self.ask(self.ben)
        assert Rehearsal.objects.count() == 2

    def test_it_is_not_asked_for_when_the_ledger_cannot_say_so(self, monkeypatch: pytest.MonkeyPatch):
        close_the_ledger(monkeypatch)
        with pytest.raises(LedgerClosed):
            self.ask()
        assert not Rehearsal.objects.exists()

    def test_whoever_has_left_is_rehearsed_no_more(self):
        self.world.offboard(self.ana)
        self.ana.refresh_from_db()
        with pytest.raises(BadInput, match="has left already"):
            self.ask()

    def test_an_unknown_pace_is_not_taken(self):
        with pytest.raises(BadInput, match="no pace called"):
            self.ask(pace="at once")


class WhenARehearsalIsPlayed(Scene):
    def test_plan_and_result_are_kept_and_the_ledger_holds_their_digests(self):
        done = self.played()
        done.refresh_from_db()
        assert done.status == Status.FINISHED
        assert done.plan == done.result["plan"]["digest"]
        assert self.said() == ["rehearsal.asked", "rehearsal.finished"]
        facts = json.loads(bytes(Entry.objects.get(verb="rehearsal.finished").body))["facts"]
        assert facts["result"] == digest_of_result(done.result)
        assert (facts["plan"], facts["need_a_person"]) == (done.plan, 0)

    def test_nobody_loses_anything(self):
        self.played()
        self.ana.refresh_from_db()
        assert self.ana.is_active
        assert self.ana.assignments.live().exists()
        assert not self.world.reseller.runs.exists()

    def test_one_runs_at_a_time_in_the_whole_installation(self):
        self.ask()
        seen: list[Rehearsal | None] = []

        def meanwhile(record: dict[str, Any], *, pace: str) -> dict[str, Any]:
            seen.append(rehearse_next(play=foretell))
            return foretell(record, pace=pace)

        other = self.ask(self.ben)
        rehearse_next(play=meanwhile)
        other.refresh_from_db()
        assert seen == [None]
        assert other.status == Status.WAITING
        assert rehearse_next(play=foretell) == other

    def test_the_same_one_is_not_played_twice(self):
        asked = self.ask()
        same = Rehearsal.objects.get(pk=asked.pk)
        assert rehearse(asked, play=foretell) is not None
        assert rehearse(same, play=foretell) is None

    def test_a_fault_of_ours_leaves_it_failed_and_not_running(self):
        def breaks(record: dict[str, Any], *, pace: str) -> dict[str, Any]:
            raise ZeroDivisionError

        done = rehearse(self.ask(), play=breaks)
        assert done is not None
        assert done.status == Status.FAILED
        assert "fault in Latchkey" in done.problem
        assert self.said() == ["rehearsal.asked", "rehearsal.failed"]

    def test_one_whose_worker_died_is_given_up_after_a_while(self):
        asked = self.ask()
        asked.advance(Status.RUNNING, started_at=timezone.now() - LONGEST + dt.timedelta(minutes=5))
        assert give_up_the_dead() == 0
        Rehearsal.objects.update(started_at=timezone.now() - LONGEST - dt.timedelta(minutes=5))
        assert give_up_the_dead() == 1
        asked.refresh_from_db()
        assert (asked.status, "Rehearse again" in asked.problem) == (Status.FAILED, True)


class WhenARehearsalWouldNotEndClean(Scene):
    @pytest.fixture(autouse=True)
    def _mails(self, settings: Any) -> None:
        settings.MAIL_FROM = "latchkey@reseller.example"

    def told(self) -> list[str]:
        return [row.facts["title"] for row in Delivery.objects.filter(about="rehearsal.not_clean")]

    def test_whoever_asked_is_told(self):
        self.played(rotate_password="refused")
        assert self.told() == ["A rehearsal would not end clean: Ana"]
        assert Delivery.objects.get().to == self.owner

    def test_nobody_is_told_of_a_clean_one(self):
        self.played()
        assert self.told() == []

    def test_one_that_the_clock_asked_for_is_told_to_those_who_decide(self):
        rehearse(self.ask(by=None), play=partial(foretell, rotate_password="refused"))
        assert Delivery.objects.get().to == self.owner


class WhenARequestIsRehearsed(Scene):
    def test_all_its_leavers_leave_in_the_copy_and_no_further_than_it_reaches(self):
        DeparturePolicy.objects.create(reseller=self.world.reseller, approvals=1)
        elsewhere = self.world.account(self.world.tenant("Fabrikam"))
        self.world.give(elsewhere, self.ana)
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="Contoso only")
        group.tenants.add(self.tenant)
        request = request_departure([self.ana, self.ben], by=self.owner, reason="moves", place=group)
        records = []

        def keeps(record: dict[str, Any], *, pace: str) -> dict[str, Any]:
            records.append(record)
            return foretell(record, pace=pace)

        done = rehearse(self.ask(request=request), play=keeps)
        assert done is not None
        assert {leaver["name"] for leaver in done.result["leavers"]} == {"Ana", "Ben"}
        assert [account["id"] for account in done.result["accounts"]] == [str(self.account.pk)]
        assert records[0]["place"] == ["tenants.TenantGroup", str(group.pk)]

    def test_of_somebody_else_it_is_not_asked_for(self):
        DeparturePolicy.objects.create(reseller=self.world.reseller, approvals=1)
        request = request_departure([self.ben], by=self.owner, reason="leaves")
        with pytest.raises(BadInput, match="not about Ana"):
            self.ask(request=request)


class WhenThePolicyRehearsesByItself(Scene):
    def test_people_are_asked_for_one_after_another(self):
        DeparturePolicy.objects.create(reseller=self.world.reseller, rehearse_every_days=30)
        [first] = ask_for_due_rehearsals()
        assert first.technician == self.ana
        assert first.asked_by is None
        assert ask_for_due_rehearsals() == []
        rehearse(first, play=foretell)
        assert ask_for_due_rehearsals() == [], "two people and thirty days: the next one in fifteen"
        Rehearsal.objects.update(asked_at=timezone.now() - dt.timedelta(days=15, minutes=1))
        [second] = ask_for_due_rehearsals()
        assert second.technician == self.ben

    def test_nobody_is_asked_for_without_such_a_policy(self):
        DeparturePolicy.objects.create(reseller=self.world.reseller)
        assert ask_for_due_rehearsals() == []


class WhenTheRealRunCameAfterwards(Scene):
    def test_the_page_says_that_they_were_the_same(self):
        done = self.played()
        self.world.work(self.world.offboard(self.ana).run)
        page = RehearsalPage(done)
        assert page.run is not None
        assert page.differences == []

    def test_the_page_says_what_was_otherwise(self):
        done = self.played(rotate_password="refused")
        self.world.work(self.world.offboard(self.ana).run)
        [found] = RehearsalPage(done).differences
        assert found.account == str(self.account)
        assert found.words == "Change the password: refused in the rehearsal, verified in the run"

    def test_a_run_of_before_is_no_run_of_it(self):
        assert RehearsalPage(self.played()).run is None


class WhoTakesARehearsalAway(Scene):
    def test_gets_a_signed_file_and_is_written_down(self, tmp_path: Path, settings: Any):
        settings.KEY_DIRECTORY = tmp_path / "keys"
        done = self.played()
        name, content = hand_out_rehearsal(done, by=self.owner)
        body = verify(json.loads(content), evidence_key(settings.KEY_DIRECTORY).public_key())
        assert name.endswith(".evidence.json")
        assert (body["type"], body["result"]) == ("latchkey.rehearsal", done.result)
        assert self.said()[-1] == "rehearsal.exported"

    def test_gets_nothing_of_one_without_a_result(self):
        with pytest.raises(BadInput, match="no result"):
            hand_out_rehearsal(self.ask(), by=self.owner)
