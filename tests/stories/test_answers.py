"""Microsoft's answers, good and bad: lost, late, false, unfriendly. What Latchkey says is always true."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from msp.microsoft.graph import graph_directories
from tenants.actions import rotate_password as rotating
from tenants.actions.mend import retry_target, waive_step
from tenants.models import Finding, PasswordPolicy, Run, SharedAccount, Target, Tenant
from tenants.plans import Patience, RunState, StepKind, StepState
from tests.support.world import World

ACTS = {
    StepKind.ROTATE_PASSWORD: ("PATCH", r"/v1\.0/users/[^/]+$", "password_changed"),
    StepKind.REMOVE_METHOD: ("DELETE", r"/softwareOathMethods/", "method_removed"),
    StepKind.REVOKE_SESSIONS: ("POST", r"/revokeSignInSessions$", "sessions_revoked"),
}


class Scene:
    """Ana leaves; she and Ben hold Contoso's shared account."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.account: SharedAccount = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.hers = world.phones[self.account.pk, self.ana.pk].method_id

    def open(self) -> Run:
        self.run = self.world.offboard(self.ana).run
        return self.run

    def depart(self) -> None:
        self.world.work(self.open())

    def assert_out_and_true(self) -> None:
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR
        assert self.hers not in self.world.methods_on(self.account)
        assert self.world.passwords_known(self.account) == {"current": self.world.password_at_microsoft(self.account)}
        assert self.world.gets_in(self.account, self.ben)


@pytest.mark.parametrize("kind", ACTS)
class WhenTheAnswerIsLost(Scene):
    @pytest.mark.parametrize("how", ["timeout_after_effect", "reset_after_effect"])
    def test_after_the_effect_it_is_read_back_and_not_sent_again(self, kind: StepKind, how: str):
        method, path, effect = ACTS[kind]
        [fault] = self.world.cloud.faults.plan(kind=how, method=method, path=path, times=1, delay=0.1)
        self.depart()
        assert fault.struck == 1
        self.assert_out_and_true()
        assert self.world.cloud.effects.count(kind=effect, by="graph") == 1
        sent = [e for e in self.world.cloud.log if e.method == method and re.search(path, e.path)]
        assert len(sent) == 1

    @pytest.mark.parametrize("how", ["timeout_before", "reset_before"])
    def test_before_the_effect_it_is_read_back_and_then_sent_again(self, kind: StepKind, how: str):
        method, path, effect = ACTS[kind]
        [fault] = self.world.cloud.faults.plan(kind=how, method=method, path=path, times=1, delay=0.1)
        self.depart()
        assert fault.struck == 1
        self.assert_out_and_true()
        assert self.world.cloud.effects.count(kind=effect, by="graph") == 1

    def test_until_it_is_read_back_the_step_says_that_it_may_have_happened(self, kind: StepKind):
        method, path, _effect = ACTS[kind]
        self.world.cloud.faults.plan(kind="reset_after_effect", method=method, path=path, times=1)
        reading = self.world.cloud.faults.plan(kind="503", method="POST", path=r"/beta/\$batch$", skip=1, times=1)
        patient = replace(self.world.outside, patience=Patience())
        self.world.work(self.open(), outside=patient)
        assert reading[0].struck == 1
        assert self.world.step(self.run, kind).status == StepState.SENDING
        assert self.world.state(self.run) == RunState.RUNNING


class WhenTheAnswerToARotationIsLost(Scene):
    def test_both_passwords_are_kept_until_it_is_known_which_one_signs_in(self):
        old = self.world.password_at_microsoft(self.account)
        self.world.cloud.faults.plan(kind="reset_after_effect", method="PATCH", times=1)
        self.world.cloud.faults.plan(kind="503", method="POST", path=r"/beta/\$batch$", skip=1, times=1)
        self.world.work(self.open(), outside=replace(self.world.outside, patience=Patience()))
        known = self.world.passwords_known(self.account)
        assert known["current"] == old
        assert known["unverified"] == self.world.password_at_microsoft(self.account)


class WhenMicrosoftSaysYesAndDoesNothing(Scene):
    """The law of laws: no false success."""

    def test_the_run_needs_attention_and_no_step_is_verified(self):
        self.world.cloud.knobs.set(lies=True)
        self.depart()
        states = self.world.steps(self.run)
        assert {states[kind] for kind in ACTS} == {StepState.UNVERIFIED}
        assert states[StepKind.PROVE] == StepState.UNVERIFIED
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        assert Finding.objects.open().filter(kind=Finding.Kind.RUN_PROBLEM, account=self.account).exists()

    def test_the_old_password_stays_current_and_the_new_one_is_marked_unverified(self):
        self.world.cloud.knobs.set(lies=True)
        self.depart()
        known = self.world.passwords_known(self.account)
        assert known["current"] == self.world.password_at_microsoft(self.account)
        assert set(known) == {"current", "unverified"}

    def test_when_it_shows_after_all_the_step_becomes_verified(self):
        self.world.cloud.knobs.set(read_lag=3600)
        self.depart()
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        self.world.cloud.knobs.set(read_lag=0)
        self.world.cloud.advance(3601)
        Target.objects.filter(run=self.run).update(due_at=timezone.now())
        self.world.work(self.run)
        self.assert_out_and_true()


