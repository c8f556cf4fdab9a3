"""Passwords change when their time has come, one account of a tenant after another, and never in the quiet hours."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from technicians.actions.assign import assign, end_assignment
from technicians.actions.ended_assignments import look_for_ended_assignments
from technicians.actions.reveal_password import reveal_password
from tenants.actions import rotate_password as rotating
from tenants.actions.change_due_passwords import change_due_passwords
from tenants.actions.demand_change import demand_change
from tenants.actions.plan_next_change import plan_next_changes
from tenants.actions.put_in_group import put_in_group
from tenants.actions.rotate import rotate
from tenants.models import (
    ChangeDemand,
    Finding,
    PasswordPolicy,
    Run,
    Secret,
    SecretVersion,
    SharedAccount,
    TenantGroup,
)
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World

DEMANDED = ChangeDemand.Because.PERSON


class Scene:
    """Contoso has three shared accounts."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ben = world.technician("Ben")
        self.contoso = world.tenant("Contoso")
        self.accounts: list[SharedAccount] = [world.account(self.contoso, f"admin{n}") for n in range(3)]
        self.account = self.accounts[0]

    def policy(self, **facts) -> None:
        PasswordPolicy.objects.create(reseller=self.world.reseller, **facts)
        plan_next_changes(list(Secret.objects.select_related("account__tenant")))

    def runs(self) -> list[Run]:
        return list(Run.objects.filter(kind=Run.Kind.ROTATION).order_by("started_at"))

    def next_change(self, account: SharedAccount) -> tuple[Any, str]:
        secret = Secret.objects.get(account=account)
        return secret.next_change_at, secret.next_change_because


class WhenAPasswordIsOldEnough(Scene):
    def test_it_changes_by_itself_and_the_next_change_is_planned_from_the_proof(self):
        self.policy(rotate_every_days=90)
        with time_machine.travel(timezone.now() + dt.timedelta(days=89)):
            assert change_due_passwords() == 0
        SecretVersion.objects.filter(secret__account=self.account).update(
            current_from=timezone.now() - dt.timedelta(days=91)
        )
        plan_next_changes(list(Secret.objects.select_related("account__tenant")))
        assert change_due_passwords() == 1
        [run] = self.runs()
        self.world.work(run)
        assert self.world.state(run) == RunState.CLEAN
        at, because = self.next_change(self.account)
        assert because == "schedule"
        assert dt.timedelta(days=89) < at - timezone.now() <= dt.timedelta(days=90)

    def test_called_again_it_begins_nothing_twice(self):
        demand_change(self.account, DEMANDED)
        assert [change_due_passwords(), change_due_passwords()] == [1, 0]
        assert len(self.runs()) == 1


class WhenSeveralAccountsOfATenantAreDue(Scene):
    def test_no_two_change_within_the_minutes_that_the_policy_sets(self):
        self.policy(stagger_minutes=20)
        for account in self.accounts:
            demand_change(account, DEMANDED)
        other = self.world.account(self.world.tenant("Fabrikam"))
        demand_change(other, DEMANDED)
        assert change_due_passwords() == 4
        [run] = self.runs()
        of_contoso: list[Any] = sorted(
            run.targets.filter(account__tenant=self.contoso).values_list("due_at", flat=True)
        )
        assert [b - a >= dt.timedelta(minutes=20) for a, b in itertools.pairwise(of_contoso)] == [True] * 2
        assert run.targets.filter(account=other, due_at__lte=timezone.now()).exists()

    def test_one_that_changed_a_moment_ago_is_kept_away_from(self):
        self.world.work(rotate([self.accounts[1]], by=self.world.owner, reason="quarter"))
        demand_change(self.account, DEMANDED)
        change_due_passwords()
        due_at: Any = self.runs()[-1].targets.get().due_at
        assert due_at - timezone.now() > dt.timedelta(minutes=14)
        self.world.work(self.runs()[-1])
        assert self.world.steps(self.runs()[-1])[StepKind.ROTATE_PASSWORD] == StepState.PLANNED


class WhenTheHoursAreQuiet(Scene):
    def test_what_is_due_waits_until_they_end(self):
        self.policy(quiet_from=dt.time(7), quiet_until=dt.time(19), quiet_zone="Europe/Berlin")
        with time_machine.travel(dt.datetime(2027, 1, 12, 9, 0, tzinfo=dt.UTC)):
            demand_change(self.account, DEMANDED)
            assert self.next_change(self.account)[0] == dt.datetime(2027, 1, 12, 18, 0, tzinfo=dt.UTC)
            assert change_due_passwords() == 0
        with time_machine.travel(dt.datetime(2027, 1, 12, 18, 0, 1, tzinfo=dt.UTC)):
            assert change_due_passwords() == 1

    def test_a_person_may_change_it_all_the_same(self):
        now = timezone.now()
        self.policy(quiet_from=(now - dt.timedelta(hours=1)).time(), quiet_until=(now + dt.timedelta(hours=1)).time())
        run = rotate([self.account], by=self.world.owner, reason="now")
        self.world.work(run)
        assert self.world.state(run) == RunState.CLEAN


