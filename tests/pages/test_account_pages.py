"""One shared account: who holds it, with what, its password once, and enrolling an authenticator on it."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from msp.ledger.models import Entry
from technicians.models import Authenticator, Enrolment, Reveal, Role
from tenants.actions.findings import open_finding
from tenants.models import Finding, SecretVersion
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


class Desk:
    """Ana and Ben hold Contoso's account with its real password; Carl does not."""

    @pytest.fixture(autouse=True)
    def _desk(self, at_work):
        self.world = at_work
        self.account = at_work.account(at_work.tenant("Contoso"))
        self.ana, self.ben, self.carl = (at_work.technician(name) for name in ("Ana", "Ben", "Carl"))
        at_work.give(self.account, self.ana, self.ben)
        self.password = at_work.passwords_known(self.account)["current"]
        self.url = reverse("tenants:account", args=[self.account.pk])

    def page(self, person=None):
        return Visitor(person or self.ana).get(self.url).content.decode()

    def holders(self):
        return self.page().split('id="holders"', 1)[1].split("</section>", 1)[0]

    def reveal(self, visitor, *, by_htmx=True, **form):
        form = {"reason": "ticket 42"} | form
        headers = HTMX if by_htmx else {}
        return visitor.post(reverse("tenants:reveal", args=[self.account.pk]), form, headers=headers)

    def version_may_be(self, password, status):
        """A change whose answer was lost: another password that may be in force."""
        secret = self.account.secret
        version = SecretVersion(reseller=self.world.reseller, secret=secret, number=2, status=status)
        version.sealed = self.world.outside.vault.seal(password.encode(), version.place)
        version.save()


class WhenAnAccountIsOpened(Desk):
    def test_it_names_the_holders_and_who_has_fetched_the_password(self):
        self.reveal(Visitor(self.ben))
        rows = dict(re.findall(r"<tr>\s*<td>(?:<a [^>]+>)?(Ana|Ben).*?</td>(.*?)</tr>", self.holders(), re.DOTALL))
        assert "Not fetched" in rows["Ana"]
        assert "Fetched" in rows["Ben"]
        assert "Not fetched" not in rows["Ben"]

    def test_somebody_without_an_authenticator_is_marked(self):
        assert "None yet" not in self.page()
        self.world.technician("Dora")
        person = self.world.technician("Dina")
        self.world.give(self.account, person)
        Authenticator.objects.filter(technician=person).delete()
        assert "None yet" in self.page(self.world.owner)

    def test_it_counts_the_places_and_marks_what_belongs_to_nobody(self):
        self.world.enrol(self.account, self.ana)
        Authenticator.objects.filter(technician=self.ana).last().delete()
        page = self.page()
        assert "3 of 5" in page
        assert page.count("Unknown: bound to nobody") == 1
        assert "Shared by all holders" in page

    def test_an_authenticator_of_somebody_not_assigned_any_more_is_marked(self):
        self.ben.assignments.update(until_at=timezone.now())
        assert "Not assigned any more" in self.page()

    def test_an_authenticator_of_somebody_who_left_is_marked(self):
        self.world.offboard(self.ben)
        methods = self.page().split("Methods", 1)[1]
        assert re.search(r"Ben\s*<span class=\"badge bg-red-lt\">Left</span>", methods)

    def test_the_versions_are_listed_newest_first_without_their_values(self):
        self.version_may_be("Another-Password-1", "unverified")
        page = self.page()
        assert page.index("Sent; it may be in force, not proven") < page.index(">In force<")
        assert "Another-Password-1" not in page

    def test_the_password_is_nowhere_in_the_page(self):
        for person in (self.ana, self.world.owner):
            assert self.password not in self.page(person)

    def test_somebody_without_the_account_does_not_find_it(self):
        assert Visitor(self.carl).get(self.url).status_code == 404
        assert self.reveal(Visitor(self.carl)).status_code == 404

    def test_ten_methods_and_holders_cost_as_many_queries_as_two(self, django_assert_max_num_queries):
        office, visitor = Office("Southwind"), None
        account = office.account(office.tenant("Litware"))
        office.give(account, office.owner, office.person("P"))
        visitor = Visitor(office.owner)
        url = reverse("tenants:account", args=[account.pk])

        def queries():
            with django_assert_max_num_queries(48) as used:
                assert visitor.get(url).status_code == 200
            return len(used)

        few = queries()
        for number in range(28):
            person = office.person(f"P{number}")
            office.give(account, person)
            office.reveal(account, person)
        assert queries() == few