class WhenAReadingIsLate(Scene):
    def test_the_step_is_accepted_until_the_change_is_visible(self):
        self.world.cloud.knobs.set(read_lag=30)
        self.world.work(self.open(), outside=replace(self.world.outside, patience=Patience()))
        assert self.world.step(self.run, StepKind.REMOVE_METHOD).status == StepState.ACCEPTED
        assert self.world.state(self.run) == RunState.RUNNING


class WhenMicrosoftAsksForPatience(Scene):
    def test_nothing_is_sent_to_that_tenant_before_the_time_it_named(self):
        self.world.cloud.faults.plan(kind="429", method="DELETE", times=1, delay=40)
        self.depart()
        tenant = Tenant.objects.get(pk=self.account.tenant_id)
        assert tenant.busy_until is not None
        assert 35 < (tenant.busy_until - timezone.now()).total_seconds() <= 40
        assert self.world.step(self.run, StepKind.REMOVE_METHOD).status == StepState.PLANNED
        asked = len(self.world.cloud.log)
        self.world.work(self.run)
        assert len(self.world.cloud.log) == asked

    def test_afterwards_the_run_goes_on_where_it_was(self):
        self.world.cloud.faults.plan(kind="429", method="DELETE", times=1, delay=40)
        self.depart()
        Tenant.objects.update(busy_until=None)
        Target.objects.update(due_at=timezone.now())
        self.world.work(self.run)
        self.assert_out_and_true()
        assert self.world.cloud.effects.count(kind="password_changed", by="graph") == 1


class WhenTheTenantCannotBeReached(Scene):
    def test_after_enough_tries_a_person_is_asked_and_can_try_again(self):
        self.world.cloud.knobs.set(str(self.account.tenant.directory_id), dead="reset")
        self.depart()
        assert set(self.world.steps(self.run).values()) == {StepState.BLOCKED}
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        self.world.cloud.knobs.reset(str(self.account.tenant.directory_id))
        retry_target(self.run.targets.get(), by=self.world.owner)
        self.world.work(self.run)
        self.assert_out_and_true()


class WhenTheTenantHasWithdrawnItsConsent(Scene):
    def test_every_step_is_blocked_with_what_to_do_and_a_finding_says_so(self):
        self.world.cloud.withdraw_consent(next(iter(self.world.cloud.apps)), str(self.account.tenant.directory_id))
        self.depart()
        assert set(self.world.steps(self.run).values()) == {StepState.BLOCKED}
        assert "consent" in self.world.step(self.run, StepKind.ROTATE_PASSWORD).problem
        assert Finding.objects.open().filter(kind=Finding.Kind.NO_CONNECTION, tenant=self.account.tenant).exists()


