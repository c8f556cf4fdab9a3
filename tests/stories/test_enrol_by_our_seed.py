"""Latchkey chooses the seed: the token is made at Microsoft, proven by a code, activated, read back and bound."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from msp.access.seeds import read_seed
from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.assign import assign
from technicians.actions.end_enrolment import end_enrolment
from technicians.actions.enrol import begin_enrolment
from technicians.actions.expire_enrolments import expire_enrolments
from technicians.actions.open_enrolments import open_enrolments
from technicians.actions.prove_enrolment import MOST_TRIES, prove_enrolment
from technicians.actions.show_seed import show_seed
from technicians.models import Authenticator, Enrolment, KeptCode, Technician
from tenants.actions.observe_account import observe_account
from tenants.actions.sweep_tokens import sweep_tokens
from tenants.models import EnrolmentPolicy, Registration, Run
from tenants.plans import RunState, StepKind, StepState
from tests.support.token_desk import TokenDesk, code_now
from tests.support.world import World

WAY = Enrolment.Way


class WhenATechnicianEnrols(TokenDesk):
    def test_the_token_is_made_and_nothing_is_activated_before_a_code_is_shown(self):
        enrolment = self.begin()
        assert enrolment.status == Enrolment.Status.PREPARING
        self.world.work(self.run)
        assert self.again(enrolment).status == Enrolment.Status.WAITING_FOR_SCAN
        assert [token.status for token in self.inventory] == ["available"]
        assert self.world.state(self.run) == RunState.RUNNING

    def test_the_serial_number_and_the_name_tell_who_it_is_for(self):
        self.begin()
        self.world.work(self.run)
        (token,) = self.inventory
        registration = Registration.objects.get()
        assert token.serial == registration.serial
        assert token.display_name == "Ana (Northwind IT)"
        assert "Ana" not in token.serial
        assert "contoso" not in token.serial.lower()

    def test_the_right_code_activates_binds_and_lets_in_and_colleagues_stay(self):
        enrolment, seed = self.enrolled()
        assert enrolment.status == Enrolment.Status.ACTIVE
        assert enrolment.authenticator is not None
        assert enrolment.authenticator.technician == self.ana
        assert enrolment.authenticator.proof == Authenticator.Proof.ACTIVATED
        assert self.world.state(self.run) == RunState.CLEAN
        assert self.gets_in(code_now(seed, steps=1))
        assert self.world.gets_in(self.account, self.ben)

    def test_the_seed_is_destroyed_when_the_token_is_active(self):
        enrolment, _seed = self.enrolled()
        assert enrolment.registration is not None
        assert enrolment.registration.sealed is None
        assert not KeptCode.objects.exists()

    def test_the_app_gets_an_address_that_every_app_understands(self):
        _enrolment, seed = self.ready()
        read = read_seed(seed.address)
        assert (read.key, read.digits, read.period, read.algorithm) == (seed.key, 6, 30, "SHA1")
        assert len(seed.key) == 20
        assert set(parse_qs(urlsplit(seed.address).query)) == {"secret", "issuer"}
        assert seed.issuer.startswith("Contoso (")

    def test_seeds_and_names_differ_for_each_person(self):
        other = self.world.technician("Cid")
        assign(other, self.account, by=self.world.owner, reason="helps")
        _first, one = self.ready()
        _second, two = self.ready(other)
        assert one.key != two.key
        assert one.issuer != two.issuer

    def test_the_code_is_on_a_screen_once_and_that_is_written_down_before(self):
        enrolment, _seed = self.ready()
        assert Entry.objects.filter(verb="enrolment.seed_shown").count() == 1
        with pytest.raises(BadInput, match="once only"):
            show_seed(enrolment, by=self.ana, outside=self.world.outside)

    def test_nobody_else_begins_sees_or_proves_it(self):
        with pytest.raises(NotPermitted):
            open_enrolments(self.ana, [self.account], by=self.world.owner, outside=self.world.outside)
        enrolment = self.begin()
        self.world.work(self.run)
        with pytest.raises(NotPermitted):
            show_seed(enrolment, by=self.world.owner, outside=self.world.outside)
        with pytest.raises(NotPermitted):
            prove_enrolment(enrolment, "123456", by=self.world.owner, outside=self.world.outside)

    def test_a_departure_takes_the_token_off_the_account_and_out_of_the_inventory(self):
        _enrolment, seed = self.enrolled()
        departure = self.world.offboard(self.ana)
        self.world.work(departure.run)
        assert not self.gets_in(code_now(seed, steps=1))
        sweep_tokens()
        self.world.work(Run.objects.get(kind=Run.Kind.CLEAN_UP))
        assert self.nothing_is_left()


class WhenTheCodeIsNotRight(TokenDesk):
    def test_a_wrong_one_counts_and_activates_nothing(self):
        enrolment, seed = self.ready()
        wrong = f"{(int(code_now(seed)) + 1) % 10**6:06d}"
        with pytest.raises(BadInput, match="4 tries are left"):
            self.prove(enrolment, wrong)
        assert self.again(enrolment).tries == 1
        self.world.work(self.run)
        assert [token.status for token in self.inventory] == ["available"]

    def test_a_wrong_clock_is_told_in_minutes(self):
        enrolment, seed = self.ready()
        with pytest.raises(BadInput, match="your phone is about 7 minutes ahead"):
            self.prove(enrolment, code_now(seed, steps=14))
        with pytest.raises(BadInput, match="your phone is about 5 minutes behind"):
            self.prove(enrolment, code_now(seed, steps=-10))

    def test_the_step_before_and_after_are_accepted(self):
        enrolment, seed = self.ready()
        self.prove(enrolment, code_now(seed, steps=-1))
        assert self.again(enrolment).status == Enrolment.Status.ACTIVATING

    def test_too_many_end_it_and_nothing_is_left_at_microsoft(self):
        enrolment, seed = self.ready()
        wrong = f"{(int(code_now(seed)) + 1) % 10**6:06d}"
        for _ in range(MOST_TRIES):
            with pytest.raises(BadInput):
                self.prove(enrolment, wrong)
        assert self.again(enrolment).status == Enrolment.Status.FAILED
        with pytest.raises(BadInput):
            self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        assert self.nothing_is_left()

    def test_one_that_was_accepted_is_not_accepted_again(self):
        enrolment, seed = self.enrolled()
        with pytest.raises(BadInput, match="not waiting for a code"):
            self.prove(enrolment, code_now(seed))


class WhenItIsNotFinished(TokenDesk):
    def test_it_expires_its_seed_is_destroyed_and_nothing_is_left(self):
        enrolment, seed = self.ready()
        Enrolment.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        assert expire_enrolments() == 1
        assert self.again(enrolment).status == Enrolment.Status.EXPIRED
        assert Registration.objects.get().sealed is None
        with pytest.raises(BadInput):
            self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        assert self.nothing_is_left()
        assert self.world.state(self.run) == RunState.CLEAN

    def test_a_code_that_comes_too_late_says_so(self):
        enrolment, seed = self.ready()
        Enrolment.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        with pytest.raises(BadInput, match="not finished in time"):
            self.prove(enrolment, code_now(seed))
        assert self.again(enrolment).status == Enrolment.Status.EXPIRED

    def test_cancelled_before_anything_was_sent_nothing_is_sent(self):
        enrolment = self.begin()
        end_enrolment(self.again(enrolment), Enrolment.Status.CANCELLED, because="changed my mind", by=self.ana)
        self.world.work(self.run)
        assert self.world.steps(self.run) == {
            StepKind.CREATE_TOKEN: StepState.NEEDLESS,
            StepKind.ACTIVATE_TOKEN: StepState.NEEDLESS,
            StepKind.DELETE_TOKEN: StepState.VERIFIED,
        }
        assert self.world.cloud.effects.count(kind="token_created") == 0
        assert self.nothing_is_left()

    def test_who_leaves_in_the_middle_leaves_nothing(self):
        enrolment, seed = self.ready()
        self.prove(enrolment, code_now(seed))
        departure = self.world.offboard(self.ana)
        self.world.work(self.run)
        self.world.work(departure.run)
        assert self.again(enrolment).status == Enrolment.Status.CANCELLED
        assert not self.gets_in(code_now(seed, steps=1))
        assert self.nothing_is_left()

    def test_who_loses_the_account_in_the_middle_gets_nothing(self):
        enrolment, seed = self.ready()
        self.prove(enrolment, code_now(seed))
        self.ana.assignments.update(until_at=timezone.now())
        self.world.work(self.run)
        assert not self.gets_in(code_now(seed, steps=1))
        assert self.nothing_is_left()
        assert self.again(enrolment).status == Enrolment.Status.FAILED


class WhenMicrosoftDoesNotDoAsItShould(TokenDesk):
    def fault(self, **plan: Any) -> None:
        self.world.cloud.faults.plan(**plan)

    def test_a_lost_answer_to_the_making_makes_no_second_token(self):
        self.fault(kind="reset_after_effect", method="POST", path="hardwareOathDevices", times=1)
        enrolment = self.begin()
        self.world.work(self.run)
        assert self.again(enrolment).status == Enrolment.Status.WAITING_FOR_SCAN
        assert len(self.inventory) == 1

    @pytest.mark.parametrize("kind", ["reset_after_effect", "reset_before", "truncated_body", "twice"])
    def test_a_lost_answer_to_the_activation_ends_in_one_active_token(self, kind: str):
        enrolment, seed = self.ready()
        self.fault(kind=kind, method="POST", path="assignAndActivate", times=1)
        self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        assert self.again(enrolment).status == Enrolment.Status.ACTIVE
        assert len(self.inventory) == 1
        assert self.gets_in(code_now(seed, steps=1))

    def test_a_yes_without_an_effect_is_not_believed(self):
        enrolment, seed = self.ready()
        self.fault(kind="lie", method="POST", path="assignAndActivate", times=1)
        self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        assert self.world.step(self.run, StepKind.ACTIVATE_TOKEN).status == StepState.UNVERIFIED
        assert self.again(enrolment).status == Enrolment.Status.ACTIVATING
        assert not Authenticator.objects.filter(technician=self.ana).exists()

    def test_a_refused_code_leaves_nothing_assigned_and_is_followed_by_another(self):
        enrolment, seed = self.ready()
        self.fault(
            kind="status", status=400, code="badRequest", message="Invalid verification code.", method="POST",
            path="assignAndActivate", times=1,
        )  # fmt: skip
        self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        assert self.world.step(self.run, StepKind.ACTIVATE_TOKEN).refusals == 1
        assert self.again(enrolment).status == Enrolment.Status.ACTIVE

    def test_after_three_refused_codes_it_goes_on_at_microsofts_page_and_nothing_is_left(self):
        enrolment, seed = self.ready()
        self.world.cloud.advance(600)  # Microsoft's clock is not ours: no code of ours fits there
        self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        assert self.world.step(self.run, StepKind.ACTIVATE_TOKEN).status == StepState.REFUSED
        assert self.again(enrolment).way == WAY.MICROSOFT_PAGE
        assert self.nothing_is_left()

    def test_a_throttled_tenant_is_waited_for(self):
        self.fault(kind="429", method="POST", path="hardwareOathDevices", times=1, retry_after=0)
        enrolment = self.begin()
        for _ in range(20):
            self.world.work(self.run)
            if self.again(enrolment).status == Enrolment.Status.WAITING_FOR_SCAN:
                break
            time.sleep(0.1)
        assert self.again(enrolment).status == Enrolment.Status.WAITING_FOR_SCAN

    def test_where_tokens_are_not_allowed_it_goes_on_at_microsofts_page(self):
        other = self.world.tenant("Fabrikam")
        account = self.world.account(other)
        assign(self.ana, account, by=self.world.owner, reason="on the team")
        observe_account(account, outside=self.world.outside)
        begun = open_enrolments(self.ana, [account], by=self.ana, outside=self.world.outside)
        assert begun.run is not None
        self.world.work(begun.run)
        enrolment = self.again(begun.enrolments[0])
        assert (enrolment.way, enrolment.status) == (WAY.MICROSOFT_PAGE, Enrolment.Status.WAITING_FOR_SCAN)
        assert "did not take a token of ours" in enrolment.note
        other.refresh_from_db()
        assert other.tokens_problem
        assert Registration.objects.get(account=account).sealed is None

    def test_where_that_is_not_allowed_either_it_fails_with_the_reason(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, microsoft_page=False)
        there = self.world.cloud.tenant(str(self.tenant.directory_id))
        there.policies.methods["HardwareOath"] = "disabled"
        enrolment, seed = self.ready()
        self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        assert self.again(enrolment).status == Enrolment.Status.FAILED
        assert "policy" in self.again(enrolment).note


class WhenThePlacesAreFew(TokenDesk):
    def fill(self, count: int) -> None:
        for number in range(count):
            self.world.cloud.register(self.world.directory_id(self.account), self.account.object_id, "software_oath",
                                      f"phone {number}")  # fmt: skip
        observe_account(self.account, outside=self.world.outside)

    def test_a_full_account_is_refused_before_a_code_is_shown(self):
        self.fill(4)
        with pytest.raises(BadInput, match="All five authenticator places"):
            self.begin()
        assert not Registration.objects.exists()
        assert self.inventory == []

    def test_one_under_way_counts(self):
        self.fill(3)
        other = self.world.technician("Cid")
        assign(other, self.account, by=self.world.owner, reason="helps")
        self.begin()
        with pytest.raises(BadInput, match="All five authenticator places"):
            self.begin(other)

    def test_somebody_who_registers_on_microsofts_page_counts(self):
        self.fill(3)
        other = self.world.technician("Cid")
        assign(other, self.account, by=self.world.owner, reason="helps")
        begin_enrolment(other, self.account, by=other, outside=self.world.outside)
        with pytest.raises(BadInput, match="All five authenticator places"):
            self.begin()

    def test_several_people_may_enrol_at_once_where_there_is_room(self):
        other = self.world.technician("Cid")
        assign(other, self.account, by=self.world.owner, reason="helps")
        one, first = self.ready()
        run = self.run
        two, second = self.ready(other)
        self.prove(two, code_now(second))
        self.prove(one, code_now(first))
        self.world.work(self.run)
        self.world.work(run)
        assert {a.technician for a in Authenticator.objects.all()} == {self.ana, self.ben, other}
        assert self.gets_in(code_now(first, steps=1))
        assert self.gets_in(code_now(second, steps=1))

    def test_the_same_person_has_one_enrolment_at_a_time(self):
        self.begin()
        with pytest.raises(BadInput, match="already"):
            self.begin()


@pytest.mark.django_db(transaction=True)
class WhenTwoWantTheLastPlace:
    def test_one_gets_it(self, world: World):
        tenant = world.tenant("Contoso")
        world.allow_tokens(tenant)
        account = world.account(tenant)
        people = [world.technician(name) for name in ("Ana", "Ben")]
        for person in people:
            assign(person, account, by=world.owner, reason="on the team")
        for number in range(4):
            world.cloud.register(world.directory_id(account), account.object_id, "software_oath", f"phone {number}")
        observe_account(account, outside=world.outside)
        barrier, told = threading.Barrier(2), []

        def wants(person: Technician) -> None:
            barrier.wait()
            try:
                open_enrolments(person, [account], by=person, outside=world.outside)
                told.append("got it")
            except BadInput as reason:
                told.append(str(reason))
            finally:
                connection.close()

        threads = [threading.Thread(target=wants, args=[person]) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(text[:8] for text in told) == ["All five", "got it"]
        assert Run.objects.filter(kind=Run.Kind.ENROLMENT).count() == 1