class WhenThePasswordIsAskedFor(Desk):
    def test_with_a_reason_and_a_fresh_factor_it_comes_once_in_a_fragment(self):
        visitor = Visitor(self.ana)
        answer = self.reveal(visitor)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert self.password in page
        assert "<html" not in page
        assert "no-store" in answer["Cache-Control"]
        assert self.password not in visitor.get(self.url).content.decode()

    def test_who_has_fetched_it_is_true_on_the_page_at_once(self):
        visitor = Visitor(self.ana)
        assert self.fetched(visitor.get(self.url).content.decode()) == 0
        fragment = self.reveal(visitor).content.decode()
        assert re.findall(r'<div id="(\w+)" hx-swap-oob="true">', fragment) == ["holders", "versions"]
        assert self.fetched(fragment) == self.fetched(visitor.get(self.url).content.decode()) == 1

    def fetched(self, page):
        return len(re.findall(r"<td>Fetched\s+<time", page))

    def test_it_is_written_down_with_its_reason(self):
        self.reveal(Visitor(self.ana), reason="the printer is down")
        revealed = Reveal.objects.get()
        assert (revealed.technician, revealed.reason) == (self.ana, "the printer is down")
        assert Entry.objects.get(verb="password.revealed").facts["reason"] == "the printer is down"

    def test_it_hides_itself(self):
        assert 'data-hide-after="30"' in self.reveal(Visitor(self.ana)).content.decode()

    def test_the_form_stays_with_what_was_typed_for_the_next_act(self):
        page = self.reveal(Visitor(self.ana)).content.decode()
        assert 'value="ticket 42"' in page
        assert "Copy the password" in page

    def test_without_script_it_is_on_the_page_that_answers(self):
        answer = self.reveal(Visitor(self.ana), by_htmx=False)
        page = answer.content.decode()
        assert "<html" in page
        assert self.password in page
        assert "no-store" in answer["Cache-Control"]

    def test_an_old_factor_asks_for_a_code_first(self):
        visitor = Visitor(self.ana, fresh=False)
        assert 'name="code"' in visitor.get(self.url).content.decode()
        answer = self.reveal(visitor)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert self.password not in page
        assert 'name="code"' in page
        assert "ticket 42" in page
        assert not Reveal.objects.exists()

    def test_a_wrong_code_shows_nothing(self):
        visitor = Visitor(self.ana, fresh=False)
        answer = self.reveal(visitor, code="000000" if visitor.code() != "000000" else "111111")
        assert answer.status_code == 422
        assert "wrong or was used already" in answer.content.decode()
        assert not Reveal.objects.exists()

    def test_the_right_code_shows_it_and_is_not_asked_again_for_a_while(self):
        visitor = Visitor(self.ana, fresh=False)
        assert self.password in self.reveal(visitor, code=visitor.code()).content.decode()
        assert 'name="code"' not in visitor.get(self.url).content.decode()

    def test_without_a_reason_it_is_not_shown(self):
        answer = self.reveal(Visitor(self.ana), reason="   ")
        assert answer.status_code == 422
        assert "Say what you need the password for" in answer.content.decode()
        assert not Reveal.objects.exists()

    def test_whoever_sees_everything_needs_an_assignment_all_the_same(self):
        owner = Visitor(self.world.owner)
        assert "not assigned to you" in owner.get(self.url).content.decode()
        answer = self.reveal(owner)
        assert answer.status_code == 422
        assert "not assigned to you" in answer.content.decode()
        assert self.password not in answer.content.decode()
        assert self.reveal(owner, by_htmx=False).status_code == 403

    def test_an_assignment_that_has_ended_is_none(self):
        visitor = Visitor(self.ana)
        self.ana.assignments.update(until_at=timezone.now())
        assert self.reveal(visitor).status_code == 404

    def test_an_auditor_may_not(self):
        auditor = self.world.technician("Aud", Role.AUDITOR)
        assert self.reveal(Visitor(auditor)).status_code == 403

    def test_while_a_change_is_not_proven_both_are_shown_with_their_labels(self):
        self.version_may_be("Another-Password-1", "unverified")
        page = self.reveal(Visitor(self.ana)).content.decode()
        assert page.index("Another-Password-1") < page.index(self.password)
        assert "One of these signs in" in page
        assert "Sent; it may be in force, not proven" in page

    def test_every_version_says_what_to_do_with_it(self):
        self.version_may_be("Another-Password-1", "unverified")
        SecretVersion.objects.filter(number=1).update(status="doubtful")
        page = self.reveal(Visitor(self.ana)).content.decode()
        assert "nothing proves yet that it is in force" in page
        assert "changed, and not by Latchkey" in page

    def test_a_password_with_markup_in_it_stays_a_password(self):
        self.version_may_be("<b>\"&'x", "unverified")
        page = self.reveal(Visitor(self.ana)).content.decode()
        assert "<b>" not in page
        assert "&lt;b&gt;&quot;&amp;&#x27;x" in page

    def test_a_look_at_the_address_shows_nothing(self):
        assert Visitor(self.ana).get(reverse("tenants:reveal", args=[self.account.pk])).status_code == 405