class WhenMicrosoftRefusesThePassword(Scene):
    def test_another_candidate_is_tried(self, monkeypatch: pytest.MonkeyPatch):
        candidates = iter(["weak", "weaker", "Str0ng-enough-at-last!"])
        monkeypatch.setattr(rotating, "new_password", lambda *_rules, **_named: next(candidates))
        self.depart()
        self.assert_out_and_true()
        assert self.world.password_at_microsoft(self.account) == "Str0ng-enough-at-last!"

    def test_after_five_the_old_one_stands_and_the_authenticator_is_removed_all_the_same(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        old = self.world.password_at_microsoft(self.account)
        monkeypatch.setattr(rotating, "new_password", lambda *_rules, **_named: "weak")
        self.depart()
        states = self.world.steps(self.run)
        assert states[StepKind.ROTATE_PASSWORD] == StepState.REFUSED
        assert states[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION
        assert self.world.passwords_known(self.account) == {"current": old}
        assert self.world.password_at_microsoft(self.account) == old

    def test_a_person_can_accept_the_gap_and_the_run_says_so(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(rotating, "new_password", lambda *_rules, **_named: "weak")
        self.depart()
        waive_step(self.world.step(self.run, StepKind.ROTATE_PASSWORD), by=self.world.owner, reason="by hand today")
        step = self.world.step(self.run, StepKind.ROTATE_PASSWORD)
        assert (step.status, step.waived_by, step.waived_reason) == (
            StepState.WAIVED, self.world.owner, "by hand today",
        )  # fmt: skip


class WhenTheLeaversMethodIsTheDefault(Scene):
    def test_the_default_is_moved_to_a_method_that_stays(self):
        phone = self.world.enrol(self.account, self.ana, "microsoft_authenticator")
        user = self.world.cloud.user(str(self.account.tenant.directory_id), self.account.object_id)
        user.default = "push"
        self.depart()
        assert phone.directory_id not in self.world.methods_on(self.account)
        self.assert_out_and_true()
        assert user.default == "oath"


class WhenARefusedRotationIsTriedAgain(Scene):
    """The tenant's policy refused five candidates; somebody mended it."""

    @pytest.fixture(autouse=True)
    def _refused(self, _scene: None, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(rotating, "new_password", lambda *_rules, **_named: "weak")
            self.depart()
        assert self.world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.REFUSED

    def try_again(self) -> None:
        retry_target(self.run.targets.get(), by=self.world.owner)
        self.world.work(self.run)

    def test_a_new_candidate_is_made_and_the_run_becomes_clean_so_far(self):
        self.try_again()
        self.assert_out_and_true()

    def test_the_hand_over_and_the_proof_are_done_again(self):
        self.try_again()
        handed_over = self.run.targets.get().steps.filter(kind=StepKind.RESHARE).order_by("position")
        assert [step.status for step in handed_over] == [StepState.NEEDLESS, StepState.VERIFIED]
        proofs = self.run.targets.get().steps.filter(kind=StepKind.PROVE)
        assert [step.status for step in proofs] == [StepState.VERIFIED, StepState.VERIFIED]

    def test_the_second_look_comes_an_hour_after_the_new_act(self):
        before = self.world.step(self.run, StepKind.SECOND_LOOK).due_at
        with time_machine.travel(timezone.now() + timedelta(minutes=30), tick=True):
            self.try_again()
        after = self.world.step(self.run, StepKind.SECOND_LOOK).due_at
        assert after is not None and before is not None
        assert timedelta(minutes=29) < after - before < timedelta(minutes=31)

    def test_after_the_second_look_another_one_is_planned(self):
        with time_machine.travel(timezone.now() + timedelta(minutes=66), tick=True):
            self.world.work(self.run)
            assert self.world.step(self.run, StepKind.SECOND_LOOK).status == StepState.VERIFIED
            self.try_again()
            assert self.world.state(self.run) == RunState.CLEAN_SO_FAR
        with time_machine.travel(timezone.now() + timedelta(minutes=133), tick=True):
            self.world.work(self.run)
            assert self.world.state(self.run) == RunState.CLEAN


class WhenSomebodyElseChangesThePasswordWhileOurAnswerIsLost(Scene):
    """Our request never arrived, and a person at Microsoft's page changed the password in the same minute."""

    @pytest.fixture(autouse=True)
    def _lost(self, _scene: None) -> None:
        self.world.cloud.faults.plan(kind="reset_before", method="PATCH", times=1)
        self.world.cloud.faults.plan(kind="503", method="POST", path=r"/beta/\$batch$", skip=1, times=1)
        self.open()
        self.world.work(self.run)
        assert self.world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.SENDING
        self.world.cloud.change_password_as_person(
            self.world.directory_id(self.account), self.account.object_id, "Somebody-elses-1!"
        )
        PasswordPolicy.objects.create(reseller=self.world.reseller, sign_in_probe=True)
        Tenant.objects.update(busy_until=None)
        Target.objects.update(due_at=timezone.now())
        self.probing = replace(
            self.world.outside,
            directory_for=graph_directories(replace(self.world.connection, sign_in_probe=True)),
        )

    def test_where_probing_is_allowed_the_sign_in_tells_and_nothing_is_called_verified(self):
        self.world.work(self.run, outside=self.probing)
        step = self.world.step(self.run, StepKind.ROTATE_PASSWORD)
        assert step.status == StepState.UNVERIFIED
        assert "somebody else changed it" in step.problem
        assert self.world.state(self.run) == RunState.NEEDS_ATTENTION

    def test_it_stays_so_however_often_it_is_read_again(self):
        for _ in range(3):
            Target.objects.update(due_at=timezone.now())
            self.world.work(self.run, outside=self.probing)
        assert self.world.step(self.run, StepKind.ROTATE_PASSWORD).status == StepState.UNVERIFIED

    def test_trying_again_takes_the_account_back_with_a_new_password(self):
        self.world.work(self.run, outside=self.probing)
        retry_target(self.run.targets.get(), by=self.world.owner)
        self.world.work(self.run, outside=self.probing)
        self.assert_out_and_true()
        assert self.world.password_at_microsoft(self.account) != "Somebody-elses-1!"


class WhenProbingIsAllowedAndTheAnswerWasLostAfterItsEffect(Scene):
    def test_the_sign_in_confirms_what_the_time_says(self):
        probing = replace(
            self.world.outside,
            directory_for=graph_directories(replace(self.world.connection, sign_in_probe=True)),
        )
        PasswordPolicy.objects.create(reseller=self.world.reseller, sign_in_probe=True)
        self.world.cloud.faults.plan(kind="reset_after_effect", method="PATCH", times=1)
        self.open()
        self.world.work(self.run, outside=probing)
        self.assert_out_and_true()
        assert len([e for e in self.world.cloud.log if e.path.endswith("/token")]) > 1
