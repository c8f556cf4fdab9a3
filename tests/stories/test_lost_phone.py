"""A phone is lost: whoever finds it gets in nowhere, colleagues notice nothing, and its owner enrols anew."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from technicians.actions import report_lost_phone as reporting
from technicians.actions.enrol import begin_enrolment
from technicians.actions.offboard import offboard
from technicians.actions.report_lost_phone import preview_lost_phone, report_lost_phone
from technicians.actions.reveal_password import reveal_password
from technicians.models import (
    Assignment,
    Enrolment,
    EnrolmentRequest,
    KeptCode,
    LostDevice,
    Role,
    Technician,
)
from tenants.actions.mend import retry_target
from tenants.models import Run, SharedAccount, Step, TenantGroup
from tenants.plans import RunState, StepKind, StepState
from tests.support.lost_and_found import enrols_anew, lets_in, phone_of
from tests.support.stage import build_world
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
        self.phones = {a.pk: phone_of(world, a, self.ana) for a in (self.contoso, self.fabrikam)}

    def report(self, person: Technician | None = None, *, by: Technician | None = None, **more: Any) -> LostDevice:
        return report_lost_phone(person or self.ana, by=by or self.ana, reason="left on the train", **more)

    def report_and_work(self, **more: Any) -> Run:
        run = self.report(**more).run
        self.world.work(run)
        return run

    def finder_gets_in(self, account: SharedAccount) -> bool:
        """Whoever holds the lost phone, and somehow knows the password in force."""
        return lets_in(self.world, account, self.phones[account.pk])


class WhenAPhoneIsReportedLost(Scene):
    def test_its_codes_are_refused_everywhere_and_colleagues_get_in(self):
        assert self.finder_gets_in(self.contoso)
        self.report_and_work()
        for account in (self.contoso, self.fabrikam):
            assert not self.finder_gets_in(account)
            assert self.world.gets_in(account, self.ben)

    def test_open_sessions_end_and_the_password_stays(self):
        tenant, name = self.world.directory_id(self.contoso), self.contoso.user_principal_name
        password = self.world.password_at_microsoft(self.contoso)
        session = self.world.cloud.sign_in(tenant, name, password, self.world.code_of(self.contoso, self.ana)).session
        assert session
        self.report_and_work()
        assert not self.world.cloud.session_alive(tenant, session)
        assert self.world.password_at_microsoft(self.contoso) == password

    def test_everything_is_read_back_and_a_second_look_is_to_come(self):
        run = self.report_and_work()
        assert self.world.steps(run, self.contoso) == {
            StepKind.REMOVE_METHOD: StepState.VERIFIED,
            StepKind.REVOKE_SESSIONS: StepState.VERIFIED,
            StepKind.PROVE: StepState.VERIFIED,
            StepKind.SECOND_LOOK: StepState.PLANNED,
        }
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert run.kind == Run.Kind.LOST_DEVICE

    def test_the_person_stays_with_their_accounts_and_gets_the_list_of_them(self):
        self.report()
        self.ana.refresh_from_db()
        assert self.ana.is_active
        assert Assignment.objects.live().filter(technician=self.ana).count() == 2
        lines = EnrolmentRequest.objects.open().filter(technician=self.ana)
        assert {line.account for line in lines} == {self.contoso, self.fabrikam}
        assert {line.because for line in lines} == {EnrolmentRequest.Because.LOST_PHONE}

    def test_codes_kept_here_end_and_their_envelopes_are_empty(self):
        method = self.ana.authenticators.get(method__account=self.contoso)
        kept = KeptCode.objects.create(
            reseller=self.world.reseller,
            technician=self.ana,
            account=self.contoso,
            authenticator=method,
            sealed=b"an envelope",
        )
        self.report()
        kept.refresh_from_db()
        assert kept.ended_at is not None
        assert bytes(kept.sealed) == b""

    def test_an_enrolment_on_that_phone_is_cancelled(self):
        third = self.world.account(self.contoso.tenant, "third")
        self.world.give(third, self.ben)
        Assignment.objects.create(reseller=self.world.reseller, technician=self.ana, account=third)
        enrolment = begin_enrolment(self.ana, third, by=self.ana, outside=self.world.outside)
        self.report()
        enrolment.refresh_from_db()
        assert enrolment.status == Enrolment.Status.CANCELLED

    def test_it_is_written_down_with_its_reason(self):
        lost = self.report()
        entry = Entry.objects.get(verb="phone.lost")
        assert entry.run_id == lost.run_id
        assert b"left on the train" in bytes(entry.body)

    def test_a_method_goes_also_where_the_assignment_has_ended_and_is_not_asked_for_again(self):
        Assignment.objects.filter(technician=self.ana, account=self.fabrikam).delete()
        self.report_and_work()
        assert not self.finder_gets_in(self.fabrikam)
        assert not EnrolmentRequest.objects.filter(account=self.fabrikam).exists()


class WhenPasswordsWereOnThePhoneToo(Scene):
    def test_only_those_that_the_person_has_fetched_are_changed(self):
        reveal_password(self.ana, self.contoso, reason="work", outside=self.world.outside)
        before = {a: self.world.password_at_microsoft(a) for a in (self.contoso, self.fabrikam)}
        self.report_and_work(change_passwords=True)
        assert self.world.password_at_microsoft(self.contoso) != before[self.contoso]
        assert self.world.password_at_microsoft(self.fabrikam) == before[self.fabrikam]
        assert self.world.gets_in(self.contoso, self.ben)

    def test_without_that_choice_none_is_changed(self):
        reveal_password(self.ana, self.contoso, reason="work", outside=self.world.outside)
        assert preview_lost_phone(self.ana, by=self.ana).passwords_to_rotate == 0
        assert preview_lost_phone(self.ana, by=self.ana, change_passwords=True).passwords_to_rotate == 1


class WhenThePhoneIsTheLastWayIn(Scene):
    """Ben has the account, but never enrolled."""

    @pytest.fixture(autouse=True)
    def _alone(self, _scene: None) -> None:
        self.alone = self.world.account(self.contoso.tenant, "alone")
        self.world.give(self.alone, self.ana)
        self.phones[self.alone.pk] = phone_of(self.world, self.alone, self.ana)
        Assignment.objects.create(reseller=self.world.reseller, technician=self.ben, account=self.alone)

    def test_the_preview_names_the_account_and_what_to_do(self):
        plan = preview_lost_phone(self.ana, by=self.ana)
        [held] = [account for account in plan.accounts if account.holds]
        assert held.holding.account == self.alone.user_principal_name
        assert "Enrol somebody" in held.holds[0]
        assert "password is changed all the same" not in held.holds[0]
        assert plan.methods_to_go == 2

    def test_the_method_stays_there_and_goes_elsewhere(self):
        run = self.report_and_work()
        assert self.finder_gets_in(self.alone)
        assert not self.finder_gets_in(self.contoso)
        assert self.world.state(run) == RunState.NEEDS_ATTENTION
        assert (
            "nobody else has a working authenticator"
            in self.world.step(run, StepKind.REMOVE_METHOD, self.alone).problem
        )

    def test_it_goes_when_a_colleague_has_enrolled_and_somebody_tries_again(self):
        run = self.report_and_work()
        self.world.give(self.alone, self.ben)
        retry_target(run.targets.get(account=self.alone), by=self.world.owner)
        self.world.work(run)
        assert not self.finder_gets_in(self.alone)
        assert self.world.gets_in(self.alone, self.ben)

    def test_it_goes_by_itself_when_the_next_phone_is_enrolled(self):
        self.report_and_work()
        lost = self.world.phones[self.alone.pk, self.ana.pk]
        new_run = enrols_anew(self.world, self.ana, self.alone)
        assert new_run is not None
        self.world.work(new_run)
        assert lost.method_id not in self.world.methods_on(self.alone)
        assert self.world.gets_in(self.alone, self.ana)


class WhenABreakGlassAccountIsAmongThem(Scene):
    def test_automation_leaves_it_alone_and_the_preview_says_so(self):
        SharedAccount.objects.filter(pk=self.contoso.pk).update(break_glass=True)
        plan = preview_lost_phone(self.ana, by=self.ana)
        assert plan.held_back == 1
        self.report_and_work()
        assert self.finder_gets_in(self.contoso)
        assert not EnrolmentRequest.objects.filter(account=self.contoso).exists()


class WhenItIsReportedAgain(Scene):
    def test_what_goes_already_is_not_taken_twice(self):
        self.report()
        with pytest.raises(BadInput, match="on its way out already"):
            self.report()
        assert LostDevice.objects.count() == 1

    def test_the_next_phone_can_be_lost_as_well(self):
        self.report_and_work()
        enrols_anew(self.world, self.ana, self.contoso)
        self.phones[self.contoso.pk] = phone_of(self.world, self.contoso, self.ana)
        run = self.report_and_work()
        assert run.targets.get().account == self.contoso
        assert not self.finder_gets_in(self.contoso)
        assert LostDevice.objects.count() == 2

    def test_nothing_is_reported_for_somebody_without_any_authenticator(self):
        with pytest.raises(BadInput, match="nothing to take away"):
            self.report(self.world.technician("Cid"), by=self.world.owner)


class WhoMayReport(Scene):
    def test_a_manager_for_anybody(self):
        manager = self.world.technician("Mo", Role.MANAGER)
        assert self.report(by=manager).reported_by == manager

    def test_a_colleague_may_not(self):
        with pytest.raises(NotPermitted):
            self.report(by=self.ben)
        assert not LostDevice.objects.exists()

    def test_a_manager_of_some_tenants_may_not_because_it_concerns_all(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        scoped = self.world.technician("Sia", Role.MANAGER, groups=[group])
        with pytest.raises(NotPermitted, match="every tenant of Ana"):
            self.report(by=scoped)

    def test_nobody_without_saying_what_happened(self):
        with pytest.raises(BadInput):
            report_lost_phone(self.ana, by=self.ana, reason="  ")


class WhenTheSignInToLatchkeyWasOnThatPhone(Scene):
    def test_a_manager_ends_it_and_the_person_stays_active(self):
        self.ana.set_password("a very long password")
        self.ana.save()
        second_factor_of(self.world, self.ana)
        self.report(by=self.world.owner, end_sign_in=True)
        self.ana.refresh_from_db()
        assert self.ana.is_active
        assert not self.ana.has_usable_password()
        assert not self.ana.totpdevice_set.exists()

    def test_nobody_ends_their_own(self):
        with pytest.raises(NotPermitted):
            self.report(end_sign_in=True)
        assert not LostDevice.objects.exists()


class IfTheLedgerCannotBeWritten(Scene):
    def test_nothing_is_taken_away(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: object, **__: object) -> None:
            raise LedgerClosed("the ledger is closed")

        monkeypatch.setattr(reporting, "record", closed)
        with pytest.raises(LedgerClosed):
            self.report()
        assert not Run.objects.exists()
        assert not EnrolmentRequest.objects.exists()


class WhenThePersonLeavesMeanwhile(Scene):
    def test_a_report_during_the_departure_is_refused_and_the_departure_takes_everything(self):
        run = self.world.offboard(self.ana).run
        with pytest.raises(BadInput, match="has left"):
            self.report(by=self.world.owner)
        self.world.work(run)
        assert not self.finder_gets_in(self.contoso)

    def test_a_departure_during_the_report_finishes_what_the_report_began(self):
        lost = self.report().run
        departure = self.world.offboard(self.ana).run
        for run in (departure, lost):
            self.world.work(run)
        for account in (self.contoso, self.fabrikam):
            assert not self.finder_gets_in(account)
            assert self.world.gets_in(account, self.ben)
        assert self.world.steps(lost, self.contoso)[StepKind.REMOVE_METHOD] == StepState.NEEDLESS
        assert not EnrolmentRequest.objects.open().exists()


@pytest.mark.django_db(transaction=True)
class WhenTwoReportAtTheSameMoment:
    @pytest.fixture
    def world(self, transactional_db, simulator, credential, tmp_path) -> World:
        return build_world(simulator, credential, tmp_path)

    def at_once(self, *acts: Any) -> list[BaseException]:
        troubles: list[BaseException] = []
        start = threading.Barrier(len(acts))

        def one(act: Any) -> None:
            start.wait(timeout=60)
            try:
                act()
            except BaseException as trouble:
                troubles.append(trouble)
            finally:
                connection.close()

        threads = [threading.Thread(target=one, args=[act]) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        return troubles

    def test_one_run_takes_everything_and_the_other_is_told(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana, ben)
        acts = [lambda by=by: report_lost_phone(ana, by=by, reason="lost") for by in (ana, world.owner)]
        [trouble] = self.at_once(*acts)
        assert isinstance(trouble, BadInput)
        removal = Step.objects.get(kind=StepKind.REMOVE_METHOD)
        assert LostDevice.objects.get().run_id == removal.target.run_id
        assert EnrolmentRequest.objects.open().count() == 1

    def test_a_report_and_a_departure_leave_one_of_them_or_both_and_nothing_of_hers(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana, ben)
        troubles = self.at_once(
            lambda: report_lost_phone(ana, by=world.owner, reason="lost"),
            lambda: offboard(ana, by=world.owner, reason="resigned"),
        )
        assert all(isinstance(trouble, BadInput) for trouble in troubles)
        for run in Run.objects.all():
            world.work(run)
        assert not lets_in(world, account, phone_of(world, account, ana))
        assert world.gets_in(account, ben)
        assert Technician.objects.get(pk=ana.pk).status == Technician.Status.LEFT
        assert not EnrolmentRequest.objects.open().exists()
