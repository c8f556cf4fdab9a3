"""A Temporary Access Pass: for one person, once, for ten minutes, and gone when the enrolment is over."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import AnswerLost, BadInput, NotPermitted, PolicyForbids, Unreachable
from msp.ledger.models import Entry
from msp.microsoft.enrolment_ports import IssuedPass
from technicians.actions.clear_up_enrolments import clear_up_enrolments
from technicians.actions.enrol import begin_enrolment, cancel_enrolment, finish_enrolment
from technicians.actions.expire_enrolments import expire_enrolments
from technicians.actions.issue_pass import ASKED, issue_pass
from technicians.models import Enrolment, Technician
from tenants.models import EnrolmentPolicy
from tests.support.token_desk import TokenDesk

pytestmark = pytest.mark.django_db


class Died(BaseException):
    """The process is gone."""


class RegistrarThat:
    """The real one, until it is asked for a pass."""

    def __init__(self, real: Any, trouble: BaseException, *, before: bool) -> None:
        self.real, self.trouble, self.before = real, trouble, before

    def issue_pass(self, *asked: Any, **how: Any) -> IssuedPass:
        if not self.before:
            self.real.issue_pass(*asked, **how)
        raise self.trouble


class PassDesk(TokenDesk):
    """Ana is on Microsoft's page, where Contoso allows passes."""

    @pytest.fixture(autouse=True)
    def _page(self, _scene: None) -> None:
        self.cloud_tenant = self.world.cloud.tenant(self.world.directory_id(self.account))
        self.cloud_tenant.policies.methods["TemporaryAccessPass"] = "enabled"
        self.enrolment = begin_enrolment(self.ana, self.account, by=self.ana, outside=self.world.outside)

    def asks(self, by: Technician | None = None, outside: Any = None) -> IssuedPass:
        enrolment = self.again(self.enrolment)
        return issue_pass(enrolment, by=by or self.ana, outside=outside or self.world.outside)

    def outside_that(self, trouble: BaseException, *, before: bool) -> Any:
        real = self.world.outside.registrar_for
        return replace(self.world.outside, registrar_for=lambda *way: RegistrarThat(real(*way), trouble, before=before))

    def passes(self) -> int:
        directory_id = self.world.directory_id(self.account)
        return len(self.world.cloud.methods(directory_id, self.account.object_id, "temporary_access_pass"))

    def registers(self) -> None:
        self.world.cloud.register(
            self.world.directory_id(self.account), self.account.object_id, "software_oath", "phone"
        )

    def expires(self) -> None:
        Enrolment.objects.filter(pk=self.enrolment.pk).update(expires_at=timezone.now())
        expire_enrolments()


class WhenAPassIsIssued(PassDesk):
    def test_it_lets_this_person_in_once_for_ten_minutes(self):
        issued = self.asks()
        assert (issued.minutes, issued.once) == (10, True)
        result = self.world.cloud.sign_in(
            self.world.directory_id(self.account), self.account.user_principal_name, "", access_pass=issued.code
        )
        assert result.session

    def test_the_wish_is_in_the_ledger_before_the_pass_and_the_pass_itself_is_not(self):
        issued = self.asks()
        verbs = list(Entry.objects.filter(verb__startswith="pass.").order_by("at").values_list("verb", flat=True))
        assert verbs == ["pass.asked", "pass.issued"]
        assert issued.code not in str(list(Entry.objects.values())) + str(list(Enrolment.objects.values()))
        assert issued.code not in repr(issued)

    def test_it_is_shown_once_only(self):
        self.asks()
        with pytest.raises(BadInput, match="has had its pass"):
            self.asks()

    def test_nobody_else_gets_it(self):
        with pytest.raises(NotPermitted):
            self.asks(by=self.world.owner)
        assert self.passes() == 0

    def test_the_policy_may_forbid_it(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, passes=False)
        with pytest.raises(BadInput, match="policy"):
            self.asks()
        assert self.passes() == 0

    def test_the_tenant_may_forbid_it_and_then_it_can_be_asked_again(self):
        self.cloud_tenant.policies.methods["TemporaryAccessPass"] = "disabled"
        with pytest.raises(PolicyForbids):
            self.asks()
        self.cloud_tenant.policies.methods["TemporaryAccessPass"] = "enabled"
        assert self.asks().code

    def test_somebody_elses_pass_is_never_replaced(self):
        cancel_enrolment(self.again(self.enrolment), by=self.ana, outside=self.world.outside)
        self.world.cloud.register(
            self.world.directory_id(self.account), self.account.object_id, "temporary_access_pass", ""
        )
        self.enrolment = begin_enrolment(self.ana, self.account, by=self.ana, outside=self.world.outside)
        with pytest.raises(BadInput, match="would replace it"):
            self.asks()
        assert self.passes() == 1


