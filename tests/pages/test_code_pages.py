"""Codes and seeds that are kept here, second devices, comparisons and per-user MFA, on the pages."""

from __future__ import annotations

import base64
import datetime as dt
import re
import time
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from msp.ledger.models import Entry
from msp.microsoft.enrolment_ports import MfaState
from technicians.actions.compare_codes import ask_for_check
from technicians.actions.keep_code import keep_code
from technicians.codes import SECONDS, code_at
from technicians.models import DeclaredDuplicate, KeptCode, Role, Technician, TwoPersonCheck
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.models import EnrolmentPolicy
from tenants.password_plans import Place
from tests.support.scan import spellings
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
SEED = bytes(range(80, 100))
BASE32 = base64.b32encode(SEED).decode()


class Desk:
    """Ana and Ben hold Contoso's account; the policy allows codes kept here, seeds for a week, and second devices."""

    @pytest.fixture(autouse=True)
    def _desk(self, at_work: World) -> None:
        self.world = at_work
        self.tenant = at_work.tenant("Contoso")
        self.account = at_work.account(self.tenant)
        self.ana, self.ben = (at_work.technician(name) for name in ("Ana", "Ben"))
        at_work.give(self.account, self.ana, self.ben)
        at_work.allow_tokens(self.tenant)
        rules = facts_of(EnrolmentPolicy()) | {"kept_here": True, "duplicates": True, "keep_for_later_days": 7}
        set_enrolment_policy(Place(), rules, by=at_work.owner)

    def keep(self, **facts: Any) -> KeptCode:
        bound = self.ana.authenticators.get()
        return keep_code(self.account, self.ana, SEED, authenticator=bound, outside=self.world.outside, **facts)

    def keep_for_later(self) -> KeptCode:
        return self.keep(until=timezone.now() + dt.timedelta(days=7))

    def url(self, name: str) -> str:
        return reverse(f"tenants:{name}", args=[self.account.pk])

    def page(self, person: Technician | None = None) -> str:
        return Visitor(person or self.ana).get(self.url("account")).content.decode()


