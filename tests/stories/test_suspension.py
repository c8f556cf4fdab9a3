"""Somebody goes on leave and comes back: out at once, and given back what was theirs."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from msp.access.models import TotpDevice
from msp.errors import BadInput, LedgerClosed, NotPermitted
from technicians.actions import suspend as suspending
from technicians.actions.assign import assign
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.bring_back import bring_back, what_comes_back
from technicians.actions.change_technician import change_technician
from technicians.actions.offboard import offboard
from technicians.actions.reveal_password import reveal_password
from technicians.actions.suspend import preview_suspension, suspend
from technicians.models import Assignment, Authenticator, EnrolmentRequest, KeptCode, Role, Suspension, Technician
from technicians.pages import technicians_like
from tenants.models import Reach, Run, TenantGroup
from tenants.plans import RunState, StepKind, StepState
from tests.support.lost_and_found import enrols_anew, lets_in, phone_of
from tests.support.world import World, second_factor_of


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

    def goes(self, **more: object) -> Suspension:
        self.suspension = suspend(self.ana, by=self.world.owner, reason="parental leave", **more)
        self.ana.refresh_from_db()
        return self.suspension

    def goes_and_is_out(self) -> Run:
        run = self.goes().run
        assert run is not None
        self.world.work(run)
        return run

    def returns(self) -> list[EnrolmentRequest]:
        lines = bring_back(self.suspension, by=self.world.owner)
        self.ana.refresh_from_db()
        return lines


class WhenSomebodyIsSuspended(Scene):
    def test_their_code_and_the_old_password_let_nobody_in_and_colleagues_get_in(self):
        before = self.world.password_at_microsoft(self.contoso)
        run = self.goes_and_is_out()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert run.kind == Run.Kind.SUSPENSION
        assert self.world.password_at_microsoft(self.contoso) != before
        assert not lets_in(self.world, self.contoso, self.phone)
        assert self.world.gets_in(self.contoso, self.ben)

    def test_inside_latchkey_everything_ends_at_once(self):
        self.ana.set_password("a very long password")
        self.ana.save()
        second_factor_of(self.world, self.ana)
        KeptCode.objects.create(
            reseller=self.world.reseller, technician=self.ana, account=self.contoso, sealed=b"an envelope"
        )
        self.goes()
        assert self.ana.status == Technician.Status.SUSPENDED
        assert self.ana.reach == Reach.NOTHING
        assert not self.ana.has_usable_password()
        assert not TotpDevice.objects.filter(user=self.ana).exists()
        assert not KeptCode.objects.live().exists()
        with pytest.raises(NotPermitted):
            reveal_password(self.ana, self.contoso, reason="work", outside=self.world.outside)

    def test_the_assignments_end_and_their_history_stays(self):
        self.goes()
        assert Assignment.objects.filter(technician=self.ana).count() == 2
        assert not Assignment.objects.live().filter(technician=self.ana).exists()

    def test_it_is_remembered_what_they_held_and_when_they_are_expected(self):
        day = timezone.now().date() + dt.timedelta(days=200)
        self.goes(expected_back_on=day)
        assert self.suspension.expected_back_on == day
        assert {held["account"] for held in self.suspension.accounts} == {str(self.contoso.pk), str(self.fabrikam.pk)}

    def test_what_they_were_still_to_enrol_is_off_the_list(self):
        EnrolmentRequest.objects.create(
            reseller=self.world.reseller, technician=self.ana, account=self.contoso, because="new_phone"
        )
        self.goes()
        assert not EnrolmentRequest.objects.open().exists()

    def test_they_are_no_way_in_for_the_guard_and_no_holder(self):
        self.goes()
        plan = offboard(self.ben, by=self.world.owner, reason="resigned").run
        assert {step.status for step in self.steps(plan)} == {StepState.BLOCKED}

    def steps(self, run: Run) -> list:
        return [self.world.step(run, StepKind.REMOVE_METHOD, account) for account in (self.contoso, self.fabrikam)]

    def test_nothing_can_be_given_to_them_or_changed(self):
        self.goes()
        with pytest.raises(BadInput, match="Suspended"):
            assign(self.ana, self.contoso, by=self.world.owner, reason="more")
        with pytest.raises(BadInput, match="is away"):
            change_technician(self.ana, by=self.world.owner, name="Anna")
        method = self.ana.authenticators.first().method
        with pytest.raises(BadInput, match="is away"):
            bind_authenticator(method, self.ana, by=self.world.owner, proof=Authenticator.Proof.SAID)

    def test_the_list_of_people_keeps_them_apart(self):
        self.goes()
        found = {show: set(technicians_like(self.world.owner, show=show)) for show in ("", "suspended", "left", "all")}
        assert self.ana not in found[""] | found["left"]
        assert found["suspended"] == {self.ana}
        assert self.ana in found["all"]


class WhoMaySuspend(Scene):
    def test_nobody_themselves_and_nobody_without_the_right(self):
        manager = self.world.technician("Mo", Role.MANAGER)
        for by, who in ((manager, manager), (self.ben, self.ana), (manager, self.world.owner)):
            with pytest.raises(NotPermitted):
                suspend(who, by=by, reason="leave")
        assert not Suspension.objects.exists()

    def test_no_manager_of_some_tenants(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        with pytest.raises(NotPermitted, match="every tenant of Ana"):
            suspend(self.ana, by=self.world.technician("Sia", Role.MANAGER, groups=[group]), reason="leave")

    def test_nobody_twice_and_nobody_who_left(self):
        self.goes()
        with pytest.raises(BadInput, match="suspended already"):
            preview_suspension(self.ana, by=self.world.owner)
        offboard(self.ben, by=self.world.owner, reason="resigned")
        self.ben.refresh_from_db()
        with pytest.raises(BadInput, match="has left already"):
            suspend(self.ben, by=self.world.owner, reason="leave")

    def test_nobody_without_a_reason_or_until_a_day_that_is_past(self):
        with pytest.raises(BadInput):
            suspend(self.ana, by=self.world.owner, reason=" ")
        with pytest.raises(BadInput, match="must lie ahead"):
            suspend(self.ana, by=self.world.owner, reason="leave", expected_back_on=dt.date(2020, 1, 1))


class IfTheLedgerCannotBeWritten(Scene):
    def test_nobody_is_suspended(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: object, **__: object) -> None:
            raise LedgerClosed("the ledger is closed")

        monkeypatch.setattr(suspending, "record", closed)
        with pytest.raises(LedgerClosed):
            self.goes()
        self.ana.refresh_from_db()
        assert self.ana.is_active
        assert Assignment.objects.live().filter(technician=self.ana).count() == 2
        assert not Run.objects.exists()


class WhenTheyComeBack(Scene):
    def test_they_are_active_with_the_same_accounts_and_have_everything_to_enrol(self):
        self.goes_and_is_out()
        lines = self.returns()
        assert self.ana.is_active
        held = Assignment.objects.live().filter(technician=self.ana)
        assert {assignment.account for assignment in held} == {self.contoso, self.fabrikam}
        assert {line.account for line in lines} == {self.contoso, self.fabrikam}
        assert {line.because for line in lines} == {EnrolmentRequest.Because.RETURNED}
        self.suspension.refresh_from_db()
        assert self.suspension.returned_by == self.world.owner

    def test_the_old_phone_is_of_no_use_and_the_new_enrolment_lets_them_in(self):
        self.goes_and_is_out()
        self.returns()
        assert not lets_in(self.world, self.contoso, self.phone)
        enrols_anew(self.world, self.ana, self.contoso)
        assert lets_in(self.world, self.contoso, phone_of(self.world, self.contoso, self.ana))

    def test_an_assignment_that_ran_out_meanwhile_does_not_come_back(self):
        soon = timezone.now() + dt.timedelta(days=1)
        Assignment.objects.filter(technician=self.ana, account=self.fabrikam).update(until_at=soon)
        self.goes_and_is_out()
        for held in self.suspension.accounts:
            if held["until"]:
                held["until"] = (timezone.now() - dt.timedelta(days=1)).isoformat()
        self.suspension.save()
        assert [given.account for given in what_comes_back(self.suspension)] == [self.contoso]
        self.returns()
        assert not Assignment.objects.live().filter(technician=self.ana, account=self.fabrikam).exists()

    def test_an_end_that_lies_ahead_is_kept(self):
        later = timezone.now() + dt.timedelta(days=100)
        Assignment.objects.filter(technician=self.ana, account=self.fabrikam).update(until_at=later)
        self.goes_and_is_out()
        self.returns()
        assert Assignment.objects.live().get(technician=self.ana, account=self.fabrikam).until_at == later

    def test_an_assignment_that_was_still_to_begin_begins_then(self):
        third = self.world.account(self.contoso.tenant, "third")
        later = timezone.now() + dt.timedelta(days=100)
        assign(self.ana, third, by=self.world.owner, reason="from May on", from_at=later)
        self.goes_and_is_out()
        assert not Assignment.objects.filter(technician=self.ana, account=third).exists()
        lines = self.returns()
        assert Assignment.objects.get(technician=self.ana, account=third).from_at == later
        assert third not in {line.account for line in lines}

    def test_nobody_enrols_again_where_a_guard_kept_the_old_one(self):
        alone = self.world.account(self.contoso.tenant, "alone")
        self.world.give(alone, self.ana)
        self.goes_and_is_out()
        lines = self.returns()
        assert alone not in {line.account for line in lines}
        assert Assignment.objects.live().filter(technician=self.ana, account=alone).exists()

    def test_twice_is_once(self):
        self.goes_and_is_out()
        self.returns()
        with pytest.raises(BadInput, match="is not suspended"):
            self.returns()

    def test_a_colleague_may_not_bring_them_back(self):
        self.goes()
        with pytest.raises(NotPermitted):
            bring_back(self.suspension, by=self.ben)

    def test_they_can_go_on_leave_again(self):
        self.goes_and_is_out()
        self.returns()
        self.goes_and_is_out()
        assert Suspension.objects.filter(technician=self.ana).count() == 2


class WhenTheyComeBackWhileTheRunStillWorks(Scene):
    def test_the_old_methods_go_all_the_same_and_everything_is_to_be_enrolled(self):
        run = self.goes().run
        lines = self.returns()
        assert len(lines) == 2
        self.world.work(run)
        assert not lets_in(self.world, self.contoso, self.phone)


class WhenSomebodyLeavesWhileSuspended(Scene):
    def test_they_can_be_offboarded_and_nothing_brings_them_back(self):
        self.goes_and_is_out()
        departure = offboard(self.ana, by=self.world.owner, reason="resigned")
        self.world.work(departure.run)
        self.ana.refresh_from_db()
        assert self.ana.status == Technician.Status.LEFT
        assert self.ana.left_at is not None
        with pytest.raises(BadInput, match="is not suspended"):
            self.returns()

    def test_the_departure_takes_what_the_suspension_had_not_taken_yet(self):
        self.goes()
        departure = offboard(self.ana, by=self.world.owner, reason="resigned")
        self.world.work(departure.run)
        assert not lets_in(self.world, self.contoso, self.phone)
        assert self.world.gets_in(self.contoso, self.ben)
