"""A tenant in which Latchkey reads and changes nothing: a person runs a script, and what became of it is read."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from msp.microsoft.graph import graph_directories
from msp.outside import Outside
from technicians.actions.enter_password import enter_password
from technicians.actions.offboard import preview_departure
from technicians.actions.open_enrolments import open_enrolments
from technicians.models import Role
from tenants.actions.confirm_script import Confirmed, confirm_script
from tenants.actions.mend import retry_target
from tenants.actions.mfa_state import set_mfa_state
from tenants.actions.rotate import rotate
from tenants.actions.set_hands_off import set_hands_off
from tenants.actions.take_script import take_script
from tenants.models import DeparturePolicy, PasswordPolicy, Run, SecretVersion, SharedAccount, Step, Target, Tenant
from tenants.plans import ACTS, RunState, StepKind, StepState, hands_off
from tenants.script_plans import Script
from tenants.script_queries import script_page, scripted_tenants
from tests.support.world import World

TYPED = "Typed-At-The-Prompt-7"
BLOCKED = dict.fromkeys(("rotate_password", "remove_method", "revoke_sessions"), StepState.BLOCKED)
WAITING = dict.fromkeys(("prove", "reshare", "second_look"), StepState.BLOCKED)


class Scene:
    """Ana and Ben hold Contoso's shared account; at Contoso Latchkey may only read. Ana leaves."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.tenant: Tenant = world.tenant("Contoso")
        self.account: SharedAccount = world.account(self.tenant)
        world.give(self.account, self.ana, self.ben)
        set_hands_off(self.tenant, True, by=world.owner, reason="the customer's auditor asked for it")

    def leave(self) -> Run:
        run = self.world.offboard(self.ana).run
        self.world.work(run)
        return run

    def take(self, run: Run) -> Script:
        page = script_page(run, self.tenant, ways_in=self.world.outside.ways_in)
        return take_script(run, self.tenant, digest=page.script.digest, by=self.world.owner, outside=self.world.outside)

    def confirm(self, run: Run, outside: Outside | None = None) -> Confirmed:
        [found] = confirm_script(run, self.tenant, by=self.world.owner, outside=outside or self.world.outside)
        return found

    def user_at_microsoft(self):
        cloud = self.world.cloud
        return cloud.tenant(self.world.directory_id(self.account)), cloud.user(
            self.world.directory_id(self.account), self.account.object_id
        )

    def run_the_script(self, *, password: bool = True, method: bool = True, sessions: bool = True) -> None:
        """What an administrator's session does with it at Microsoft."""
        where, user = self.user_at_microsoft()
        if password:
            self.world.cloud.set_password(where, user, TYPED, by="administrator")
        if method:
            phone = self.world.phones[self.account.pk, self.ana.pk]
            self.world.cloud.remove_method_as_person(where.id, user.id, phone.method_id)
        if sessions:
            self.world.cloud.revoke(where, user, by="administrator")

    def enter(self, password: str = TYPED) -> None:
        said = {"by": self.ben, "reason": "typed at the script", "corrects": False}
        enter_password(self.account, password, **said, outside=self.world.outside)


class WhenSomebodyLeavesAHandsOffTenant(Scene):
    def test_the_preview_says_already_that_every_act_is_stopped(self):
        [account] = preview_departure(self.ana, by=self.world.owner).accounts
        assert {s.kind for s in account.steps if s.hold == hands_off()} == set(ACTS)
        assert not account.rotates
        assert account.removals == []

    def test_nothing_is_changed_at_microsoft(self):
        password, methods = self.world.password_at_microsoft(self.account), self.world.methods_on(self.account)
        self.leave()
        assert self.world.password_at_microsoft(self.account) == password
        assert self.world.methods_on(self.account) == methods

    def test_every_act_is_blocked_and_says_what_to_do(self):
        run = self.leave()
        assert self.world.steps(run) == BLOCKED | WAITING
        assert "Take the script" in self.world.step(run, StepKind.ROTATE_PASSWORD).problem
        assert self.world.state(run) == RunState.NEEDS_ATTENTION

    def test_the_account_was_read_so_that_the_effect_can_be_seen_later(self):
        run = self.leave()
        was = self.world.step(run, StepKind.ROTATE_PASSWORD).was
        assert was["password_changed_at"] == self.account_now().password_changed_at.isoformat()
        assert Target.objects.get(run=run).before is not None

    def account_now(self) -> SharedAccount:
        return SharedAccount.objects.get(pk=self.account.pk)

    def test_it_is_among_the_tenants_that_a_script_is_for(self):
        assert scripted_tenants(self.leave(), self.world.owner) == [self.tenant]


class WhenTheTenantBecomesHandsOffDuringARun(Scene):
    def test_what_is_not_sent_yet_is_stopped_right_before_it_would_be(self):
        set_hands_off(self.tenant, False, by=self.world.owner, reason="a try")
        run = self.world.offboard(self.ana).run
        set_hands_off(self.tenant, True, by=self.world.owner, reason="no more tries")
        password = self.world.password_at_microsoft(self.account)
        self.world.work(run)
        assert self.world.steps(run) == BLOCKED | WAITING
        assert self.world.password_at_microsoft(self.account) == password

    def test_trying_again_stops_it_again(self):
        run = self.leave()
        retry_target(Target.objects.get(run=run), by=self.world.owner)
        self.world.work(run)
        assert self.world.steps(run) == BLOCKED | WAITING


