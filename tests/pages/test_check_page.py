"""The page of a tenant's check, and the way to Microsoft's consent page and back."""

from __future__ import annotations

import datetime as dt
import json
import re
import ssl
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.core import signing
from django.urls import reverse
from django.utils import timezone

from msp.ledger.models import Entry
from msp.microsoft.ports import Access
from technicians.models import Role
from tenants.actions import give_consent
from tenants.check_facts import CheckItem, CheckState, worst_of
from tenants.models import TenantCheck
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

CALLBACK = "/tenants/consent/"


def text_of(page: str) -> str:
    return re.sub(r"<[^>]+>|\s+", " ", page)


class Shelf:
    """Checks that were made before, as rows: Contoso has two accounts, Ana holds one of them."""

    @pytest.fixture(autouse=True)
    def _shelf(self, db: None) -> None:
        self.office = Office()
        self.ana = self.office.person("Ana")
        self.tenant = self.office.tenant("Contoso")
        self.hers = self.office.account(self.tenant)
        self.other = self.office.account(self.tenant, "break-glass")
        self.office.give(self.hers, self.ana)
        self.url = reverse("tenants:check", args=[self.tenant.pk])

    def keep(self, *items: CheckItem, **facts: Any) -> TenantCheck:
        return TenantCheck.objects.create(
            reseller=self.office.reseller,
            tenant=self.tenant,
            items=[i.as_json() for i in items],
            worst=worst_of(items),
            **facts,
        )

    def page(self, person: Any = None) -> str:
        return Visitor(person or self.office.owner).get(self.url).content.decode()

    def of_account(self, account: Any, state: CheckState = CheckState.WRONG) -> CheckItem:
        return CheckItem(f"account.{account.pk}", state, f"{account} is odd.", "Mend it.", account_id=str(account.pk))


class WhenThePageIsOpened(Shelf):
    def test_a_tenant_that_was_never_checked_says_what_to_do(self):
        assert "Never checked" in self.page()
        assert "Press Check now" in self.page()
        assert "Press Check now" not in self.page(self.ana)

    def test_the_worst_group_comes_first_with_its_remedy(self):
        self.keep(
            CheckItem("credential", CheckState.OK, "The certificate is fine."),
            CheckItem("licence.premium", CheckState.WARNING, "There is no P1.", "Buy one."),
            CheckItem("clock", CheckState.WRONG, "The clock is off.", "Set it by NTP."),
        )
        page = text_of(self.page())
        assert page.index("The clock is off.") < page.index("There is no P1.") < page.index("The certificate is fine.")
        assert "Set it by NTP." in page
        assert "1 Wrong" in page

    def test_it_says_how_old_the_figures_are_and_who_asked(self):
        at = timezone.now() - dt.timedelta(hours=3)
        self.keep(CheckItem("clock", CheckState.OK, "Fine."), checked_at=at, by=self.office.owner)
        page = text_of(self.page())
        assert f"{at:%Y-%m-%d %H:%M}" in page
        assert "3 hours ago" in page
        assert "Olga" in page

    def test_earlier_ones_are_listed_below(self):
        self.keep(CheckItem("clock", CheckState.WRONG, "Was off.", "Set it."), checked_at="2026-01-02T03:04:05Z")
        self.keep(CheckItem("clock", CheckState.OK, "Is right."))
        page = text_of(self.page())
        assert "Is right." in page
        assert "Was off." not in page
        assert "2026-01-02 03:04" in page

    def test_a_technician_sees_nothing_of_accounts_out_of_reach(self):
        self.keep(self.of_account(self.hers, CheckState.WARNING), self.of_account(self.other))
        assert "break-glass@contoso.example" in self.page()
        hers = self.page(self.ana)
        assert "admin@contoso.example" in hers
        assert "break-glass@contoso.example" not in hers
        assert "Wrong" not in text_of(hers)
        assert "Check now" not in hers

    def test_what_microsoft_said_stays_text(self):
        self.keep(CheckItem("tenant", CheckState.WRONG, "<b>odd</b>", "<i>mend</i>"))
        assert "&lt;b&gt;odd" in self.page()
        assert "<i>mend" not in self.page()

    def test_the_tenants_page_leads_to_it(self):
        detail = reverse("tenants:detail", args=[self.tenant.pk])
        assert f'href="{self.url}"' in Visitor(self.office.owner).get(detail).content.decode()

    def test_twenty_checks_cost_as_many_queries_as_one(self, django_assert_max_num_queries: Any):
        def queries() -> int:
            with django_assert_max_num_queries(32) as used:
                self.page()
            return len(used)

        Visitor(self.office.owner)
        self.keep(self.of_account(self.hers), by=self.office.owner)
        self.page()
        one = queries()
        for _ in range(19):
            self.keep(self.of_account(self.hers), self.of_account(self.other), by=self.ana)
        assert queries() == one


