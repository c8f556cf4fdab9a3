"""A departure starts later: at a time, or when the person is disabled; by the clock, once, and from a new plan."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from msp.ledger.models import Entry
from technicians.actions import start_departure as starting
from technicians.actions.decide_request import approve, withdraw
from technicians.actions.start_departure import person_disabled, start_departure, start_due_departures
from technicians.departure_times import WHEN_DISABLED, start_at
from technicians.models import DepartureRequest, Technician
from technicians.tasks import start_due_departures as by_the_clock
from tenants.models import Delivery, Run, SharedAccount
from tenants.plans import RunState, StepState
from tests.stories.test_take_over_races import at_once
from tests.support.departures import Scene

Status = DepartureRequest.Status


class Later(Scene):
    """Ana's departure is for tomorrow at 16:00 in Berlin."""

    @pytest.fixture(autouse=True)
    def _later(self, _scene: None) -> None:
        day = timezone.now().date() + dt.timedelta(days=1)
        self.start = start_at(day, dt.time(16), "Europe/Berlin")

    def asks_for_later(self, *leavers: Technician, **wish: Any) -> DepartureRequest:
        return self.asks(*leavers, start=self.start, **wish)

    def its_time_has_come(self) -> Any:
        assert self.start.at is not None
        return time_machine.travel(self.start.at + dt.timedelta(seconds=5), tick=True)


class WhenADepartureIsForLater(Later):
    def test_it_waits_and_nothing_has_ended(self):
        request = self.asks_for_later()
        assert request.status == Status.SCHEDULED
        assert request.time_zone == "Europe/Berlin"
        assert start_due_departures() == 0
        assert self.now(self.ana).is_active

    def test_the_clock_starts_it_and_access_ends_then(self):
        request = self.asks_for_later()
        with self.its_time_has_come():
            by_the_clock()
            started = self.now(request)
            assert started.status == Status.STARTED
            assert started.run.started_at >= self.start.at
            assert self.now(self.ana).status == Technician.Status.LEFT
            self.world.work(started.run)
            assert self.world.state(started.run) == RunState.CLEAN_SO_FAR

    def test_the_run_names_who_asked_and_the_ledger_that_the_clock_did_it(self):
        request = self.asks_for_later()
        with self.its_time_has_come():
            start_due_departures()
        assert self.now(request).run.requested_by == self.mo
        assert Entry.objects.get(verb="departure.started").actor != self.mo.email

    def test_it_starts_once(self):
        self.asks_for_later()
        with self.its_time_has_come():
            assert [start_due_departures(), start_due_departures()] == [1, 0]
        assert Run.objects.count() == 1

    def test_one_that_was_withdrawn_does_not_start(self):
        withdraw(self.asks_for_later(), by=self.nia, reason="she stays")
        with self.its_time_has_come():
            assert start_due_departures() == 0
        assert self.now(self.ana).is_active

    def test_one_that_still_awaits_approval_does_not_start_and_starts_with_it(self):
        self.policy(approvals=1)
        request = self.asks_for_later()
        with self.its_time_has_come():
            assert start_due_departures() == 0
            assert approve(request, by=self.nia) is not None
        assert self.now(request).status == Status.STARTED

    def test_one_that_is_approved_before_waits_for_its_time(self):
        self.policy(approvals=1)
        request = self.asks_for_later()
        assert approve(request, by=self.nia) is None
        assert self.now(request).status == Status.SCHEDULED
        with self.its_time_has_come():
            assert start_due_departures() == 1

    def test_a_person_can_start_it_by_hand_too(self):
        request = self.asks_for_later()
        run = start_departure(request, by=self.mo)
        assert self.now(request).run == run


class WhenThingsChangeUntilItStarts(Later):
    def started(self, request: DepartureRequest) -> DepartureRequest:
        with self.its_time_has_come():
            assert start_due_departures() == 1
        return self.now(request)

    def test_an_account_that_came_in_meanwhile_is_concerned_and_told(self):
        request = self.asks_for_later()
        third = self.world.account(self.contoso.tenant, "third")
        self.world.give(third, self.ana, self.ben)
        started = self.started(request)
        assert third in [target.account for target in started.run.targets.all()]
        assert [(one["kind"], one["account"]) for one in started.differences] == [("account_added", str(third))]

    def test_an_account_that_is_another_user_now_is_left_alone_and_told(self):
        request = self.asks_for_later()
        SharedAccount.objects.filter(pk=self.contoso.pk).update(object_id="00000000-0000-4000-8000-000000000001")
        started = self.started(request)
        (told,) = [one for one in started.differences if one["stops"]]
        assert told["account"] == str(self.contoso)
        target = started.run.targets.get(account=self.contoso)
        assert {step.status for step in target.steps.all()} == {StepState.BLOCKED}

    def test_nothing_new_is_no_difference(self):
        assert self.started(self.asks_for_later()).differences == []