class WhenARotationIsAskedForThere(Scene):
    def test_it_is_blocked_too(self):
        run = rotate([self.account], by=self.world.owner, reason="the quarter is over")
        self.world.work(run)
        assert self.world.step(run, StepKind.ROTATE_PASSWORD).status == StepState.BLOCKED


class WhenSomethingElseWouldBeChangedThere(Scene):
    def test_no_token_is_made(self):
        with pytest.raises(BadInput, match="reads and changes nothing"):
            open_enrolments(self.ben, [self.account], by=self.ben, outside=self.world.outside)

    def test_the_demand_for_a_second_factor_stays(self):
        with pytest.raises(BadInput, match="reads and changes nothing"):
            set_mfa_state(self.account, "enforced", by=self.world.owner, outside=self.world.outside)


class WhenTheScriptIsTaken(Scene):
    def test_it_names_objects_and_no_secret(self):
        run = self.leave()
        script = self.take(run)
        assert self.account_id() in script.text
        assert self.world.phones[self.account.pk, self.ana.pk].method_id in script.text
        assert self.world.phones[self.account.pk, self.ben.pk].method_id not in script.text
        assert self.world.password_at_microsoft(self.account) not in script.text

    def account_id(self) -> str:
        return SharedAccount.objects.get(pk=self.account.pk).object_id

    def test_the_ledger_keeps_who_took_which(self):
        run = self.leave()
        script = self.take(run)
        entry = Entry.objects.get(verb="script.taken", run_id=run.pk)
        assert entry.facts["digest"] == script.digest
        assert len(entry.facts["steps"]) == 3

    def test_it_must_be_the_one_that_was_looked_at(self):
        run = self.leave()
        page = script_page(run, self.tenant, ways_in=self.world.outside.ways_in)
        Step.objects.filter(target__run=run, kind=StepKind.REMOVE_METHOD).update(
            status=StepState.WAIVED, waived_by=self.world.owner, waived_reason="closes"
        )
        with pytest.raises(BadInput, match="changed since you looked"):
            take_script(run, self.tenant, digest=page.script.digest, by=self.world.owner, outside=self.world.outside)

    def test_a_technician_may_not_take_it(self):
        run = self.leave()
        page = script_page(run, self.tenant, ways_in=self.world.outside.ways_in)
        with pytest.raises(NotPermitted):
            take_script(run, self.tenant, digest=page.script.digest, by=self.ben, outside=self.world.outside)

    def test_the_last_way_in_is_left_out(self):
        self.world.offboard(self.ben)
        run = self.leave()
        page = script_page(run, self.tenant, ways_in=self.world.outside.ways_in)
        kinds = {act.kind for account in page.plan.accounts for act in account.acts}
        assert StepKind.REMOVE_METHOD not in kinds
        assert any("last way in" in left.reason for left in page.plan.left_out)


class WhenTheScriptRan(Scene):
    def test_what_is_seen_is_verified_and_the_run_goes_on_to_its_proof(self):
        run = self.leave()
        self.take(run)
        self.run_the_script()
        self.enter()
        found = self.confirm(run)
        assert (len(found.verified), found.not_seen, found.problem) == (3, [], "")
        self.world.work(run)
        assert self.world.steps(run) == dict.fromkeys(BLOCKED, StepState.VERIFIED) | {
            "prove": StepState.VERIFIED,
            "reshare": StepState.VERIFIED,
            "second_look": StepState.PLANNED,
        }
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.world.gets_in(self.account, self.ben)

    def test_the_second_look_makes_it_clean(self):
        run = self.leave()
        self.take(run)
        self.run_the_script()
        self.enter()
        self.confirm(run)
        self.world.work(run)
        Step.objects.filter(target__run=run, kind=StepKind.SECOND_LOOK).update(due_at=timezone.now())
        Target.objects.filter(run=run).update(due_at=timezone.now())
        self.world.work(run)
        assert self.world.state(run) == RunState.CLEAN

    def test_the_new_password_is_known_as_read_back(self):
        run = self.leave()
        self.take(run)
        self.run_the_script()
        self.enter()
        self.confirm(run)
        version = SecretVersion.objects.get(secret__account=self.account, status="current")
        assert version.proof == SecretVersion.Proof.READ_BACK
        assert self.world.step(run, StepKind.ROTATE_PASSWORD).version == version

    def test_that_somebody_said_so_and_what_was_seen_are_two_entries(self):
        run = self.leave()
        self.take(run)
        self.run_the_script(password=False)
        self.confirm(run)
        assert Entry.objects.filter(verb="script.said_to_have_run", run_id=run.pk).count() == 1
        assert Entry.objects.filter(verb="step.verified", run_id=run.pk).count() == 2