class WhenThePasswordIsCopied(Desk):
    """The script of the page asks for it, and puts it into the clipboard and nowhere else."""

    def copy(self, visitor, **form):
        url = reverse("tenants:copy", args=[self.account.pk])
        headers = {"Accept": "application/json, text/html;q=0.9"}
        return visitor.post(url, {"reason": "ticket 42", "version": "1"} | form, headers=headers)

    def test_it_comes_once_in_an_answer_that_nobody_stores(self):
        visitor = Visitor(self.ana)
        answer = self.copy(visitor)
        assert answer.json()["password"] == self.password
        assert "no-store" in answer["Cache-Control"]
        assert self.password not in visitor.get(self.url).content.decode()

    def test_the_page_says_so_without_the_password(self):
        part = self.copy(Visitor(self.ana)).json()["part"]
        assert self.password not in part
        assert "Version 1 is in the clipboard" in part
        assert 'data-clear-after="30"' in part
        assert re.findall(r'<div id="(\w+)" hx-swap-oob="true">', part) == ["holders", "versions"]

    def test_it_is_another_act_than_showing(self):
        self.copy(Visitor(self.ana))
        assert Reveal.objects.get().act == "copied"
        assert Entry.objects.filter(verb="password.copied").exists()
        assert not Entry.objects.filter(verb="password.revealed").exists()

    def test_of_two_versions_the_button_names_the_one_that_goes(self):
        self.version_may_be("Another-Password-1", "unverified")
        page = self.page()
        assert page.index("Copy version 2") < page.index("Copy version 1")
        assert self.copy(Visitor(self.ana), version="2").json()["password"] == "Another-Password-1"
        assert Reveal.objects.get().version.number == 2

    @pytest.mark.parametrize("version", ["7", "one", "-1"])
    def test_a_version_that_is_not_there_gives_nothing(self, version):
        answer = self.copy(Visitor(self.ana), version=version)
        assert answer.status_code == 422
        assert self.password not in answer.content.decode()
        assert not Reveal.objects.exists()

    def test_what_is_refused_is_said_in_the_card(self):
        answer = self.copy(Visitor(self.ana), reason="")
        assert answer.status_code == 422
        assert "Say what you need the password for" in answer.content.decode()
        assert "<html" not in answer.content.decode()

    def test_an_old_factor_asks_for_a_code_first(self):
        answer = self.copy(Visitor(self.ana, fresh=False))
        assert answer.status_code == 422
        assert 'name="code"' in answer.content.decode()
        assert not Reveal.objects.exists()

    @pytest.mark.parametrize("headers", [{}, HTMX, {"Accept": "*/*"}])
    def test_without_the_script_nothing_goes_and_the_page_says_what_to_do(self, headers):
        url = reverse("tenants:copy", args=[self.account.pk])
        answer = Visitor(self.ana).post(url, {"reason": "ticket 42", "version": "1"}, headers=headers)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "Show it instead" in page
        assert self.password not in page
        assert not Reveal.objects.exists()

    def test_the_button_is_not_there_without_script_and_is_not_what_the_enter_key_presses(self):
        [button] = re.findall(r"<button[^>]* data-copies [^>]*>", self.page())
        assert 'type="button" hidden' in button