class WhenOneOfSeveralCannotStart(Later):
    """Whoever is to leave first has left already in another way."""

    @pytest.fixture(autouse=True)
    def _broken(self, _later: None) -> None:
        self.broken = self.asks_for_later()
        self.other = self.asks_for_later(self.ben)

    def leaves_by_a_side_door(self) -> None:
        Technician.objects.filter(pk=self.ana.pk).update(status="left", left_at=timezone.now())

    def test_the_others_start_and_it_keeps_its_problem(self):
        self.leaves_by_a_side_door()
        with self.its_time_has_come():
            assert start_due_departures() == 1
        assert self.now(self.other).status == Status.STARTED
        stuck = self.now(self.broken)
        assert stuck.status == Status.SCHEDULED
        assert "has left already" in stuck.problem

    def test_whoever_asked_is_told_once(self, settings: Any):
        settings.MAIL_FROM = "latchkey@reseller.example"
        self.leaves_by_a_side_door()
        with self.its_time_has_come():
            start_due_departures()
            start_due_departures()
        assert [d.address for d in Delivery.objects.filter(about="request.stuck")] == [self.mo.email]

    def test_a_fault_of_ours_in_one_does_not_stop_the_others_either(self, monkeypatch: pytest.MonkeyPatch):
        end_access, ana = starting.end_access, self.ana

        def fails_for_ana(technician: Technician, **named: Any) -> None:
            if technician == ana:
                raise RuntimeError("a fault with the words of a stack trace")
            end_access(technician, **named)

        monkeypatch.setattr(starting, "end_access", fails_for_ana)
        with self.its_time_has_come():
            assert start_due_departures() == 1
        stuck = self.now(self.broken)
        assert "fault in Latchkey" in stuck.problem
        assert "stack trace" not in stuck.problem
        assert self.now(self.ana).is_active
        monkeypatch.undo()
        with self.its_time_has_come():
            assert start_due_departures() == 1
        assert (self.now(self.broken).status, self.now(self.broken).problem) == (Status.STARTED, "")


@pytest.mark.django_db(transaction=True)
class WhenTwoWorkersWakeInTheSameMoment(Later):
    def test_each_departure_starts_once(self):
        self.asks_for_later()
        self.asks_for_later(self.ben)
        together = threading.Barrier(2)

        def wakes(_name: str) -> str:
            together.wait(timeout=60)
            return str(start_due_departures())

        with self.its_time_has_come():
            counts = at_once(wakes, "one", "two")
            # Whoever found a row held by the other left it alone, and the other has started it.
            assert sum(map(int, counts)) == 2
        assert Run.objects.count() == 2


class WhenADepartureWaitsUntilThePersonIsDisabled(Scene):
    @pytest.fixture(autouse=True)
    def _waits(self, _scene: None) -> None:
        self.request = self.asks(start=WHEN_DISABLED)

    def disabled(self, person: Technician | None = None) -> list[Run]:
        email = (person or self.ana).email.upper()
        return person_disabled(email, reseller_id=self.world.reseller.pk, source="the staff directory")

    def test_the_clock_alone_does_not_start_it(self):
        assert start_due_departures() == 0

    def test_the_word_that_she_is_disabled_starts_it(self):
        [run] = self.disabled()
        assert self.now(self.request).run == run
        assert self.now(self.ana).status == Technician.Status.LEFT
        assert Entry.objects.get(verb="person.disabled").facts["source"] == "the staff directory"

    def test_twice_is_once(self):
        self.disabled()
        assert self.disabled() == []
        assert Run.objects.count() == 1

    def test_the_same_word_about_somebody_else_starts_nothing(self):
        assert self.disabled(self.ben) == []
        assert self.now(self.ben).is_active

    def test_another_resellers_word_starts_nothing(self):
        assert person_disabled(self.ana.email, reseller_id=self.contoso.pk, source="x") == []
        assert self.now(self.ana).is_active

    def test_the_word_is_remembered_while_approval_is_awaited(self):
        self.policy(approvals=1)
        request = self.asks(self.ben, start=WHEN_DISABLED)
        assert self.disabled(self.ben) == []
        assert self.now(self.ben).is_active
        assert approve(request, by=self.nia) is not None
        assert self.now(self.ben).status == Technician.Status.LEFT

    def test_a_command_is_the_door_for_it(self, capsys: pytest.CaptureFixture[str]):
        call_command("person_disabled", self.ana.email)
        assert "has started" in capsys.readouterr().out
        call_command("person_disabled", self.ana.email)
        assert "No departure waits" in capsys.readouterr().out
        with pytest.raises(CommandError, match="nobody with the address"):
            call_command("person_disabled", "nobody@reseller.example")
