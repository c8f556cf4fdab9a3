"""What Latchkey does not do: lock anybody out, touch a stranger's method, touch a break-glass account."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from technicians.actions.offboard import offboard, preview_departure
from technicians.models import Role
from tenants.actions.mend import retry_target
from tenants.actions.observe_account import observe_account
from tenants.models import Finding, Target, Tenant, TenantGroup
from tenants.plans import Patience, RunState, StepKind, StepState
from tests.support.world import World


@pytest.fixture
def ana(world: World):
    return world.technician("Ana")


@pytest.fixture
def ben(world: World):
    return world.technician("Ben")


@pytest.fixture
def account(world: World):
    return world.account(world.tenant("Contoso"))


class WhenTheLeaverIsTheLastWayIn:
    """Ben has the account too, but never enrolled an authenticator of his own."""

    @pytest.fixture(autouse=True)
    def _scene(self, world, ana, ben, account):
        world.give(account, ana)
        world.give(account, ben)
        world.cloud.remove_method_as_person(
            world.directory_id(account), account.object_id, world.phones[account.pk, ben.pk].method_id
        )
        observe_account(account, outside=world.outside)

    def test_the_preview_says_so(self, world, ana, account):
        [planned] = preview_departure(ana, by=world.owner).accounts
        assert len(planned.holds) == 1
        assert "last way in" in planned.holds[0]
        assert planned.removals == []
        assert [(r.name, r.has_method) for r in planned.holding.remaining] == [("Ben", False)]

    def test_the_authenticator_stays_and_the_password_changes_all_the_same(self, world, ana, account):
        before, old = world.methods_on(account), world.password_at_microsoft(account)
        run = world.offboard(ana).run
        world.work(run)
        assert world.methods_on(account) == before
        assert world.password_at_microsoft(account) != old
        states = world.steps(run)
        assert states[StepKind.REMOVE_METHOD] == StepState.BLOCKED
        assert states[StepKind.ROTATE_PASSWORD] == StepState.VERIFIED
        assert world.state(run) == RunState.NEEDS_ATTENTION
        assert "last way in" in world.step(run, StepKind.REMOVE_METHOD).problem

    def test_once_a_colleague_has_enrolled_it_can_be_tried_again(self, world, ana, ben, account):
        run = world.offboard(ana).run
        world.work(run)
        world.enrol(account, ben)
        retry_target(run.targets.get(), by=world.owner)
        world.work(run)
        assert world.state(run) == RunState.CLEAN_SO_FAR
        assert world.gets_in(account, ben)


class WhenTheLastColleagueLosesTheAuthenticatorWhileTheRunIsUnderWay:
    def test_the_guard_asks_again_right_before_the_act(self, world, ana, ben, account):
        world.give(account, ana, ben)
        run = world.offboard(ana).run
        assert world.step(run, StepKind.REMOVE_METHOD).status == StepState.PLANNED
        world.cloud.remove_method_as_person(
            world.directory_id(account), account.object_id, world.phones[account.pk, ben.pk].method_id
        )
        world.work(run)
        assert world.step(run, StepKind.REMOVE_METHOD).status == StepState.BLOCKED
        assert world.phones[account.pk, ana.pk].method_id in world.methods_on(account)


class WhenAColleagueIsOffboardedToo:
    def test_methods_of_other_leavers_do_not_count_as_a_way_in(self, world, ana, ben, account):
        world.give(account, ana, ben)
        first, second = world.offboard(ana).run, world.offboard(ben).run
        world.work(first)
        world.work(second)
        assert len(world.methods_on(account)) == 2
        assert world.step(first, StepKind.REMOVE_METHOD).status == StepState.BLOCKED
        assert world.step(second, StepKind.REMOVE_METHOD).status == StepState.BLOCKED


class WhenSomebodyEnrolsDuringTheRun:
    def test_the_new_method_is_left_alone(self, world, ana, ben, account):
        world.give(account, ana, ben)
        cid = world.technician("Cid")
        run = world.offboard(ana).run
        world.give(account, cid)
        world.work(run)
        assert world.phones[account.pk, cid.pk].method_id in world.methods_on(account)
        assert world.gets_in(account, ben)
        assert world.gets_in(account, cid)
        assert world.state(run) == RunState.CLEAN_SO_FAR


class WhenAStrangersMethodAppearsDuringTheRun:
    def test_the_run_needs_attention_and_a_finding_names_it(self, world, ana, ben, account):
        world.give(account, ana, ben)
        run = world.offboard(ana).run
        # The first reading is the run's own "before"; what appears after it was registered by nobody here.
        fault = world.cloud.faults.plan(kind="429", method="PATCH", times=1, delay=1)
        world.work(run)
        assert fault[0].struck == 1
        world.cloud.register(world.directory_id(account), account.object_id, "software_oath")
        Tenant.objects.update(busy_until=None)
        Target.objects.update(due_at=timezone.now())
        world.work(run)
        assert world.step(run, StepKind.PROVE).status == StepState.UNVERIFIED
        assert world.state(run) == RunState.NEEDS_ATTENTION
        assert Finding.objects.open().filter(kind=Finding.Kind.UNKNOWN_METHOD, account=account).count() == 1


class WhenTheAccountIsBreakGlass:
    def test_nothing_is_sent_and_every_step_says_why(self, world, ana, ben):
        account = world.account(world.tenant("Contoso"), break_glass=True)
        world.give(account, ana, ben)
        world.cloud.log.clear()
        run = world.offboard(ana).run
        world.work(run)
        assert len(world.cloud.log) == 0
        assert set(world.steps(run).values()) == {StepState.BLOCKED}
        assert "break-glass" in world.step(run, StepKind.ROTATE_PASSWORD).problem
        with pytest.raises(BadInput, match="break-glass"):
            retry_target(run.targets.get(), by=world.owner)


class WhenTheAccountIsSynced:
    def test_the_password_is_blocked_and_the_rest_is_done(self, world, ana, ben, account):
        world.give(account, ana, ben)
        world.cloud.user(world.directory_id(account), account.object_id).synced = True
        run = world.offboard(ana).run
        world.work(run)
        states = world.steps(run)
        assert states[StepKind.ROTATE_PASSWORD] == StepState.BLOCKED
        assert states[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert states[StepKind.RESHARE] == StepState.NEEDLESS


class WhenTheMethodIsGoneBeforeWeCome:
    def test_its_removal_is_needless(self, world, ana, ben, account):
        world.give(account, ana, ben)
        run = world.offboard(ana).run
        world.cloud.remove_method_as_person(
            world.directory_id(account), account.object_id, world.phones[account.pk, ana.pk].method_id
        )
        world.work(run)
        assert world.step(run, StepKind.REMOVE_METHOD).status == StepState.NEEDLESS
        assert world.state(run) == RunState.CLEAN_SO_FAR


class WhenAnAccountIsNotThereAnyMore:
    def test_the_target_is_blocked_and_the_others_go_on(self, world, ana, ben, account):
        other = world.account(world.tenant("Fabrikam"))
        world.give(account, ana, ben)
        world.give(other, ana, ben)
        tenant = world.cloud.tenant(world.directory_id(account))
        del tenant.users[account.object_id]
        run = world.offboard(ana).run
        world.work(run)
        assert set(world.steps(run, account).values()) == {StepState.BLOCKED}
        assert world.steps(run, other)[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert Finding.objects.open().filter(kind=Finding.Kind.ACCOUNT_MISSING, account=account).exists()


class WhoMayOffboardWhom:
    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_only_owners_and_managers(self, world, ana, role):
        other = world.technician("Otto", role)
        with pytest.raises(NotPermitted):
            offboard(ana, by=other, reason="x")
        ana.refresh_from_db()
        assert ana.is_active

    def test_a_manager_of_some_tenants_only_may_not(self, world, ana, account):
        group = TenantGroup.objects.create(reseller=world.reseller, name="North")
        scoped = world.technician("Mona", Role.MANAGER, groups=[group])
        with pytest.raises(NotPermitted, match="some tenants"):
            offboard(ana, by=scoped, reason="x")

    def test_nobody_offboards_themselves(self, world):
        with pytest.raises(NotPermitted, match="themselves"):
            offboard(world.owner, by=world.owner, reason="x")

    def test_a_manager_may_not_offboard_an_owner(self, world):
        manager = world.technician("Mona", Role.MANAGER)
        with pytest.raises(NotPermitted, match="owner"):
            offboard(world.owner, by=manager, reason="x")

    def test_a_reason_is_needed_and_nothing_is_half_done_without_one(self, world, ana):
        with pytest.raises(BadInput, match="reason"):
            offboard(ana, by=world.owner, reason="  ")
        ana.refresh_from_db()
        assert ana.is_active

    def test_somebody_who_left_cannot_leave_again(self, world, ana):
        offboard(ana, by=world.owner, reason="x")
        with pytest.raises(BadInput, match="left already"):
            offboard(ana, by=world.owner, reason="x")


class WhenAnotherRunIsReadingItsRotationBack:
    """Two departures meet on one account, and the first one's new password is not visible yet."""

    def test_the_second_waits_instead_of_changing_the_password_too(self, world, ana, ben, account):
        cid = world.technician("Cid")
        world.give(account, ana, ben, cid)
        first, second = world.offboard(ana).run, world.offboard(ben).run
        world.cloud.knobs.set(read_lag=30)
        world.work(first, outside=replace(world.outside, patience=Patience()))
        assert world.step(first, StepKind.ROTATE_PASSWORD).status == StepState.ACCEPTED
        world.work(second)
        assert world.step(second, StepKind.ROTATE_PASSWORD).status == StepState.PLANNED
        assert world.state(second) == RunState.RUNNING

        world.cloud.knobs.set(read_lag=0)
        world.cloud.advance(31)
        for _ in range(3):
            Target.objects.filter(due_at__lt=timezone.now() + timedelta(minutes=1)).update(due_at=timezone.now())
            world.work(first)
            world.work(second)
        assert world.state(first) == world.state(second) == RunState.CLEAN_SO_FAR
        assert world.step(second, StepKind.ROTATE_PASSWORD).status == StepState.NEEDLESS
        assert world.cloud.effects.count(kind="password_changed", by="graph") == 1
