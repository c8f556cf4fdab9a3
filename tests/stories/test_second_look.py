"""An hour after the run the old tokens are dead, and Latchkey looks again before it says "clean"."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from tenants.models import Finding
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World


class Scene:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.run = world.offboard(self.ana).run
        world.work(self.run)
        assert world.state(self.run) == RunState.CLEAN_SO_FAR

    def an_hour_later(self) -> None:
        with time_machine.travel(timezone.now() + dt.timedelta(minutes=66), tick=True):
            self.world.work(self.run)


class WhenNothingHasGrownBack(Scene):
    def test_the_run_is_clean(self):
        self.an_hour_later()
        assert self.world.step(self.run, StepKind.SECOND_LOOK).status == StepState.VERIFIED
        assert self.world.state(self.run) == RunState.CLEAN

    def test_not_before_the_time(self):
        with time_machine.travel(timezone.now() + dt.timedelta(minutes=64), tick=True):
            self.world.work(self.run)
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR


class WhenAMethodAppearedThatNobodyHereRegistered(Scene):
    def test_the_run_needs_attention_again(self):
        self.world.cloud.register(self.world.directory_id(self.account), self.account.object_id, "software_oath")
        self.an_hour_later()
        assert self.world.step(self.run, StepKind.SECOND_LOOK).status == StepState.UNVERIFIED
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        assert Finding.objects.open().filter(kind=Finding.Kind.RUN_PROBLEM, account=self.account).exists()


class WhenThePasswordWasChangedPastLatchkey(Scene):
    def test_the_run_needs_attention_again(self):
        with time_machine.travel(timezone.now() + dt.timedelta(minutes=10), tick=True):
            self.world.cloud.change_password_as_person(
                self.world.directory_id(self.account), self.account.object_id, "Somebody-elses-1!"
            )
        self.an_hour_later()
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        assert "not by Latchkey" in self.world.step(self.run, StepKind.SECOND_LOOK).problem


class WhenAColleagueEnrolledThroughLatchkeyMeanwhile(Scene):
    def test_that_is_no_trouble(self):
        self.world.give(self.account, self.world.technician("Cid"))
        self.an_hour_later()
        assert self.world.state(self.run) == RunState.CLEAN


class WhenALaterRunChangedThePasswordAgain(Scene):
    def test_the_first_run_still_becomes_clean(self):
        cid = self.world.technician("Cid")
        self.world.give(self.account, cid)
        later = self.world.offboard(self.ben).run
        self.world.work(later)
        self.an_hour_later()
        assert self.world.state(self.run) == RunState.CLEAN
