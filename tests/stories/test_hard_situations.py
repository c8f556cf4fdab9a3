"""Twenty hard situations of a departure, each by its name: what Microsoft can do to it, and what people can.

Ana leaves; she and Ben hold Contoso's shared account. Whatever happens, three things hold at the end: a password that
Latchkey knows is the one in force, nothing of Ben's was touched, and nothing is called done that is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from msp.microsoft.ports import MethodKind
from msp.simulator import administration
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.offboard import preview_departure
from technicians.models import Authenticator
from tenants.actions import rotate_password as rotating
from tenants.actions.observe_account import observe_account
from tenants.models import Finding, Run, SharedAccount, Target, Tenant
from tenants.plans import ACTS, Patience, RunState, StepKind, StepState
from tests.support.world import World

OUT = {StepState.VERIFIED, StepState.NEEDLESS}


class WhenADepartureIsHard:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> Iterator[None]:
        self.world, self.cloud, self.past_latchkey = world, world.cloud, False
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.tenant: Tenant = world.tenant("Contoso")
        self.account: SharedAccount = world.account(self.tenant)
        world.give(self.account, self.ana, self.ben)
        self.hers = world.phones[self.account.pk, self.ana.pk].method_id
        self.bens = world.phones[self.account.pk, self.ben.pk].method_id
        yield
        if self.account.object_id in self.cloud.tenant(self.directory_id).users:
            known = set(self.world.passwords_known(self.account).values())
            assert self.past_latchkey or self.world.password_at_microsoft(self.account) in known
            assert self.bens in self.world.methods_on(self.account)
        self.assert_nothing_false_is_said()

    def assert_nothing_false_is_said(self) -> None:
        run = Run.objects.order_by("started_at").first()
        assert run is not None
        removals = run.targets.get(account=self.account).steps.filter(kind=StepKind.REMOVE_METHOD)
        for step in removals.filter(status=StepState.VERIFIED).select_related("method"):
            assert step.method is not None
            assert step.method.directory_id not in self.world.methods_on(self.account)
        if self.world.state(run) in (RunState.CLEAN, RunState.CLEAN_SO_FAR):
            assert self.hers not in self.world.methods_on(self.account)
            assert self.world.gets_in(self.account, self.ben)

    @property
    def directory_id(self) -> str:
        return self.world.directory_id(self.account)

    def user(self):
        return self.cloud.user(self.directory_id, self.account.object_id)

    def leave(self, **patience: object) -> Run:
        self.run = self.world.offboard(self.ana).run
        outside = replace(self.world.outside, patience=Patience(**patience)) if patience else self.world.outside
        self.world.work(self.run, outside=outside)
        return self.run

    def go_on(self) -> None:
        Tenant.objects.update(busy_until=None)
        Target.objects.filter(run=self.run, due_at__isnull=False).update(due_at=timezone.now())
        self.world.work(self.run)

    def assert_out(self) -> None:
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR
        assert {self.world.steps(self.run)[kind] for kind in ACTS} <= OUT
        assert self.hers not in self.world.methods_on(self.account)

    def state_of(self, kind: StepKind) -> str:
        return self.world.steps(self.run)[kind]

    # What Microsoft can do to it

    def test_01_her_method_is_the_default(self):
        push = self.world.enrol(self.account, self.ana, "microsoft_authenticator")
        self.user().default = "push"
        self.leave()
        assert push.directory_id not in self.world.methods_on(self.account)
        assert self.user().default == "oath"

    def test_02_an_alternate_phone_goes_before_the_mobile_one(self):
        for which in ("mobile", "alternateMobile"):
            made = self.cloud.register(self.directory_id, self.account.object_id, "phone", phoneType=which)
            observe_account(self.account, outside=self.world.outside)
            method = self.account.methods.present().get(directory_id=made.id)
            bind_authenticator(method, self.ana, by=self.world.owner, proof=Authenticator.Proof.IMPORTED)
        self.leave()
        kinds = {str(method.kind) for method in self.cloud.methods(self.directory_id, self.account.object_id)}
        assert "phone" not in kinds
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR

    def test_03_somebody_has_removed_it_already(self):
        self.cloud.remove_method_as_person(self.directory_id, self.account.object_id, self.hers)
        self.leave()
        assert self.state_of(StepKind.REMOVE_METHOD) == StepState.NEEDLESS
        self.assert_out()

    def test_04_the_tenant_asks_for_patience_in_the_middle(self):
        self.cloud.faults.plan(kind="429", method="DELETE", times=1, delay=7)
        self.leave()
        assert self.world.state(self.run) == RunState.RUNNING
        self.go_on()
        self.assert_out()

    def test_05_the_answer_to_the_new_password_is_lost(self):
        self.cloud.faults.plan(kind="reset_after_effect", method="PATCH", times=1)
        self.leave()
        self.assert_out()
        assert self.cloud.effects.count(kind="password_changed", by="graph") == 1

    def test_06_the_tenants_rules_refuse_the_new_password(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(rotating, "new_password", lambda *_rules, **_named: "weak")
        self.leave()
        assert self.state_of(StepKind.ROTATE_PASSWORD) == StepState.REFUSED
        assert self.state_of(StepKind.REMOVE_METHOD) == StepState.VERIFIED
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION

    def test_07_the_account_holds_a_protected_role(self):
        self.cloud.consent(self.world.connection.client_id, self.directory_id, roles=["User Administrator"])
        self.leave()
        assert self.state_of(StepKind.ROTATE_PASSWORD) == StepState.REFUSED
        assert "role" in self.world.step(self.run, StepKind.ROTATE_PASSWORD).problem
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION

    def test_08_the_account_is_synced_from_a_local_directory(self):
        self.user().synced = True
        self.leave()
        assert self.state_of(StepKind.ROTATE_PASSWORD) == StepState.BLOCKED
        assert self.hers not in self.world.methods_on(self.account)
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION

    def test_09_the_account_is_disabled(self):
        administration.set_user(self.cloud, self.directory_id, self.account.object_id, {"enabled": False})
        self.leave()
        assert {self.world.steps(self.run)[kind] for kind in ACTS} == {StepState.VERIFIED}
        administration.set_user(self.cloud, self.directory_id, self.account.object_id, {"enabled": True})

    def test_10_the_account_was_deleted_and_made_anew(self):
        name = self.account.user_principal_name
        administration.remove_user(self.cloud, self.directory_id, name)
        anew = self.cloud.add_user(self.directory_id, name.partition("@")[0], password="Somebody-Elses-Pass-1!")
        self.leave()
        assert set(self.world.steps(self.run).values()) == {StepState.BLOCKED}
        assert "made anew" in self.world.step(self.run, StepKind.ROTATE_PASSWORD).problem
        assert anew.password == "Somebody-Elses-Pass-1!"

    def test_11_the_tenant_takes_its_consent_away(self):
        self.cloud.withdraw_consent(self.world.connection.client_id, self.directory_id)
        self.leave()
        assert set(self.world.steps(self.run).values()) == {StepState.BLOCKED}
        assert Finding.objects.open().filter(kind=Finding.Kind.NO_CONNECTION, tenant=self.tenant).exists()

    def test_12_readings_lag_behind(self):
        self.cloud.knobs.set(read_lag=30)
        self.leave(read_back=(1, 2, 4, 8, 15, 30))
        assert self.state_of(StepKind.REMOVE_METHOD) == StepState.ACCEPTED
        self.cloud.advance(31)
        self.go_on()
        self.assert_out()

    def test_13_microsoft_says_yes_and_does_nothing(self):
        self.cloud.knobs.set(lies=True)
        self.leave()
        assert {self.world.steps(self.run)[kind] for kind in ACTS} == {StepState.UNVERIFIED}
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION

    def test_14_a_kind_of_method_that_nobody_knows_is_there(self):
        self.cloud.register(self.directory_id, self.account.object_id, "future", "Something new")
        observe_account(self.account, outside=self.world.outside)
        self.leave()
        assert self.account.methods.present().filter(kind=MethodKind.UNKNOWN).exists()
        assert Finding.objects.open().filter(kind=Finding.Kind.UNKNOWN_METHOD, account=self.account).exists()

    def test_15_the_tenant_cannot_be_reached(self):
        self.cloud.knobs.set(tenant_id=self.directory_id, dead="reset")
        self.leave()
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        assert set(self.world.steps(self.run).values()) == {StepState.BLOCKED}

    # What people can do to it

    def test_16_it_is_the_last_way_in(self):
        fabrikam = self.world.account(self.world.tenant("Fabrikam"))
        self.world.give(fabrikam, self.ana)
        plan = preview_departure(self.ana, by=self.world.owner)
        assert [account.holding.account_id for account in plan.accounts if account.holds] == [fabrikam.pk]
        self.run = self.world.offboard(self.ana).run
        self.world.work(self.run)
        assert self.world.steps(self.run, fabrikam)[StepKind.REMOVE_METHOD] == StepState.BLOCKED
        assert self.world.phones[fabrikam.pk, self.ana.pk].method_id in self.world.methods_on(fabrikam)

    def test_17_a_colleague_enrols_meanwhile(self):
        cid = self.world.technician("Cid")
        self.run = self.world.offboard(self.ana).run
        self.world.give(self.account, cid)
        self.world.work(self.run)
        self.assert_out()
        assert self.world.gets_in(self.account, cid)

    def test_18_two_leave_from_the_same_account_in_two_runs(self):
        cid = self.world.technician("Cid")
        self.world.give(self.account, cid)
        self.run, other = self.world.offboard(self.ana).run, self.world.offboard(cid).run
        for run in (self.run, other, self.run):
            self.world.work(run)
        assert {self.world.state(run) for run in (self.run, other)} == {RunState.CLEAN_SO_FAR}
        assert self.world.methods_on(self.account) == {self.bens}
        assert self.cloud.effects.count(kind="password_changed", by="graph") == 1

    def test_19_somebody_changes_the_password_after_the_run(self):
        self.leave()
        self.assert_out()
        with time_machine.travel(timezone.now() + timedelta(minutes=66), tick=True):
            self.cloud.advance(66 * 60)
            self.cloud.change_password_as_person(self.directory_id, self.account.object_id, "Past-Latchkey-77!")
            self.past_latchkey = True
            self.world.work(self.run)
            assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        # Nobody here knows what is in force now, and the account says so.
        assert Finding.objects.open().filter(kind=Finding.Kind.PASSWORD_DOUBTFUL, account=self.account).exists()

    def test_20_a_strangers_method_grows_back_before_the_second_look(self):
        self.leave()
        self.assert_out()
        self.cloud.register(self.directory_id, self.account.object_id, "software_oath")
        with time_machine.travel(timezone.now() + timedelta(minutes=66), tick=True):
            self.world.work(self.run)
            assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        assert Finding.objects.open().filter(kind=Finding.Kind.UNKNOWN_METHOD, account=self.account).count() == 1