class WhenTheEnrolmentIsOver(PassDesk):
    def test_finished(self):
        self.asks()
        self.registers()
        finish_enrolment(self.again(self.enrolment), by=self.ana, outside=self.world.outside)
        self.nothing_is_left_of_it()

    def test_cancelled(self):
        self.asks()
        cancel_enrolment(self.again(self.enrolment), by=self.ana, outside=self.world.outside)
        self.nothing_is_left_of_it()

    def test_expired(self):
        self.asks()
        self.expires()
        assert clear_up_enrolments(outside=self.world.outside) == 1
        self.nothing_is_left_of_it()

    def nothing_is_left_of_it(self) -> None:
        assert self.passes() == 0
        assert self.again(self.enrolment).pass_id == ""
        assert not self.account.methods.present().filter(kind="temporary_access_pass").exists()

    def test_while_microsoft_cannot_be_reached_it_is_tried_again(self):
        self.asks()

        class Unreached:
            def remove(self, *_asked: Any) -> None:
                raise Unreachable("Nobody answers.")

        away = replace(self.world.outside, directory_for=lambda *_way: Unreached())
        cancel_enrolment(self.again(self.enrolment), by=self.ana, outside=away)
        assert self.passes() == 1
        assert clear_up_enrolments(outside=away) == 0
        assert clear_up_enrolments(outside=self.world.outside) == 1
        self.nothing_is_left_of_it()


class WhenTheProcessDiesWhileAsking(PassDesk):
    def test_a_pass_that_came_to_be_is_found_and_taken_away(self):
        with pytest.raises(Died):
            self.asks(outside=self.outside_that(Died(), before=False))
        assert self.again(self.enrolment).pass_id == ASKED
        assert self.passes() == 1
        self.expires()
        clear_up_enrolments(outside=self.world.outside)
        assert self.passes() == 0
        assert self.again(self.enrolment).pass_id == ""

    def test_one_that_never_came_to_be_is_looked_for_until_it_cannot_come_any_more(self):
        with pytest.raises(Died):
            self.asks(outside=self.outside_that(Died(), before=True))
        self.expires()
        clear_up_enrolments(outside=self.world.outside)
        assert self.again(self.enrolment).pass_id == ASKED
        Enrolment.objects.filter(pk=self.enrolment.pk).update(changed_at=timezone.now() - dt.timedelta(minutes=16))
        clear_up_enrolments(outside=self.world.outside)
        assert self.again(self.enrolment).pass_id == ""

    def test_after_a_lost_answer_it_can_be_asked_again_and_one_is_left_of_both(self):
        with pytest.raises(AnswerLost):
            self.asks(outside=self.outside_that(AnswerLost("No answer."), before=False))
        assert self.asks().code
        assert self.passes() == 1

    def test_an_enrolment_that_ends_meanwhile_gets_none(self):
        real = self.world.outside.registrar_for
        test = self

        class Slow:
            def __init__(self, *way: Any) -> None:
                self.registrar = real(*way)

            def issue_pass(self, *asked: Any, **how: Any) -> IssuedPass:
                issued: IssuedPass = self.registrar.issue_pass(*asked, **how)
                test.expires()
                return issued

        with pytest.raises(BadInput, match="ended while"):
            self.asks(outside=replace(self.world.outside, registrar_for=Slow))
        assert self.passes() == 0
