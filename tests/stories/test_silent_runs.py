"""A run that should move and does not is noticed within a quarter of an hour, also when nothing works any more."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from msp.ledger.models import Entry
from msp.ops import health
from tenants.actions.alarms import see_to_alarm
from tenants.actions.control_run import pause_run
from tenants.actions.nudge import nudge
from tenants.actions.watch_silence import watch_silence
from tenants.models import Alarm, Step, Target, Tenant
from tenants.plans import RunState, StepState
from tenants.silence_queries import silent_runs
from tests.support.celery_worker import celery_worker, environment_of
from tests.support.world import World, eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Scene:
    """Ana leaves Contoso; Ben stays."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.run = world.offboard(self.ana).run

    def later(self, minutes: float):
        return time_machine.travel(self.run.started_at + dt.timedelta(minutes=minutes), tick=True)

    def watch(self, minutes: float) -> None:
        """The clock looks so many minutes after the start."""
        with self.later(minutes):
            watch_silence()

    def alarms(self) -> list[Alarm]:
        return list(Alarm.objects.open().filter(run=self.run, kind=Alarm.Kind.SILENT))

    def target(self, **facts) -> None:
        Target.objects.filter(run=self.run).update(**facts)


class WhenNobodyWorks(Scene):
    def test_nothing_is_said_for_fourteen_minutes(self):
        self.watch(14)
        assert self.alarms() == []

    def test_after_fifteen_the_run_raises_an_alarm_that_says_what_to_look_at(self):
        self.watch(16)
        [alarm] = self.alarms()
        assert "admin@" in alarm.detail
        assert "doctor" in alarm.detail

    def test_it_is_raised_once_and_is_in_the_ledger(self):
        for minutes in (16, 17, 18):
            self.watch(minutes)
        assert Entry.objects.filter(verb="alarm.raised", run_id=self.run.pk).count() == 1

    def test_it_ends_when_the_run_moves(self):
        self.watch(16)
        with self.later(17):
            self.world.work(self.run)
            watch_silence()
        assert self.alarms() == []
        assert Entry.objects.filter(verb="alarm.ended", run_id=self.run.pk).count() == 1

    def test_what_somebody_has_seen_to_is_not_told_again_for_the_same_silence(self):
        self.watch(16)
        with self.later(17):
            see_to_alarm(self.alarms()[0], by=self.world.owner)
        self.watch(18)
        assert self.alarms() == []

    def test_it_is_told_again_when_the_run_moved_and_fell_silent_a_second_time(self):
        self.watch(16)
        with self.later(17):
            see_to_alarm(self.alarms()[0], by=self.world.owner)
        with self.later(20):
            Step.objects.filter(target__run=self.run).update(changed_at=timezone.now())
        self.watch(36)
        assert len(self.alarms()) == 1

    def test_the_doctor_says_it_from_the_rows_alone(self):
        with self.later(16):
            found = health.runs()
        assert found.well is False
        assert "has not moved for 15 minutes" in found.words


class WhenAWaitHasAKnownReason(Scene):
    def test_a_paused_run_is_not_silent(self):
        pause_run(self.run, by=self.world.owner, reason="the customer called")
        self.watch(60)
        assert self.alarms() == []

    def test_nor_one_in_a_tenant_that_asks_for_patience(self):
        Tenant.objects.update(busy_until=self.run.started_at + dt.timedelta(minutes=40))
        self.watch(30)
        assert self.alarms() == []

    def test_nor_one_whose_tenant_cannot_be_reached_and_is_tried_again_later(self):
        self.target(tries=6, due_at=self.run.started_at + dt.timedelta(minutes=31))
        self.watch(30)
        assert self.alarms() == []

    def test_nor_one_that_waits_for_its_second_look(self):
        self.world.work(self.run)
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR
        self.watch(60)
        assert self.alarms() == []

    def test_nor_one_where_only_a_person_can_go_on(self):
        Step.objects.filter(target__run=self.run).update(status=StepState.BLOCKED)
        self.target(due_at=None)
        self.watch(60)
        assert self.alarms() == []

    def test_nor_one_that_begins_at_a_time_still_to_come(self):
        self.target(due_at=self.run.started_at + dt.timedelta(hours=3))
        self.watch(60)
        assert self.alarms() == []

    def test_nor_one_in_a_place_where_a_person_works_by_hand(self):
        Tenant.objects.update(system=Tenant.System.FIREWALL)
        self.watch(60)
        assert self.alarms() == []


class WhenTheWaitingItselfIsLongOver(Scene):
    @pytest.mark.parametrize("tries", [0, 6])
    def test_a_time_that_passed_unused_is_a_silence_whatever_the_reason_was(self, tries):
        self.target(tries=tries, due_at=self.run.started_at + dt.timedelta(minutes=10))
        self.watch(26)
        assert len(self.alarms()) == 1

    def test_a_second_look_that_nobody_takes_is_one_too(self):
        self.world.work(self.run)
        self.watch(65 + 16)
        assert len(self.alarms()) == 1


class WhenAnAccountTurnsInCircles(Scene):
    def test_being_looked_at_every_few_seconds_without_a_step_moving_is_silence(self):
        self.target(due_at=self.run.started_at + dt.timedelta(minutes=16, seconds=2))
        self.watch(16)
        assert len(self.alarms()) == 1


class WhenNothingWakesAnAccountUp(Scene):
    def test_it_is_noticed(self):
        self.target(due_at=None)
        self.watch(16)
        assert len(self.alarms()) == 1


@pytest.mark.fault
class WhenTheWorkerIsKilledInTheMiddle(Scene):
    """A real worker, killed while it waits for Microsoft's answer: nothing is left that could move the run."""

    @pytest.fixture(autouse=True)
    def _killed(self, _scene, credential, tmp_path) -> None:
        self.world.cloud.knobs.set(latency_ms=3000)
        environment = environment_of(self.world, credential, tmp_path)
        with celery_worker(environment, tmp_path / "ready", tmp_path / "worker.log", threads=1):
            nudge(Target.objects.get(run=self.run).pk)
            sent = Step.objects.filter(target__run=self.run, status=StepState.SENDING)
            assert eventually(sent.exists, seconds=60)
        self.world.cloud.knobs.set(latency_ms=1)

    def test_the_silence_shows_and_ends_when_another_worker_comes(self):
        with self.later(20):
            assert self.run in silent_runs()
            watch_silence()
            assert len(self.alarms()) == 1
            self.world.work(self.run)
            watch_silence()
        assert self.alarms() == []
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR
