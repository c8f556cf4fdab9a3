"""A shared account that is not at Microsoft: people do the steps, the engine keeps order, guards and secrets."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from django.utils import timezone

from msp.errors import BadInput, NoConnection, NotPermitted
from msp.ledger.models import Entry
from msp.microsoft.ports import MethodKind
from msp.outside import Outside
from technicians.actions.assign import assign
from technicians.actions.enrol import begin_enrolment
from technicians.actions.offboard import offboard
from technicians.actions.reveal_candidate import reveal_candidate
from technicians.actions.reveal_password import reveal_password
from technicians.actions.state_authenticator import state_authenticator
from technicians.models import Authenticator, Reveal, Role, Technician
from tenants.actions.add_accounts import NewAccount, add_accounts
from tenants.actions.add_place import NewPlace, add_place
from tenants.actions.change_due_passwords import change_due_passwords
from tenants.actions.control_run import cancel_run, pause_run, resume_run
from tenants.actions.demand_change import demand_change
from tenants.actions.mend import retry_target, waive_step
from tenants.actions.observe_tenant import observe_tenant
from tenants.actions.read_due_accounts import ask_for_due_readings
from tenants.actions.rotate import rotate
from tenants.actions.state_step import prepare_password, state_done, state_failed
from tenants.actions.work_target import work_target
from tenants.guided_queries import tasks_of
from tenants.models import (
    ChangeDemand,
    Customer,
    Finding,
    Method,
    Run,
    SecretVersion,
    SharedAccount,
    Step,
    Target,
    Tenant,
)
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World

OLD = "Old-Firewall-Password-1"


def never_asked(*_way: object) -> object:
    raise AssertionError("A directory was asked for a place that has none.")


class Scene:
    """Ana and Ben look after Contoso's firewall, each with a second factor there. Olga is their owner."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.outside: Outside = dataclasses.replace(
            world.outside, directory_for=never_asked, reader_for=never_asked, registrar_for=never_asked
        )
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.customer = Customer.objects.create(reseller=world.reseller, name="Contoso")
        self.place = add_place(
            self.customer,
            NewPlace("Contoso firewall", Tenant.System.FIREWALL, "https://fw.contoso.example/"),
            by=world.owner,
        )
        [self.account] = add_accounts(
            [NewAccount(self.place, "admin", owner="Ben", password=OLD)],
            by=world.owner,
            outside=world.outside,
            source="entered",
        )
        for person in (self.ana, self.ben):
            assign(person, self.account, by=world.owner, reason="on the team")
            state_authenticator(
                self.account, person, kind=MethodKind.SOFTWARE_OATH, label=f"{person.name}'s phone", by=world.owner
            )

    def leave(self) -> Run:
        run = offboard(self.ana, by=self.world.owner, reason="resigned").run
        self.work(run)
        return run

    def work(self, run: Run) -> None:
        Target.objects.filter(run=run).update(due_at=timezone.now())
        for target_id in run.targets.values_list("pk", flat=True):
            work_target(target_id, outside=self.outside)

    def step(self, run: Run, kind: StepKind) -> Step:
        return Step.objects.select_related("target__account__tenant", "method").get(target__run=run, kind=kind)

    def show(self, run: Run, by: Technician | None = None) -> str:
        step = self.step(run, StepKind.ROTATE_PASSWORD)
        return reveal_candidate(step, by=by or self.ben, outside=self.outside).password

    def done(self, run: Run, kind: StepKind, by: Technician | None = None, note: str = "looked") -> None:
        state_done(self.step(run, kind), by=by or self.ben, note=note, outside=self.outside)

    def failed(self, run: Run, kind: StepKind, by: Technician | None = None, reason: str = "it says no") -> None:
        state_failed(self.step(run, kind), by=by or self.ben, reason=reason, outside=self.outside)

    def state(self, run: Run) -> str:
        return self.world.state(run)


class WhenSomebodyLeavesAGuidedPlace(Scene):
    def test_the_password_waits_for_a_person_and_everything_else_for_the_password(self):
        run = self.leave()
        assert self.world.steps(run) == dict.fromkeys(
            ("rotate_password", "remove_method", "revoke_sessions", "prove", "reshare", "second_look"),
            StepState.PLANNED,
        )
        [task] = tasks_of(self.ben)
        assert (task.step.kind, task.account) == (StepKind.ROTATE_PASSWORD, self.account)
        assert self.state(run) == RunState.RUNNING

    def test_it_has_a_deadline_like_every_account(self):
        assert Target.objects.get(run=self.leave()).deadline_at is not None

    def test_only_the_leavers_second_factor_is_to_go(self):
        method = self.step(self.leave(), StepKind.REMOVE_METHOD).method
        assert method.authenticator.technician == self.ana

    def test_nobody_can_jump_the_order(self):
        run = self.leave()
        with pytest.raises(BadInput, match="not this step's turn"):
            self.done(run, StepKind.REMOVE_METHOD)
        assert self.step(run, StepKind.REMOVE_METHOD).status == StepState.PLANNED

    def test_the_new_password_must_be_shown_before_it_can_be_said_to_be_set(self):
        run = self.leave()
        with pytest.raises(BadInput, match="Show the new password first"):
            self.done(run, StepKind.ROTATE_PASSWORD)


class WhenTheNewPasswordIsShown(Scene):
    def test_it_was_kept_before(self):
        run = self.leave()
        version = prepare_password(self.step(run, StepKind.ROTATE_PASSWORD), by=self.ben, outside=self.outside)
        assert version.status == SecretVersion.Status.CANDIDATE
        shown = self.show(run)
        version.refresh_from_db()
        assert version.status == SecretVersion.Status.UNVERIFIED
        assert self.world.outside.vault.open(bytes(version.sealed), version.place).decode() == shown

    def test_it_may_be_in_force_from_then_on_and_the_old_one_stays_known(self):
        run = self.leave()
        new = self.show(run)
        assert self.world.passwords_known(self.account) == {"current": OLD, "unverified": new}
        assert self.step(run, StepKind.ROTATE_PASSWORD).status == StepState.SENDING
        shown = reveal_password(self.ben, self.account, reason="which one", outside=self.outside)
        assert {one.password for one in shown} == {OLD, new}

    def test_every_showing_is_a_reveal_of_its_own_with_the_same_password(self):
        run = self.leave()
        assert self.show(run) == self.show(run)
        assert Reveal.objects.filter(technician=self.ben, version__status="unverified").count() == 2
        assert Entry.objects.filter(verb="password.revealed", account_id=self.account.pk).count() == 2
        assert SecretVersion.objects.filter(secret__account=self.account).count() == 2

    def test_who_does_not_hold_the_account_does_not_see_it(self):
        run = self.leave()
        with pytest.raises(NotPermitted, match="not assigned"):
            self.show(run, by=self.world.owner)
        assert self.step(run, StepKind.ROTATE_PASSWORD).status == StepState.PLANNED

    def test_the_leaver_sees_nothing(self):
        run = self.leave()
        with pytest.raises(NotPermitted):
            self.show(run, by=Technician.objects.get(pk=self.ana.pk))

    def test_no_other_run_changes_it_meanwhile(self):
        run = self.leave()
        self.show(run)
        other = rotate([self.account], by=self.world.owner, reason="the quarter is over")
        self.work(other)
        with pytest.raises(BadInput, match="not settled yet"):
            self.show(other)


class WhenEverythingIsStated(Scene):
    def stated(self) -> Run:
        run = self.leave()
        self.new = self.show(run)
        for kind in (StepKind.ROTATE_PASSWORD, StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS):
            self.done(run, kind)
        return run

    def test_somebody_else_has_to_confirm_it(self):
        run = self.stated()
        with pytest.raises(BadInput, match="four eyes"):
            self.done(run, StepKind.PROVE)
        self.done(run, StepKind.PROVE, by=self.world.owner)
        assert self.step(run, StepKind.PROVE).stated_by == self.world.owner

    def test_a_confirmation_says_how_it_was_looked(self):
        run = self.stated()
        with pytest.raises(BadInput, match="how you looked"):
            self.done(run, StepKind.PROVE, by=self.world.owner, note=" ")

    def test_nothing_is_ever_called_verified_and_the_run_is_clean_with_exceptions_at_best(self):
        run = self.stated()
        self.done(run, StepKind.PROVE, by=self.world.owner)
        assert self.world.steps(run) == dict.fromkeys(
            ("rotate_password", "remove_method", "revoke_sessions", "prove", "reshare"), StepState.STATED
        ) | {"second_look": StepState.NEEDLESS}
        assert self.state(run) == RunState.CLEAN_WITH_EXCEPTIONS
        assert tasks_of(self.ben) == []
        self.work(run)
        assert Target.objects.get(run=run).due_at is None

    def test_the_new_password_is_in_force_by_a_persons_word(self):
        self.stated()
        version = SecretVersion.objects.get(secret__account=self.account, status="current")
        assert version.proof == SecretVersion.Proof.PERSON
        assert self.world.passwords_known(self.account) == {"current": self.new}

    def test_the_leavers_second_factor_is_gone_and_the_others_stay(self):
        self.stated()
        present = Authenticator.objects.on_the_account().filter(method__account=self.account)
        assert [key.technician for key in present] == [self.ben]

    def test_who_stated_what_is_in_the_ledger(self):
        run = self.stated()
        entries = Entry.objects.filter(verb="step.stated", run_id=run.pk, actor_id=str(self.ben.pk))
        assert sorted(entry.facts["kind"] for entry in entries) == sorted(
            ["rotate_password", "remove_method", "revoke_sessions"]
        )

    def test_who_confirms_can_say_that_it_is_not_so(self):
        run = self.stated()
        self.failed(run, StepKind.PROVE, by=self.world.owner, reason="the old password still signs in")
        step = self.step(run, StepKind.PROVE)
        assert step.status == StepState.UNVERIFIED
        assert "the old password still signs in" in step.problem
        assert self.state(run) == RunState.NEEDS_ATTENTION
        self.done(run, StepKind.PROVE, by=self.world.owner, note="now it is refused")
        assert self.state(run) == RunState.CLEAN_WITH_EXCEPTIONS


class WhenAStepCouldNotBeDone(Scene):
    def test_the_old_password_still_stands_and_the_next_step_opens(self):
        run = self.leave()
        self.show(run)
        self.failed(run, StepKind.ROTATE_PASSWORD, reason="the firewall takes 16 characters at most")
        assert self.world.passwords_known(self.account) == {"current": OLD}
        assert self.step(run, StepKind.ROTATE_PASSWORD).status == StepState.REFUSED
        assert Finding.objects.open().filter(kind=Finding.Kind.ROTATION_FAILED, account=self.account).exists()
        assert tasks_of(self.ben)[0].step.kind == StepKind.REMOVE_METHOD

    def test_it_is_tried_again_with_another_password(self):
        run = self.leave()
        first = self.show(run)
        self.failed(run, StepKind.ROTATE_PASSWORD)
        retry_target(Target.objects.get(run=run), by=self.world.owner)
        self.work(run)
        assert self.show(run) != first
        self.done(run, StepKind.ROTATE_PASSWORD)
        assert not Finding.objects.open().filter(kind=Finding.Kind.ROTATION_FAILED).exists()

    def test_a_reason_is_needed(self):
        run = self.leave()
        with pytest.raises(BadInput, match="Say why"):
            self.failed(run, StepKind.ROTATE_PASSWORD, reason=" ")

    def test_a_gap_that_is_accepted_lets_the_run_end(self):
        run = self.leave()
        for kind in (StepKind.ROTATE_PASSWORD, StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS):
            self.failed(run, kind, reason="the device is switched off")
        for step in Step.objects.filter(target__run=run, status=StepState.REFUSED):
            waive_step(step, by=self.world.owner, reason="it goes to the scrapyard")
        self.work(run)
        assert self.step(run, StepKind.PROVE).status == StepState.NEEDLESS
        assert self.state(run) == RunState.CLEAN_WITH_EXCEPTIONS


class WhenTheLeaverHasTheLastSecondFactor(Scene):
    def test_the_guard_keeps_it_and_says_so(self):
        Authenticator.objects.filter(technician=self.ben).delete()
        run = self.leave()
        self.show(run)
        self.done(run, StepKind.ROTATE_PASSWORD)
        step = self.step(run, StepKind.REMOVE_METHOD)
        assert step.status == StepState.BLOCKED
        assert "last way in" in step.problem

    def test_the_guard_asks_again_when_the_turn_comes(self):
        run = self.leave()
        Authenticator.objects.filter(technician=self.ben).delete()
        self.show(run)
        self.done(run, StepKind.ROTATE_PASSWORD)
        assert self.step(run, StepKind.REMOVE_METHOD).status == StepState.BLOCKED
        assert tasks_of(self.ben)[0].step.kind == StepKind.REVOKE_SESSIONS


class WhenTheRunIsHeldOrEnded(Scene):
    def test_nothing_new_is_begun_while_it_is_paused(self):
        run = self.leave()
        pause_run(run, by=self.world.owner, reason="audit")
        with pytest.raises(BadInput, match="paused"):
            self.show(run)
        resume_run(Run.objects.get(pk=run.pk), by=self.world.owner)
        assert self.show(run)

    def test_what_was_begun_can_still_be_stated(self):
        run = self.leave()
        self.show(run)
        pause_run(run, by=self.world.owner, reason="audit")
        self.done(run, StepKind.ROTATE_PASSWORD)
        assert self.step(run, StepKind.ROTATE_PASSWORD).status == StepState.STATED

    def test_a_cancelled_run_asks_nobody_for_anything(self):
        run = self.leave()
        cancel_run(run, by=self.world.owner, reason="they stay after all")
        self.work(run)
        assert set(self.world.steps(run).values()) == {StepState.CANCELLED}
        assert tasks_of(self.ben) == []
        assert self.state(run) == RunState.CANCELLED

    def test_what_was_shown_before_the_end_has_to_be_stated_all_the_same(self):
        run = self.leave()
        self.show(run)
        cancel_run(run, by=self.world.owner, reason="they stay after all")
        self.work(run)
        assert tasks_of(self.ben)[0].step.kind == StepKind.ROTATE_PASSWORD
        self.done(run, StepKind.ROTATE_PASSWORD)
        assert self.step(run, StepKind.RESHARE).status == StepState.STATED


class WhenAPasswordIsDueInAGuidedPlace(Scene):
    def test_a_rotation_begins_and_waits_for_a_person(self):
        demand_change(self.account, ChangeDemand.Because.PERSON)
        assert change_due_passwords() == 1
        run = Run.objects.get(kind=Run.Kind.ROTATION)
        self.work(run)
        self.show(run)
        self.done(run, StepKind.ROTATE_PASSWORD)
        assert not ChangeDemand.objects.open().exists()


class WhenLatchkeyReadsByTheClock(Scene):
    def test_it_leaves_the_place_out(self):
        assert ask_for_due_readings(dt.timedelta(hours=1)) == 0

    def test_whoever_asks_for_a_reading_is_told_that_there_is_none(self):
        account = SharedAccount.objects.select_related("tenant").get(pk=self.account.pk)
        reading = observe_tenant([account], outside=self.outside)
        assert "no Microsoft tenant" in reading.problems[account]
        assert not Finding.objects.open().filter(kind=Finding.Kind.NO_CONNECTION).exists()

    def test_no_way_leads_there(self):
        with pytest.raises(NoConnection, match="no Microsoft tenant"):
            _ = self.place.way

    def test_nobody_enrols_there_through_latchkey(self):
        with pytest.raises(BadInput, match="not at Microsoft"):
            begin_enrolment(self.ben, self.account, by=self.ben, outside=self.outside)


class WhoTakesUpAPlace(Scene):
    def add(
        self, name: str = "Contoso registrar", system: Tenant.System = Tenant.System.REGISTRAR, **facts: str
    ) -> Tenant:
        return add_place(self.customer, NewPlace(name, system, **facts), by=self.world.owner)

    @pytest.mark.parametrize("name", ["", "  ", "contoso FIREWALL"])
    def test_gives_it_a_name_of_its_own(self, name: str):
        with pytest.raises(BadInput):
            self.add(name)

    def test_gives_an_address_that_a_browser_opens(self):
        with pytest.raises(BadInput, match="https"):
            self.add(sign_in_address="javascript:alert(1)")

    def test_cannot_make_a_microsoft_tenant_of_it(self):
        with pytest.raises(BadInput, match="Microsoft tenant"):
            self.add(system=Tenant.System.ENTRA)

    def test_needs_the_right_to_add_customers(self):
        with pytest.raises(NotPermitted):
            add_place(self.customer, NewPlace("x", Tenant.System.OTHER), by=self.ben)


class WhoSaysWhatTheyCarry(Scene):
    def say(self, person: Technician, by: Technician, **facts: object) -> Authenticator:
        said = {"kind": MethodKind.FIDO2, "label": "a blue key"} | facts
        return state_authenticator(self.account, person, by=by, **said)

    def test_it_counts_as_claimed_by_oneself_and_as_said_by_others(self):
        assert self.say(self.ben, self.ben).proof == Authenticator.Proof.CLAIMED
        assert self.say(self.ben, self.world.owner).proof == Authenticator.Proof.SAID

    def test_nobody_says_it_for_a_colleague(self):
        with pytest.raises(NotPermitted):
            self.say(self.ana, self.ben)

    def test_only_who_holds_the_account_has_one(self):
        with pytest.raises(BadInput, match="not assigned"):
            self.say(self.world.technician("Tom"), self.world.owner)

    def test_at_microsoft_it_is_read_instead(self):
        account = self.world.account(self.world.tenant("Fabrikam"))
        assign(self.ben, account, by=self.world.owner, reason="helps")
        with pytest.raises(BadInput, match="read at Microsoft"):
            state_authenticator(account, self.ben, kind=MethodKind.FIDO2, label="x", by=self.ben)
        assert not Method.objects.filter(account=account).exists()

    def test_an_auditor_looks_and_says_nothing(self):
        with pytest.raises(NotPermitted):
            self.say(self.ben, self.world.technician("Aud", Role.AUDITOR))