class AtMicrosoft:
    """Contoso at the simulated cloud; Olga, who may check, and her browser."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work: World) -> None:
        self.world, self.cloud = at_work, at_work.cloud
        self.client_id = at_work.connection.client_id
        self.tenant = at_work.tenant("Contoso")
        self.account = at_work.account(self.tenant)
        self.directory_id = str(self.tenant.directory_id)
        self.url = reverse("tenants:check", args=[self.tenant.pk])
        self.now = reverse("tenants:check_now", args=[self.tenant.pk])
        self.olga = Visitor(at_work.owner)

    def link(self, visitor: Visitor | None = None) -> str:
        """The consent link on the page."""
        found = re.search(r'href="([^"]+/adminconsent\?[^"]+)"', (visitor or self.olga).get(self.url).content.decode())
        return found[1].replace("&amp;", "&") if found else ""

    def asked(self, visitor: Visitor | None = None) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.link(visitor)).query).items()}

    def without_consent(self) -> None:
        self.cloud.withdraw_consent(self.client_id, self.directory_id)
        self.olga.post(self.now)

    def comes_back(self, visitor: Visitor | None = None, **answer: str) -> Any:
        said = {"tenant": self.directory_id, "admin_consent": "True"} | answer
        return (visitor or self.olga).get(CALLBACK, {k: v for k, v in said.items() if v})


class WhenATenantIsCheckedNow(AtMicrosoft):
    def test_the_result_is_on_the_page(self):
        page = text_of(self.olga.post(self.now, follow=True).content.decode())
        assert "Checked just now: nothing is wrong." in page
        assert f"{self.account} is there, enabled and cloud-only." in page

    def test_what_is_wrong_is_counted_and_there_is_no_consent_link_without_need(self):
        self.cloud.set_enabled(self.directory_id, self.account.user_principal_name, False)
        page = text_of(self.olga.post(self.now, follow=True).content.decode())
        assert f"The sign-in of {self.account} is blocked" in page
        assert self.link() == ""

    def test_looking_at_the_address_checks_nothing(self):
        assert self.olga.get(self.now).status_code == 405
        assert not TenantCheck.objects.exists()

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.TECHNICIAN])
    def test_who_may_not_is_refused(self, role: str):
        assert Visitor(self.world.technician("Rob", role)).post(self.now).status_code == 403
        assert not TenantCheck.objects.exists()


class WhenConsentIsMissing(AtMicrosoft):
    def test_the_page_has_microsofts_link_for_this_tenant(self):
        self.without_consent()
        link = urlsplit(self.link())
        assert f"{link.scheme}://{link.netloc}" == self.world.simulator.url
        assert link.path == f"/{self.directory_id}/adminconsent"
        assert self.asked()["client_id"] == self.client_id
        assert self.asked()["redirect_uri"] == f"http://testserver{CALLBACK}"

    def test_the_browser_comes_back_to_the_public_address_where_there_is_one(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("LATCHKEY_URL", "https://keys.example/")
        self.without_consent()
        assert self.asked()["redirect_uri"] == f"https://keys.example{CALLBACK}"

    def test_the_link_holds_nothing_of_the_session(self):
        self.without_consent()
        assert str(self.olga.session.session_key) not in self.link()

    def test_an_auditor_gets_no_link(self):
        self.without_consent()
        assert self.link(Visitor(self.world.technician("Aud", Role.AUDITOR))) == ""


class WhenTheLinkIsFollowedToMicrosoftsPage(AtMicrosoft):
    def decide(self, decision: str) -> Any:
        """Press a button on the page behind the link, and go where it sends the browser."""
        with httpx.Client(verify=ssl.create_default_context(cafile=self.world.connection.ca_bundle)) as browser:
            page = browser.get(self.link())
            assert page.status_code == 200
            asked = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page.text)}
            sent_on = browser.post(str(page.url).partition("?")[0], data=asked | {"decision": decision})
        back = urlsplit(sent_on.headers["location"])
        assert back.path == CALLBACK
        return self.olga.get(f"{back.path}?{back.query}", follow=True)

    def test_accepting_there_leaves_only_the_role_to_be_given(self):
        self.without_consent()
        page = text_of(self.decide("grant").content.decode())
        assert "Consent was given." in page
        assert "Privileged Authentication Administrator" in page

    def test_declining_there_is_told_in_words(self):
        self.without_consent()
        assert "did not consent" in text_of(self.decide("deny").content.decode())


class WhenAnAdministratorConsented(AtMicrosoft):
    def test_the_tenant_is_checked_at_once_with_a_new_token(self):
        self.without_consent()
        state = self.asked()["state"]
        self.cloud.consent(self.client_id, self.directory_id)
        answer = self.comes_back(state=state)
        assert (answer.status_code, answer["Location"]) == (302, self.url)
        page = text_of(self.olga.get(self.url).content.decode())
        assert "Consent was given." in page
        assert "Checked just now: nothing is wrong." in page

    def test_it_is_in_the_ledger(self):
        self.without_consent()
        self.comes_back(state=self.asked()["state"])
        assert Entry.objects.filter(verb="consent.given", tenant_id=self.tenant.pk).count() == 1

    def test_consent_that_is_only_claimed_changes_nothing(self):
        self.without_consent()
        self.comes_back(state=self.asked()["state"])
        assert TenantCheck.objects.filter(tenant=self.tenant).first().worst == CheckState.WRONG


class WhenTheAnswerIsNotTheOneAskedFor(AtMicrosoft):
    def refused(self, answer: Any) -> str:
        assert answer.status_code == 200
        assert not Entry.objects.filter(verb="consent.given").exists()
        return text_of(answer.content.decode())

    def test_the_administrator_who_said_no_is_told_in_words(self):
        self.without_consent()
        state = self.asked()["state"]
        said = self.refused(self.comes_back(state=state, error="permission_denied", admin_consent="", tenant=""))
        assert "did not consent, or may not. Nothing was granted." in said

    def test_another_error_is_named_but_never_its_markup(self):
        self.without_consent()
        state = self.asked()["state"]
        assert "(server_error)" in self.refused(self.comes_back(state=state, error="server_error"))
        assert "script" not in self.refused(self.comes_back(state=state, error="<script>alert(1)</script>"))

    def test_another_tenants_consent_does_not_count(self):
        self.without_consent()
        other = self.world.tenant("Fabrikam")
        state = self.asked()["state"]
        said = self.refused(self.comes_back(state=state, tenant=str(other.directory_id)))
        assert "in another tenant than" in said
        assert "in another tenant than" in self.refused(self.comes_back(state=state, tenant="contoso"))

    @pytest.mark.parametrize("state", ["", "forged", "eyJ0ZW5hbnQiOiJ4In0:1tX:abc"])
    def test_a_state_that_nobody_signed_is_refused(self, state: str):
        assert "not to a question that you asked" in self.refused(self.comes_back(state=state))

    def test_a_state_signed_for_something_else_is_refused(self):
        state = signing.dumps({"tenant": str(self.tenant.pk)}, salt="something.else")
        assert "not to a question that you asked" in self.refused(self.comes_back(state=state))

    def test_another_persons_state_is_refused(self):
        self.without_consent()
        state = self.asked()["state"]
        mo = Visitor(self.world.technician("Mo", Role.MANAGER))
        assert "not to a question that you asked" in self.refused(self.comes_back(mo, state=state))

    def test_the_same_persons_other_session_is_refused(self):
        self.without_consent()
        state = self.asked()["state"]
        assert "not to a question that you asked" in self.refused(
            self.comes_back(Visitor(self.world.owner), state=state)
        )

    def test_an_old_one_counts_no_more(self, monkeypatch: pytest.MonkeyPatch):
        self.without_consent()
        state = self.asked()["state"]
        monkeypatch.setattr(give_consent, "LONGEST_SECONDS", -1)
        assert "more than an hour" in self.refused(self.comes_back(state=state))

    def test_an_answer_without_the_word_is_no_consent(self):
        self.without_consent()
        state = self.asked()["state"]
        assert "did not say that consent was given" in self.refused(self.comes_back(state=state, admin_consent="False"))

    def test_nobody_signed_in_is_sent_to_the_sign_in(self, client: Any):
        answer = client.get(CALLBACK, {"state": "x"})
        assert answer.status_code == 302
        assert "/access/sign-in" in answer["Location"]


class WhenAnotherWayIsChosen(AtMicrosoft):
    def choose(self, access: str) -> str:
        answer = self.olga.post(reverse("tenants:access", args=[self.tenant.pk]), {"access": access}, follow=True)
        self.tenant.refresh_from_db()
        return text_of(answer.content.decode())

    def test_it_counts_from_now_on_and_is_in_the_ledger(self):
        assert "Check now whether it works" in self.choose("partner")
        assert self.tenant.way == (self.directory_id, "global", Access.PARTNER)
        facts = json.loads(bytes(Entry.objects.get(verb="tenant.access_changed").body))["facts"]
        assert (facts["was"], facts["now"]) == ("application", "partner")

    def test_the_check_then_says_that_the_partners_sign_in_is_missing(self):
        self.choose("partner")
        assert "manage.py partner_token" in text_of(self.olga.post(self.now, follow=True).content.decode())

    def test_a_way_that_there_is_not_changes_nothing(self):
        assert "Nothing was changed" in self.choose("by-the-window")
        assert self.tenant.access == Access.APPLICATION