class WhenSomebodyTookUnusuallyMany(Desk):
    def test_those_who_see_people_read_it_here_and_on_the_dashboard_and_the_person_does_not(self):
        detail = "Ana took the passwords of 11 different accounts"
        open_finding(Finding.Kind.UNUSUAL_REVEALS, tenant=self.account.tenant, account=self.account, detail=detail)
        assert detail in self.page(self.world.owner)
        assert detail not in self.page(self.ana)
        dashboard = Visitor(self.world.owner).get(reverse("web:dashboard")).content.decode()
        assert re.search(r"Open findings.*?>1<", dashboard, re.DOTALL)


class WhenSomebodyEnrols(Desk):
    def begin(self, visitor, person=None, **form):
        url = reverse("technicians:enrol", args=[self.account.pk])
        words = {"technician": (person or visitor.person).pk, "way": "microsoft_page"}
        return visitor.post(url, words | form, follow=True)

    def at_microsoft(self, label="new phone"):
        self.world.cloud.register(self.world.directory_id(self.account), self.account.object_id, "software_oath", label)

    def finish(self, visitor):
        url = reverse("technicians:enrol_finish", args=[Enrolment.objects.get().pk])
        return visitor.post(url, follow=True).content.decode()

    def test_the_page_says_what_to_do_at_microsoft(self):
        page = self.begin(Visitor(self.ana)).content.decode()
        assert "mysignins.microsoft.com/security-info" in page
        assert self.account.user_principal_name in page
        assert "Waiting for the authenticator" in page
        assert self.password not in page

    def test_the_one_new_method_becomes_theirs(self):
        visitor = Visitor(self.ana)
        self.begin(visitor)
        self.at_microsoft()
        page = self.finish(visitor)
        assert "The new authenticator is bound to Ana." in page
        assert self.ana.authenticators.filter(proof="observed").count() == 1
        assert Enrolment.objects.get().status == "active"

    def test_nothing_new_is_said_and_binds_nothing(self):
        visitor = Visitor(self.ana)
        self.begin(visitor)
        assert "Nothing new is on the account yet" in self.finish(visitor)
        assert Enrolment.objects.get().status == "waiting_for_scan"

    def test_two_new_methods_bind_nobody(self):
        visitor = Visitor(self.ana)
        self.begin(visitor)
        self.at_microsoft("one")
        self.at_microsoft("two")
        assert "it cannot be said whose they are" in self.finish(visitor)
        assert not self.ana.authenticators.filter(proof="observed").exists()

    def test_it_needs_a_fresh_factor(self):
        page = self.begin(Visitor(self.ana, fresh=False)).content.decode()
        assert "This needs a fresh code" in page
        assert not Enrolment.objects.exists()

    def test_one_enrols_for_another_only_with_the_right_to(self):
        assert self.begin(Visitor(self.ana), self.ben).status_code == 404
        assert self.begin(Visitor(self.world.owner), self.ben).status_code == 200
        assert Enrolment.objects.get().technician == self.ben

    def test_nobody_is_enrolled_on_an_account_that_is_not_theirs(self):
        page = self.begin(Visitor(self.world.owner), self.carl).content.decode()
        assert "is not assigned to Carl" in page
        assert not Enrolment.objects.exists()

    def test_nonsense_instead_of_a_person_is_not_found(self):
        url = reverse("technicians:enrol", args=[self.account.pk])
        assert Visitor(self.ana).post(url, {"technician": "nonsense"}).status_code == 404

    def test_it_can_be_cancelled_and_is_closed_then(self):
        visitor = Visitor(self.ana)
        self.begin(visitor)
        enrolment = Enrolment.objects.get()
        page = visitor.post(reverse("technicians:enrol_cancel", args=[enrolment.pk]), follow=True).content.decode()
        assert "The enrolment is cancelled." in page
        assert (
            "This enrolment is closed."
            in visitor.get(reverse("technicians:enrolment", args=[enrolment.pk])).content.decode()
        )
        assert "This enrolment is closed" in self.finish(visitor)

    def test_a_colleague_does_not_see_it(self):
        self.begin(Visitor(self.ana))
        url = reverse("technicians:enrolment", args=[Enrolment.objects.get().pk])
        assert Visitor(self.ben).get(url).status_code == 404

    def test_the_account_says_that_somebody_is_enrolling(self):
        self.begin(Visitor(self.ana))
        assert "Ana is enrolling an authenticator" in self.page(self.world.owner)