def now_and_then() -> set[str]:
    """The codes that count around now: the answer is a moment older than the look at it."""
    step = int(time.time() // SECONDS)
    return {code_at(SEED, step + away) for away in (-1, 0, 1)}


def words_of(answer: Any) -> str:
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", text).replace("&#x27;", "'")


def holds_the_seed(page: str) -> list[str]:
    written = page.encode()
    return [how for seed in (SEED, BASE32.encode()) for how, form in spellings(seed).items() if form in written]


class WhenCodesAreKeptHere(Desk):
    def test_the_account_page_offers_the_code_to_that_person_alone_and_holds_neither_code_nor_seed(self):
        self.keep()
        page = self.page()
        assert "Show my code" in page
        assert not any(code in page for code in now_and_then())
        assert not holds_the_seed(page)
        for person in (self.ben, self.world.owner):
            assert "Show my code" not in self.page(person)

    def test_asked_for_it_comes_once_with_the_seconds_that_it_counts(self):
        self.keep()
        answer = Visitor(self.ana).post(self.url("my_code"), headers=HTMX)
        page = answer.content.decode()
        assert answer.status_code == 200
        [shown] = re.findall(r'<code class="secret-value"[^>]*>(\d{6})</code>', page)
        assert shown in now_and_then()
        assert 1 <= int(re.findall(r'data-hide-after="(\d+)"', page)[0]) <= 30
        assert "no-store" in answer["Cache-Control"]
        assert not holds_the_seed(page)
        assert Entry.objects.filter(verb="code.shown", actor_id=self.ana.pk).count() == 1

    def test_without_script_it_comes_on_a_page_of_its_own(self):
        self.keep()
        answer = Visitor(self.ana).post(self.url("my_code"))
        assert re.findall(r'<code class="secret-value"[^>]*>(\d{6})</code>', answer.content.decode())

    def test_it_needs_a_fresh_code(self):
        self.keep()
        visitor = Visitor(self.ana, fresh=False)
        answer = visitor.post(self.url("my_code"), headers=HTMX)
        assert answer.status_code == 422
        assert "secret-value" not in answer.content.decode()
        assert not Entry.objects.filter(verb="code.shown").exists()
        assert visitor.post(self.url("my_code"), {"code": visitor.code()}, headers=HTMX).status_code == 200

    def test_a_colleague_who_asks_by_hand_gets_nothing(self):
        self.keep()
        for person in (self.ben, self.world.owner):
            answer = Visitor(person).post(self.url("my_code"), headers=HTMX)
            assert answer.status_code == 422
            assert "No codes are kept here for you" in words_of(answer)
        assert not Entry.objects.filter(verb="code.shown").exists()

    def test_managers_read_who_keeps_codes_here(self):
        self.keep()
        assert "Codes kept here" in self.page(self.world.owner)
        assert ">Codes kept here</h3>" not in self.page(self.ben)


class WhenASeedIsKeptForLater(Desk):
    def test_its_person_sees_the_qr_code_after_a_fresh_code_and_not_before(self):
        self.keep_for_later()
        visitor = Visitor(self.ana, fresh=False)
        before = visitor.get(self.url("my_seed")).content.decode()
        assert 'class="qr-code"' not in before
        assert not holds_the_seed(before)
        assert visitor.post(self.url("my_seed")).status_code == 422
        after = visitor.post(self.url("my_seed"), {"code": visitor.code()})
        assert 'class="qr-code"' in after.content.decode()
        assert 'data-hide-after="60"' in after.content.decode()
        assert "no-store" in after["Cache-Control"]
        assert Entry.objects.filter(verb="seed.shown_again", actor_id=self.ana.pk).count() == 1

    def test_the_seed_is_on_the_page_as_a_picture_only(self):
        self.keep_for_later()
        assert not holds_the_seed(Visitor(self.ana).post(self.url("my_seed")).content.decode())

    def test_the_account_page_says_until_when_to_that_person_alone(self):
        self.keep_for_later()
        assert "My seed, for a new phone" in self.page()
        assert "My seed, for a new phone" not in self.page(self.world.owner)

    def test_whoever_has_none_is_told_so_and_shown_nothing(self):
        self.keep_for_later()
        for person in (self.ben, self.world.owner):
            visitor = Visitor(person)
            assert "No seed of yours is kept here" in words_of(visitor.get(self.url("my_seed")))
            answer = visitor.post(self.url("my_seed"))
            assert (answer.status_code, 'class="qr-code"' in answer.content.decode()) == (422, False)


class WhenASecondDeviceIsDeclared(Desk):
    def declare(self, person: Technician, **form: Any) -> Any:
        form = {"authenticator": self.ana.authenticators.get().pk, "label": "the tablet"} | form
        return Visitor(person).post(self.url("declare_duplicate"), form, follow=True)

    def test_it_is_counted_on_the_account_and_withdrawn_there(self):
        assert "the tablet is declared as a second device" in words_of(self.declare(self.ana))
        made = DeclaredDuplicate.objects.get()
        assert "they are removed together" in self.page()
        answer = Visitor(self.ana).post(reverse("technicians:withdraw_duplicate", args=[made.pk]), follow=True)
        assert "no longer counted" in words_of(answer)
        assert not DeclaredDuplicate.objects.exists()

    def test_nobody_declares_one_for_a_colleague(self):
        assert "not there any more" in words_of(self.declare(self.ben))
        assert not DeclaredDuplicate.objects.exists()

    @pytest.mark.parametrize("wrong", ["", "not-an-id", "\x00"])
    def test_nonsense_changes_nothing(self, wrong: str):
        assert self.declare(self.ana, authenticator=wrong).status_code == 200
        assert not DeclaredDuplicate.objects.exists()

    def test_where_the_policy_forbids_it_no_form_is_there(self):
        assert "Declare a second device" in self.page()
        set_enrolment_policy(Place(), facts_of(EnrolmentPolicy()), by=self.world.owner)
        assert "Declare a second device" not in self.page()
        assert "the enrolment policy allows none" in self.page()


class WhenTwoPeopleCompareCodes(Desk):
    def begin(self) -> TwoPersonCheck:
        return ask_for_check(self.account, self.ana, self.ben, by=self.ana)

    def at(self, check: TwoPersonCheck) -> str:
        return reverse("technicians:comparison", args=[check.pk])

    def test_one_of_them_begins_on_the_account_page(self):
        answer = Visitor(self.ana).post(self.url("compare_codes"), {"second": str(self.ben.pk)})
        check = TwoPersonCheck.objects.get()
        assert answer["Location"] == self.at(check)
        assert (check.first, check.second) == (self.ana, self.ben)

    def test_a_manager_chooses_both(self):
        form = {"first": str(self.ben.pk), "second": str(self.ana.pk)}
        assert Visitor(self.world.owner).post(self.url("compare_codes"), form).status_code == 302
        assert TwoPersonCheck.objects.get().first == self.ben

    def test_each_has_a_page_that_says_how_it_stands_until_it_is_over(self):
        check = self.begin()
        visitors = [Visitor(person) for person in (self.ana, self.ben)]
        for visitor in visitors:
            page = visitor.get(self.at(check)).content.decode()
            assert 'id="shown-code"' in page
            assert 'hx-trigger="every 2s"' in page
        assert visitors[0].post(self.at(check), {"shown": "123456"}).status_code == 302
        assert "Your code is in" in words_of(visitors[0].get(self.at(check)))
        assert visitors[1].post(self.at(check), {"shown": "123456"}).status_code == 302
        for visitor in visitors:
            part = visitor.get(self.at(check), headers=HTMX).content.decode()
            assert "both phones have one seed" in part
            assert "every 2s" not in part
            assert 'id="type-code" hx-swap-oob="true"' in part
        assert "123456" not in part

    def test_what_is_no_code_is_said_and_can_be_typed_again(self):
        check = self.begin()
        answer = Visitor(self.ana).post(self.at(check), {"shown": "12"})
        assert answer.status_code == 422
        assert "six digits" in words_of(answer)
        assert 'id="shown-code"' in answer.content.decode()

    def test_the_manager_watches_and_cannot_type(self):
        check = self.begin()
        visitor = Visitor(self.world.owner)
        assert 'id="shown-code"' not in visitor.get(self.at(check)).content.decode()
        assert visitor.post(self.at(check), {"shown": "123456"}).status_code == 422

    def test_nobody_else_finds_the_page(self):
        cem = self.world.technician("Cem")
        self.world.give(self.account, cem)
        assert Visitor(cem).get(self.at(self.begin())).status_code == 404

    @pytest.mark.parametrize("second", ["", "not-an-id"])
    def test_it_needs_somebody_to_compare_with(self, second: str):
        answer = Visitor(self.ana).post(self.url("compare_codes"), {"second": second}, follow=True)
        assert "Choose with whom" in words_of(answer)


class WhenPerUserMfaIsLookedAt(Desk):
    def at_microsoft(self) -> str:
        return str(self.world.cloud.user(str(self.tenant.directory_id), self.account.object_id).mfa_state)

    def test_the_page_says_what_each_state_means_and_what_app_passwords_are(self):
        said = words_of(Visitor(self.ana).get(self.url("mfa_state")))
        for words in ("Disabled", "Enabled", "Enforced", "app passwords", "never read", "delete all existing"):
            assert words in said
        assert "Change it at Microsoft" not in said

    def test_it_is_read_when_somebody_asks(self):
        answer = Visitor(self.world.owner).post(self.url("read_mfa_state"), follow=True)
        assert "Microsoft says: Disabled." in words_of(answer)
        assert "Disabled" in self.page().split('id="mfa-heading"', 1)[1].split("</section>", 1)[0]

    def test_a_manager_changes_it_with_a_fresh_code_and_reads_what_was_found(self):
        mia = self.world.technician("Mia", Role.MANAGER)
        visitor = Visitor(mia, fresh=False)
        assert visitor.post(self.url("mfa_state"), {"state": "enforced"}).status_code == 422
        assert self.at_microsoft() == MfaState.DISABLED
        form = {"state": "enforced", "code": visitor.code()}
        answer = visitor.post(self.url("mfa_state"), form, follow=True)
        assert "Read back: Microsoft says Enforced." in words_of(answer)
        assert self.at_microsoft() == MfaState.ENFORCED

    @pytest.mark.parametrize("wanted", ["", "off", "unknownFutureValue"])
    def test_no_other_word_is_sent(self, wanted: str):
        assert Visitor(self.world.owner).post(self.url("mfa_state"), {"state": wanted}).status_code == 422
        assert self.at_microsoft() == MfaState.DISABLED

    def test_a_technician_changes_nothing(self):
        assert Visitor(self.ana).post(self.url("mfa_state"), {"state": "enforced"}).status_code == 422
        assert self.at_microsoft() == MfaState.DISABLED

    def test_a_fallback_phone_has_an_owner_or_asks_for_one(self):
        self.world.enrol(self.account, self.ben, "phone")
        assert "rings at Ben's, and goes with Ben." in self.page().replace("&#x27;", "'")
        self.account.methods.get(kind="phone").authenticator.delete()
        assert "Whoever&#x27;s it is claims it" in self.page().replace("Whoever's", "Whoever&#x27;s")