class WhenAChangeFails(Scene):
    @pytest.fixture(autouse=True)
    def _failed(self, _scene: None, monkeypatch: pytest.MonkeyPatch) -> None:
        self.old = self.world.password_at_microsoft(self.account)
        demand_change(self.account, DEMANDED)
        change_due_passwords()
        with monkeypatch.context() as patched:
            patched.setattr(rotating, "new_password", lambda *_rules, **_named: "weak")
            self.world.work(self.runs()[0])

    def test_the_old_password_is_current_the_refused_ones_are_dead_and_a_finding_says_so(self):
        assert self.world.passwords_known(self.account) == {"current": self.old}
        statuses = list(SecretVersion.objects.filter(secret__account=self.account).values_list("status", flat=True))
        assert sorted(statuses) == ["current"] + ["dead"] * 5
        assert Finding.objects.open().filter(account=self.account, kind=Finding.Kind.ROTATION_FAILED).exists()

    def test_the_demand_stands_and_automation_leaves_the_rest_to_a_person(self):
        assert ChangeDemand.objects.open().count() == 1
        with time_machine.travel(timezone.now() + dt.timedelta(days=2)):
            assert change_due_passwords() == 0

    def test_once_it_is_changed_after_all_everything_is_resolved(self):
        self.world.work(rotate([self.account], by=self.world.owner, reason="again"))
        assert self.world.passwords_known(self.account) == {"current": self.world.password_at_microsoft(self.account)}
        assert not ChangeDemand.objects.open().exists()
        assert not Finding.objects.open().filter(account=self.account, kind=Finding.Kind.ROTATION_FAILED).exists()


class WhenAnAssignmentEnds(Scene):
    @pytest.fixture(autouse=True)
    def _given(self, _scene: None) -> None:
        self.assignment = assign(self.ben, self.account, by=self.world.owner, reason="project")

    def reveal(self) -> None:
        reveal_password(self.ben, self.account, reason="project", outside=self.world.outside)

    def test_what_the_person_fetched_must_change(self):
        self.reveal()
        end_assignment(self.assignment, by=self.world.owner)
        demand = ChangeDemand.objects.open().get()
        assert (demand.because, demand.detail) == (ChangeDemand.Because.ASSIGNMENT_END, "Ben")

    def test_what_the_person_never_fetched_stays(self):
        end_assignment(self.assignment, by=self.world.owner)
        assert not ChangeDemand.objects.exists()

    def test_the_policy_may_say_that_it_stays(self):
        self.policy(rotate_after_assignment_end=False)
        self.reveal()
        end_assignment(self.assignment, by=self.world.owner)
        assert not ChangeDemand.objects.exists()

    def test_one_that_runs_out_by_its_date_counts_too_and_once(self):
        self.reveal()
        self.assignment.until_at = timezone.now()
        self.assignment.save()
        assert [look_for_ended_assignments(), look_for_ended_assignments()] == [1, 0]

    def test_one_that_was_followed_by_another_does_not(self):
        self.reveal()
        self.assignment.until_at = timezone.now()
        self.assignment.save()
        assign(self.ben, self.account, by=self.world.owner, reason="goes on")
        assert look_for_ended_assignments() == 0


class WhenTheDemandIsMet(Scene):
    def test_only_by_another_value_that_is_proven(self):
        demand_change(self.account, DEMANDED)
        self.world.cloud.knobs.set(lies=True)
        self.world.work(rotate([self.account], by=self.world.owner, reason="again"))
        assert ChangeDemand.objects.open().exists()
        self.world.cloud.knobs.set(lies=False)

    def test_the_same_reason_twice_is_one_demand(self):
        assert [demand_change(self.account, DEMANDED), demand_change(self.account, DEMANDED)] == [True, False]

    def test_another_reason_is_another_and_both_are_met_at_once(self):
        demand_change(self.account, DEMANDED)
        demand_change(self.account, ChangeDemand.Because.REVEAL)
        self.world.work(rotate([self.account], by=self.world.owner, reason="again"))
        assert set(ChangeDemand.objects.values_list("met_by__number", flat=True)) == {2}


class WhenThePolicySaysWhatAPasswordLooksLike(Scene):
    def test_the_next_one_looks_like_that(self):
        self.policy(style="words", words=7)
        self.world.work(rotate([self.account], by=self.world.owner, reason="again"))
        assert self.world.password_at_microsoft(self.account).count("-") == 6

    def test_the_nearest_policy_counts(self):
        self.policy(length=30)
        PasswordPolicy.objects.create(reseller=self.world.reseller, tenant=self.contoso, length=40)
        PasswordPolicy.objects.create(reseller=self.world.reseller, account=self.account, length=50)
        other = self.world.account(self.world.tenant("Fabrikam"))
        self.world.work(rotate([*self.accounts[:2], other], by=self.world.owner, reason="again"))
        lengths = [len(self.world.password_at_microsoft(account)) for account in (*self.accounts[:2], other)]
        assert lengths == [50, 40, 30]

    def test_the_name_of_the_customer_is_never_in_it(self, monkeypatch: pytest.MonkeyPatch):
        seen: list[Any] = []
        really = rotating.new_password
        monkeypatch.setattr(
            rotating, "new_password", lambda rules, **named: seen.append(named["forbidden"]) or really(rules, **named)
        )
        self.world.work(rotate([self.account], by=self.world.owner, reason="again"))
        assert {"contoso", "admin0"} <= seen[0]

    def test_a_tenant_that_is_put_into_a_group_gets_the_groups_next_change(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        PasswordPolicy.objects.create(reseller=self.world.reseller, group=group, rotate_every_days=30)
        put_in_group("North", [self.contoso], by=self.world.owner)
        assert self.next_change(self.account)[1] == "schedule"
