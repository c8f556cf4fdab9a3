"""The page where a departure is decided."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from technicians.models import Offboarding, Role, Technician
from tenants.models import Run, TenantGroup
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


class Scene:
    """Ana shares Contoso with Ben; on Fabrikam she is alone. She has seen Contoso's password."""

    @pytest.fixture(autouse=True)
    def _scene(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.fabrikam = self.office.account(self.office.tenant("Fabrikam"))
        self.office.give(self.contoso, self.ana, self.ben)
        self.office.give(self.fabrikam, self.ana)
        self.office.reveal(self.contoso, self.ana)
        self.url = reverse("technicians:offboard", args=[self.ana.pk])
        self.visitor = Visitor(self.office.owner)

    def page(self):
        return self.visitor.get(self.url).content.decode()

    def has_left(self):
        return not Technician.objects.get(pk=self.ana.pk).is_active


class WhenADepartureIsLookedAt(Scene):
    def test_the_button_names_who_and_how_much(self):
        assert "Offboard Ana: 2 accounts in 2 tenants" in self.page()

    def test_it_shows_her_methods_and_whose_password_she_saw_and_who_stays(self):
        page = self.page()
        assert "Ana&#x27;s phone" in page
        assert page.count("has seen the one in force") == 1
        assert "Ben" in page

    def test_it_says_where_the_guard_holds_and_why(self):
        page = self.page()
        assert "This is the last way in" in page
        assert "<strong>stays</strong>" in page

    def test_somebody_who_stays_without_an_authenticator_is_marked(self):
        self.office.assign(self.contoso, self.office.person("Newcomer"))
        assert "no authenticator yet" in self.page()

    def test_looking_changes_nothing(self):
        self.page()
        assert not self.has_left()
        assert not Run.objects.exists()

    def test_somebody_without_any_account_can_leave_too(self):
        newcomer = self.office.person("Newcomer")
        page = self.visitor.get(reverse("technicians:offboard", args=[newcomer.pk])).content.decode()
        assert "Offboard Newcomer: no accounts" in page
        assert "Only the access to Latchkey ends." in page

    def test_more_accounts_take_no_more_queries(self, django_assert_max_num_queries):
        for count in (3, 120):
            leaver = self.office.person(f"Leaver {count}")
            self.office.held_by(leaver, self.ben, tenants=count, word=f"Customer {count}")
            with django_assert_max_num_queries(32):
                self.visitor.get(reverse("technicians:offboard", args=[leaver.pk]))


class WhenADepartureIsLong(Scene):
    """Ana shares sixty more accounts with Ben, so that the list does not fit one page."""

    @pytest.fixture(autouse=True)
    def _many(self, _scene):
        self.office.held_by(self.ana, self.ben, tenants=60)

    def read(self, query=""):
        return self.visitor.get(f"{self.url}{query}").content.decode()

    def accounts_on(self, page):
        return len(set(re.findall(r'<td class="upn-cell"><a href="/tenants/accounts/([^"/]+)', page)))

    def test_every_account_is_on_one_of_the_pages(self):
        first, second = self.read(), self.read("?page=2")
        assert (self.accounts_on(first), self.accounts_on(second)) == (50, 12)
        assert "1 to 50 of 62" in first

    def test_the_decision_and_its_size_are_on_every_page(self):
        for query in ("", "?page=2", "?only=held"):
            assert "Offboard Ana: 62 accounts in 62 tenants" in self.read(query)

    def test_deciding_on_the_second_page_is_deciding_on_all_of_it(self):
        answer = self.visitor.post(f"{self.url}?page=2", {"reason": "resigned"})
        assert answer.status_code == 302
        assert Run.objects.get().targets.count() == 62

    def test_those_that_a_guard_holds_can_be_seen_alone(self):
        assert "?only=held" in self.read()
        page = self.read("?only=held")
        assert self.accounts_on(page) == 1
        assert "admin@fabrikam.example" in page
        assert "Show every account" in page


class WhenItIsDecided(Scene):
    def decide(self, visitor=None, **form):
        return (visitor or self.visitor).post(self.url, {"reason": "resigned", **form})

    def test_she_is_out_of_latchkey_at_once_and_the_person_is_led_to_the_run(self):
        hers = Visitor(self.ana)
        answer = self.decide()
        departure = Offboarding.objects.get(technician=self.ana)
        assert answer["Location"] == reverse("tenants:run", args=[departure.run_id])
        assert departure.run.reason == "resigned"
        assert self.has_left()
        assert hers.get(reverse("web:dashboard")).status_code == 302

    def test_it_needs_a_fresh_code(self):
        visitor = Visitor(self.office.owner, fresh=False)
        assert "six-digit code" in visitor.get(self.url).content.decode()
        refused = self.decide(visitor, code="123")
        assert refused.status_code == 422
        assert "resigned" in refused.content.decode()
        assert not self.has_left()

    def test_the_right_code_is_enough_once(self):
        visitor = Visitor(self.office.owner, fresh=False)
        assert self.decide(visitor, code=visitor.code()).status_code == 302
        assert self.has_left()

    def test_without_a_reason_nothing_happens(self):
        answer = self.decide(reason=" ")
        assert answer.status_code == 422
        assert "Say why Ana leaves" in answer.content.decode()
        assert not self.has_left()
        assert not Run.objects.exists()

    def test_twice_is_once_and_the_page_leads_to_the_run(self):
        self.decide()
        again = self.decide()
        assert again.status_code == 422
        assert Run.objects.count() == 1
        page = self.page()
        assert "Ana has left already" in page
        assert reverse("tenants:run", args=[Run.objects.get().pk]) in page

    def test_what_changed_since_the_preview_is_said_on_the_run(self):
        promised = {"promised_accounts": 2, "promised_tenants": 2, "promised_methods": 2}
        self.office.give(self.office.account(self.office.tenant("Tailspin")), self.ana, self.ben)
        answer = self.decide(**promised)
        page = self.visitor.get(answer["Location"]).content.decode()
        assert "the plan was made again" in page
        assert "tailspin.example" in page

    def test_what_did_not_change_is_not_mentioned(self):
        answer = self.decide(promised_accounts=2, promised_tenants=2, promised_methods=2)
        assert "the plan was made again" not in self.visitor.get(answer["Location"]).content.decode()


class EveryWallStands(Scene):
    def test_another_resellers_owner_finds_nobody(self):
        stranger = Visitor(Office("Tailspin MSP").owner)
        assert stranger.get(self.url).status_code == 404
        assert stranger.post(self.url, {"reason": "spite"}).status_code == 404
        assert not self.has_left()

    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_who_may_not_offboard_has_no_such_page(self, role):
        visitor = Visitor(self.office.person("Curious", role))
        assert visitor.get(self.url).status_code == 403
        assert visitor.post(self.url, {"reason": "spite"}).status_code == 403
        assert not self.has_left()

    def test_a_scoped_manager_is_told_why_not_and_nothing_is_half_done(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
        group.tenants.add(self.contoso.tenant)
        manager = Visitor(self.office.person("Mia", Role.MANAGER, groups=[group]))
        for answer in (manager.get(self.url), manager.post(self.url, {"reason": "resigned"})):
            assert answer.status_code == 403
            assert "You see only some tenants" in answer.content.decode()
        assert not self.has_left()

    def test_nobody_offboards_themselves(self):
        answer = self.visitor.post(reverse("technicians:offboard", args=[self.office.owner.pk]), {"reason": "x"})
        assert answer.status_code == 403
        assert "Nobody offboards themselves" in answer.content.decode()
