"""A new phone: the old one works until the new one does, and goes by itself then."""

from __future__ import annotations

import pytest

from msp.errors import BadInput, NotPermitted
from technicians.actions.ask_for_new_phone import accounts_for_new_phone, ask_for_new_phone, make_room
from technicians.actions.ask_to_enrol import withdraw_requests
from technicians.actions.report_lost_phone import report_lost_phone
from technicians.enrolment_lists import enrolment_list_of
from technicians.models import Assignment, EnrolmentRequest, KeptCode, Role, Technician
from tenants.models import Run, TenantGroup
from tenants.plans import RunState, StepKind
from tests.support.lost_and_found import enrols_anew, lets_in, phone_of
from tests.support.token_desk import TokenDesk, code_now
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
        self.old = phone_of(world, self.contoso, self.ana)

    def line(self) -> EnrolmentRequest:
        return EnrolmentRequest.objects.select_related("technician", "account").get(
            technician=self.ana, account=self.contoso
        )


class WhenSomebodyHasANewPhone(Scene):
    def test_every_account_with_an_app_of_theirs_comes_onto_the_list_and_nothing_goes(self):
        lines = ask_for_new_phone(self.ana, by=self.ana)
        assert {line.account for line in lines} == {self.contoso, self.fabrikam}
        assert not Run.objects.exists()
        assert lets_in(self.world, self.contoso, self.old)

    def test_the_old_method_goes_when_the_new_one_works_and_only_there(self):
        ask_for_new_phone(self.ana, by=self.ana)
        run = enrols_anew(self.world, self.ana, self.contoso)
        assert run is not None
        assert run.kind == Run.Kind.NEW_PHONE
        self.world.work(run)
        assert not lets_in(self.world, self.contoso, self.old)
        assert lets_in(self.world, self.contoso, phone_of(self.world, self.contoso, self.ana))
        assert self.world.gets_in(self.contoso, self.ben)
        assert lets_in(self.world, self.fabrikam, phone_of(self.world, self.fabrikam, self.ana))
        assert self.world.state(run) == RunState.CLEAN_SO_FAR

    def test_the_list_says_how_far_it_is(self):
        ask_for_new_phone(self.ana, by=self.ana)
        enrols_anew(self.world, self.ana, self.contoso)
        shown = enrolment_list_of(self.ana, self.ana)
        assert (shown.done, shown.total, shown.open) == (1, 2, 1)

    def test_nobody_is_locked_out_when_the_own_new_phone_is_the_only_other_way_in(self):
        alone = self.world.account(self.contoso.tenant, "alone")
        self.world.give(alone, self.ana)
        ask_for_new_phone(self.ana, by=self.ana)
        run = enrols_anew(self.world, self.ana, alone)
        self.world.work(run)
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert lets_in(self.world, alone, phone_of(self.world, alone, self.ana))
        assert self.world.methods_on(alone) == {phone_of(self.world, alone, self.ana).method_id}

    def test_a_passkey_and_a_phone_number_stay(self):
        key = self.world.enrol(self.contoso, self.ana, "fido2")
        number = self.world.enrol(self.contoso, self.ana, "phone")
        ask_for_new_phone(self.ana, by=self.ana)
        run = enrols_anew(self.world, self.ana, self.contoso)
        self.world.work(run)
        assert {key.directory_id, number.directory_id} <= self.world.methods_on(self.contoso)
        assert self.old.method_id not in self.world.methods_on(self.contoso)

    def test_codes_that_are_kept_here_need_no_new_phone(self):
        KeptCode.objects.create(
            reseller=self.world.reseller,
            technician=self.ana,
            account=self.contoso,
            authenticator=self.ana.authenticators.get(method__account=self.contoso),
            sealed=b"an envelope",
        )
        assert accounts_for_new_phone(self.ana) == [self.fabrikam]

    def test_an_account_that_is_not_held_any_more_is_not_on_the_list(self):
        Assignment.objects.filter(technician=self.ana, account=self.fabrikam).delete()
        assert accounts_for_new_phone(self.ana) == [self.contoso]

    def test_asking_twice_is_asking_once(self):
        first, again = (ask_for_new_phone(self.ana, by=self.ana) for _ in range(2))
        assert {line.pk for line in first} == {line.pk for line in again}