class WhenTheOldPasswordIsToBeTried(Scene):
    def test_it_is_not_tried_before_the_script_ran(self):
        DeparturePolicy.objects.create(reseller=self.world.reseller, try_password=True)
        run = self.leave()
        assert self.world.step(run, StepKind.TRY_PASSWORD).status == StepState.BLOCKED
        self.take(run)
        self.run_the_script()
        self.enter()
        self.confirm(run)
        assert self.world.step(run, StepKind.TRY_PASSWORD).status == StepState.PLANNED


class WhenTheScriptIsSaidToHaveRunAndDidNot(Scene):
    def test_nothing_is_verified(self):
        run = self.leave()
        self.take(run)
        self.enter("A-Password-That-Is-Not-There-9")
        found = self.confirm(run)
        assert found.verified == []
        assert self.world.steps(run) == BLOCKED | WAITING
        assert self.world.state(run) == RunState.NEEDS_ATTENTION

    def test_without_the_new_password_its_change_is_not_verified(self):
        run = self.leave()
        self.take(run)
        self.run_the_script()
        found = self.confirm(run)
        assert {step.kind for step in found.verified} == {StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS}
        assert self.world.step(run, StepKind.ROTATE_PASSWORD).status == StepState.BLOCKED

    def test_half_of_it_leaves_the_other_half_and_the_proof_waits(self):
        run = self.leave()
        self.take(run)
        self.run_the_script(method=False)
        self.enter()
        self.confirm(run)
        self.world.work(run)
        assert self.world.step(run, StepKind.REMOVE_METHOD).status == StepState.BLOCKED
        assert self.world.step(run, StepKind.PROVE).status == StepState.BLOCKED
        self.run_the_script(password=False, sessions=False)
        self.confirm(run)
        self.world.work(run)
        assert self.world.step(run, StepKind.PROVE).status == StepState.VERIFIED

    def test_a_change_from_before_the_script_was_taken_is_somebody_elses(self):
        run = self.leave()
        where, user = self.user_at_microsoft()
        self.world.cloud.set_password(where, user, TYPED, by="the leaver")
        self.take(run)
        long_ago = self.world.step(run, StepKind.ROTATE_PASSWORD)
        long_ago.was = long_ago.was | {"script_taken_at": (timezone.now() + dt.timedelta(hours=1)).isoformat()}
        long_ago.save()
        self.enter()
        found = self.confirm(run)
        assert StepKind.ROTATE_PASSWORD not in {step.kind for step in found.verified}

    def test_where_the_policy_tries_the_sign_in_a_wrong_password_verifies_nothing(self):
        probing = graph_directories(replace(self.world.connection, sign_in_probe=True))
        PasswordPolicy.objects.create(reseller=self.world.reseller, sign_in_probe=True)
        run = self.leave()
        self.take(run)
        self.run_the_script()
        self.enter("Typed-Wrongly-Here-77")
        found = self.confirm(run, replace(self.world.outside, directory_for=probing))
        assert {step.kind for step in found.verified} == {StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS}

    def test_nobody_can_confirm_what_nobody_took(self):
        run = self.leave()
        with pytest.raises(BadInput, match="nobody took one"):
            self.confirm(run)


class WhenMicrosoftRefusesInAnOrdinaryTenant(Scene):
    """A protected role: the app may not change the password, a Global Administrator may."""

    def test_the_refused_step_can_be_scripted_and_is_verified_by_reading(self):
        set_hands_off(self.tenant, False, by=self.world.owner, reason="an ordinary tenant")
        run = self.leave()
        step = self.world.step(run, StepKind.ROTATE_PASSWORD)
        assert step.status == StepState.VERIFIED
        # As if Microsoft had said no to the password, and yes to the rest.
        Step.objects.filter(pk=step.pk).update(
            status=StepState.REFUSED, problem="A protected role.", was=step.was, version=None
        )
        self.take(run)
        self.run_the_script(method=False, sessions=False)
        self.enter()
        self.confirm(run)
        self.world.work(run)
        assert self.world.step(run, StepKind.ROTATE_PASSWORD).status == StepState.VERIFIED
        proofs = Step.objects.filter(target__run=run, kind=StepKind.PROVE)
        assert [proof.status for proof in proofs] == [StepState.VERIFIED, StepState.VERIFIED]


class WhoDecidesWhatLatchkeyMayDo(Scene):
    def test_a_technician_does_not(self):
        with pytest.raises(NotPermitted):
            set_hands_off(self.tenant, False, by=self.ben, reason="it is in my way")
        assert Tenant.objects.get(pk=self.tenant.pk).hands_off

    def test_a_manager_does_with_a_reason_that_is_kept(self):
        manager = self.world.technician("Mia", Role.MANAGER)
        with pytest.raises(BadInput, match="Say why"):
            set_hands_off(self.tenant, False, by=manager, reason=" ")
        set_hands_off(self.tenant, False, by=manager, reason="they changed their mind")
        assert Entry.objects.get(verb="tenant.hands_on").facts["reason"] == "they changed their mind"
        assert not Tenant.objects.get(pk=self.tenant.pk).hands_off
