"""Somebody moves on to other accounts: what they had at Microsoft follows."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.assign import assign, end_assignment
from technicians.actions.ended_assignments import look_for_ended_assignments
from technicians.models import Assignment, EnrolmentRequest
from tenants.models import Run
from tenants.plans import RunState, StepKind, StepState
from tests.support.lost_and_found import lets_in, phone_of
from tests.support.world import World


class Scene:
    """Ana and Ben share Contoso and Fabrikam, each with an authenticator of their own on both."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.contoso = world.account(world.tenant("Contoso"))
        self.fabrikam = world.account(world.tenant("Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            world.give(account, self.ana, self.ben)
        self.phone = phone_of(world, self.contoso, self.ana)

    def assignment(self) -> Assignment:
        return Assignment.objects.select_related("account__tenant", "technician").get(
            technician=self.ana, account=self.contoso
        )

    def runs_out(self, **ago: int) -> None:
        end = timezone.now() - dt.timedelta(**ago)
        Assignment.objects.filter(pk=self.assignment().pk).update(from_at=end - dt.timedelta(days=30), until_at=end)


class WhenAnAssignmentIsEnded(Scene):
    def test_the_method_on_that_account_goes_and_the_others_stay(self):
        run = end_assignment(self.assignment(), by=self.world.owner)
        assert run is not None
        assert run.kind == Run.Kind.MOVE
        self.world.work(run)
        assert not lets_in(self.world, self.contoso, self.phone)
        assert lets_in(self.world, self.fabrikam, phone_of(self.world, self.fabrikam, self.ana))
        assert self.world.gets_in(self.contoso, self.ben)
        assert self.world.state(run) == RunState.CLEAN_SO_FAR

    def test_the_password_is_left_to_the_policy(self):
        before = self.world.password_at_microsoft(self.contoso)
        run = end_assignment(self.assignment(), by=self.world.owner)
        self.world.work(run)
        assert self.world.password_at_microsoft(self.contoso) == before

    def test_the_guard_keeps_the_last_way_in(self):
        end_assignment(Assignment.objects.get(technician=self.ben, account=self.contoso), by=self.world.owner)
        run = end_assignment(self.assignment(), by=self.world.owner)
        assert self.world.step(run, StepKind.REMOVE_METHOD).status == StepState.BLOCKED
        self.world.work(run)
        assert lets_in(self.world, self.contoso, self.phone)

    def test_what_was_still_to_be_enrolled_there_is_off_the_list(self):
        because = EnrolmentRequest.Because.NEW_PHONE
        ask_to_enrol(self.ana, [self.contoso, self.fabrikam], because=because, by=self.ana)
        end_assignment(self.assignment(), by=self.world.owner)
        assert [line.account for line in EnrolmentRequest.objects.open()] == [self.fabrikam]

    def test_twice_is_once(self):
        assignment = self.assignment()
        assert end_assignment(assignment, by=self.world.owner) is not None
        assert end_assignment(assignment, by=self.world.owner) is None
        assert Run.objects.count() == 1

    def test_nothing_runs_where_the_person_has_no_method(self):
        third = self.world.account(self.contoso.tenant, "third")
        assert end_assignment(assign(self.ana, third, by=self.world.owner, reason="help"), by=self.world.owner) is None
        assert not Run.objects.exists()


class WhenAnAssignmentRunsOutByItself(Scene):
    def test_the_clock_opens_the_run_once(self):
        self.runs_out(minutes=5)
        look_for_ended_assignments()
        look_for_ended_assignments()
        run = Run.objects.get()
        assert run.kind == Run.Kind.MOVE
        assert run.requested_by is None
        self.world.work(run)
        look_for_ended_assignments()
        assert Run.objects.count() == 1
        assert not lets_in(self.world, self.contoso, self.phone)

    def test_a_run_that_a_guard_holds_is_not_opened_again_and_again(self):
        Assignment.objects.filter(technician=self.ben, account=self.contoso).delete()
        self.runs_out(minutes=5)
        for _ in range(3):
            look_for_ended_assignments()
        assert self.world.step(Run.objects.get(), StepKind.REMOVE_METHOD).status == StepState.BLOCKED

    def test_an_assignment_that_was_given_again_keeps_its_method(self):
        self.runs_out(minutes=5)
        assign(self.ana, self.contoso, by=self.world.owner, reason="longer")
        look_for_ended_assignments()
        assert not Run.objects.exists()

    def test_a_leaver_has_the_departures_run_and_no_second_one(self):
        departure = self.world.offboard(self.ana).run
        look_for_ended_assignments()
        assert Run.objects.get() == departure