class WhoMayAsk(Scene):
    def test_a_manager_for_somebody(self):
        manager = self.world.technician("Mo", Role.MANAGER)
        assert len(ask_for_new_phone(self.ana, by=manager)) == 2

    def test_no_colleague_and_no_manager_of_some_tenants(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        for person in (self.ben, self.world.technician("Sia", Role.MANAGER, groups=[group])):
            with pytest.raises(NotPermitted):
                ask_for_new_phone(self.ana, by=person)

    def test_the_person_takes_their_own_line_off_again_and_nobody_elses(self):
        lines = ask_for_new_phone(self.ana, by=self.ana)
        with pytest.raises(NotPermitted):
            withdraw_requests(lines, by=self.ben)
        assert withdraw_requests(lines, by=self.ana) == 2
        assert withdraw_requests(lines, by=self.ana) == 0

    def test_there_must_be_something_to_move(self):
        with pytest.raises(BadInput):
            ask_for_new_phone(self.world.technician("Cid"), by=self.world.owner)


class WhenTheOldPhoneIsLostBeforeTheListIsDone(Scene):
    def test_everything_goes_at_once_and_the_lines_say_why(self):
        ask_for_new_phone(self.ana, by=self.ana)
        run = report_lost_phone(self.ana, by=self.ana, reason="stolen").run
        self.world.work(run)
        assert not lets_in(self.world, self.contoso, self.old)
        lines = EnrolmentRequest.objects.open().filter(technician=self.ana)
        assert [line.because for line in lines] == [EnrolmentRequest.Because.LOST_PHONE] * 2


class WhenTheAccountIsFull(Scene):
    """Five places: Ana's, Ben's, and three more."""

    @pytest.fixture(autouse=True)
    def _full(self, _scene: None) -> None:
        for name in ("Cid", "Dan", "Eve"):
            self.world.give(self.contoso, self.world.technician(name))
        ask_for_new_phone(self.ana, by=self.ana)

    def test_the_list_says_so_and_offers_that_the_old_one_goes_first(self):
        [line] = [line for line in enrolment_list_of(self.ana, self.ana).lines if not line.has_place]
        assert line.request.account == self.contoso
        assert line.may_make_room
        assert {place.holder for place in line.places.taken} == {"Ana", "Ben", "Cid", "Dan", "Eve"}

    def test_the_old_one_goes_and_the_new_one_finds_a_place(self):
        run = make_room(self.line(), by=self.ana)
        [line] = [line for line in enrolment_list_of(self.ana, self.ana).lines if line.old_goes]
        assert not line.may_make_room
        self.world.work(run)
        assert not lets_in(self.world, self.contoso, self.old)
        assert self.world.gets_in(self.contoso, self.ben)
        assert enrolment_list_of(self.ana, self.ana).without_place == []
        enrols_anew(self.world, self.ana, self.contoso)
        assert lets_in(self.world, self.contoso, phone_of(self.world, self.contoso, self.ana))

    def test_twice_makes_room_once(self):
        make_room(self.line(), by=self.ana)
        with pytest.raises(BadInput):
            make_room(self.line(), by=self.ana)

    def test_nobody_makes_room_with_somebody_elses_method(self):
        with pytest.raises(NotPermitted):
            make_room(self.line(), by=self.ben)

    def test_the_last_way_in_does_not_make_room(self):
        Technician.objects.exclude(pk__in=[self.ana.pk, self.world.owner.pk]).update(status="suspended")
        with pytest.raises(BadInput, match="last way in"):
            make_room(self.line(), by=self.ana)


class WhenTheNewPhoneEnrolsWithASeedOfOurs(TokenDesk):
    def test_the_code_is_proven_first_and_then_the_old_one_goes_by_itself(self):
        self.world.enrol(self.account, self.ana)
        old = phone_of(self.world, self.account, self.ana)
        ask_for_new_phone(self.ana, by=self.ana)
        enrolment, seed = self.ready()
        assert lets_in(self.world, self.account, old)
        assert not Run.objects.filter(kind=Run.Kind.NEW_PHONE).exists()
        self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        run = Run.objects.get(kind=Run.Kind.NEW_PHONE)
        self.world.work(run)
        assert self.world.step(run, StepKind.REMOVE_METHOD).method.directory_id == old.method_id
        assert not lets_in(self.world, self.account, old)
        assert self.gets_in(code_now(seed, steps=1))
        line = EnrolmentRequest.objects.get(technician=self.ana)
        assert (line.enrolment, line.done_at is None) == (enrolment, False)
