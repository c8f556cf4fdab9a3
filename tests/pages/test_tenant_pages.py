"""The dashboard, the search box, the list of tenants and one tenant: what each person sees, at a constant price."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from msp.errors import NoConnection
from technicians.models import Role
from tenants.models import Finding, Tenant, TenantGroup
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

LIST = "/tenants/"
FRAGMENT = {"HX-Request": "true", "HX-Target": "list"}


class Shop:
    """Ana has Contoso, Ben has Fabrikam, nobody has Tailspin; Contoso has a method of nobody."""

    @pytest.fixture(autouse=True)
    def _shop(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.fabrikam = self.office.account(self.office.tenant("Fabrikam"))
        self.tailspin = self.office.account(self.office.tenant("Tailspin"))
        self.office.give(self.contoso, self.ana)
        self.office.give(self.fabrikam, self.ben)
        self.stray = self.office.method(self.contoso, "iPhone 14", kind="microsoft_authenticator")
        self.owner = Visitor(self.office.owner)

    def finding(self, account, kind=Finding.Kind.UNKNOWN_METHOD):
        return Finding.objects.create(
            reseller=self.office.reseller, tenant=account.tenant, account=account, kind=kind, detail="nobody's phone"
        )

    def names(self, page):
        """The customers in the table, in order."""
        return re.findall(r'<td><a href="/tenants/[^"]+/">([^<]+)</a></td>', page)

    def row(self, page, name):
        row = re.search(rf"<tr>\s*<td><a [^>]+>{name}</a></td>.*?</tr>", page, re.DOTALL)
        assert row
        return re.sub(r"<[^>]+>|\s+", " ", row[0])


class WhenTheTenantsAreListed(Shop):
    def test_whoever_sees_everything_sees_every_tenant_by_customer(self):
        assert self.names(self.owner.get(LIST).content.decode()) == ["Contoso", "Fabrikam", "Tailspin"]

    def test_a_technician_sees_those_of_the_own_accounts(self):
        assert self.names(Visitor(self.ana).get(LIST).content.decode()) == ["Contoso"]

    def test_a_line_counts_accounts_holders_and_findings(self):
        self.office.assign(self.contoso, self.ben)
        self.finding(self.contoso)
        self.finding(self.contoso, Finding.Kind.PUSH_ON_SHARED)
        row = self.row(self.owner.get(LIST).content.decode(), "Contoso")
        assert row.split() == ["Contoso", "contoso.example", "1", "2", "2", "open", "Never"]

    def test_a_tenant_without_connection_says_so(self):
        Tenant.objects.filter(pk=self.fabrikam.tenant_id).update(connection_problem="consent is gone")
        assert "No connection" in self.row(self.owner.get(LIST).content.decode(), "Fabrikam")

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("q=contoso", ["Contoso"]),
            ("q=FABRIKAM.exam", ["Fabrikam"]),
            ("q=example+tail", ["Tailspin"]),
            ("q=nothing", []),
            ("show=unknown", ["Contoso"]),
            ("show=findings", ["Fabrikam"]),
            ("show=unconnected", []),
            ("show=unread", ["Contoso", "Tailspin"]),
            ("show=nonsense", ["Contoso", "Fabrikam", "Tailspin"]),
        ],
    )
    def test_words_and_filters_narrow_it(self, asked, found):
        self.finding(self.fabrikam)
        Tenant.objects.filter(pk=self.fabrikam.tenant_id).update(observed_at=timezone.now())
        assert self.names(self.owner.get(f"{LIST}?{asked}").content.decode()) == found

    def test_htmx_gets_the_table_only(self):
        page = self.owner.get(f"{LIST}?q=contoso", headers=FRAGMENT).content.decode()
        assert "<html" not in page
        assert self.names(page) == ["Contoso"]

    def test_fifty_are_on_a_page_and_the_filter_stays_when_turning_it(self):
        for number in range(55):
            self.office.tenant(f"Many {number:02}")
        page = self.owner.get(f"{LIST}?q=many").content.decode()
        assert len(self.names(page)) == 50
        assert "1 to 50 of 55" in page
        following = re.search(r'rel="next" href="([^"]+)"', page)
        assert following
        rest = self.owner.get(following[1].replace("&amp;", "&")).content.decode()
        assert self.names(rest) == [f"Many {n}" for n in range(50, 55)]

    def test_when_nothing_fits_it_says_what_to_do(self):
        page = self.owner.get(f"{LIST}?q=zzz").content.decode()
        assert "No tenant matches these words" in page
        assert "Show all tenants" in page

    def test_without_tenants_it_says_what_to_do(self):
        other = Office("Southwind")
        assert reverse("import:start") in Visitor(other.owner).get(LIST).content.decode()
        newcomer = Visitor(self.office.person("Nina")).get(LIST).content.decode()
        assert "as soon as somebody assigns you" in newcomer

    def test_thirty_tenants_cost_as_many_queries_as_three(self, django_assert_max_num_queries):
        def queries():
            with django_assert_max_num_queries(30) as used:
                self.owner.get(LIST)
            return len(used)

        three = queries()
        for account in self.office.held_by(self.ana, self.ben, tenants=27):
            self.finding(account)
        assert queries() == three


class WhenATenantIsOpened(Shop):
    def page(self, visitor=None, account=None):
        tenant_id = (account or self.contoso).tenant_id
        return (visitor or self.owner).get(reverse("tenants:detail", args=[tenant_id])).content.decode()

    def test_it_shows_facts_accounts_places_and_what_is_wrong(self):
        self.finding(self.contoso)
        page = self.page()
        assert str(self.contoso.tenant.directory_id) in page
        assert "admin@contoso.example" in page
        assert "2 of 5" in page
        assert "1 of nobody" in page
        assert "nobody&#x27;s phone" in page

    def test_it_lists_the_runs_on_it_and_no_others(self):
        self.office.offboard(self.ana)
        assert "Offboarding: Ana" in self.page()
        assert "Offboarding: Ana" not in self.page(account=self.fabrikam)

    def test_a_technician_sees_no_runs_and_cannot_have_it_read(self):
        page = self.page(Visitor(self.ana))
        assert "Read now" not in page
        assert "Runs" not in page

    def test_why_there_is_no_connection_is_said(self):
        Tenant.objects.filter(pk=self.contoso.tenant_id).update(connection_problem="The application is not known.")
        assert "The application is not known." in self.page()

    def test_thirty_accounts_cost_as_many_queries_as_three(self, django_assert_max_num_queries):
        def queries():
            with django_assert_max_num_queries(30) as used:
                self.page()
            return len(used)

        self.office.account(self.contoso.tenant, "second")
        few = queries()
        for number in range(28):
            account = self.office.account(self.contoso.tenant, f"admin{number}")
            self.office.give(account, self.ana, self.ben)
            self.finding(account)
        assert queries() == few

    def test_its_groups_are_shown_to_whoever_may_see_them(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="Northern customers")
        group.tenants.add(self.contoso.tenant)
        address = reverse("tenants:detail", args=[self.contoso.tenant_id])
        assert "Northern customers" in self.owner.get(address).content.decode()
        assert "Northern customers" not in Visitor(self.ana).get(address).content.decode()


class WhenATenantIsReadNow:
    """At the simulated cloud, through the page."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work):
        self.world = at_work
        self.tenant = at_work.tenant("Contoso")
        self.account = at_work.account(self.tenant)
        self.url = reverse("tenants:observe", args=[self.tenant.pk])

    def read(self, person=None):
        return Visitor(person or self.world.owner).post(self.url, follow=True).content.decode()

    def test_what_is_there_is_on_the_page_afterwards(self):
        self.world.cloud.register(str(self.tenant.directory_id), self.account.object_id, "software_oath", "phone")
        page = self.read()
        assert "Read 1 account just now." in page
        assert "1 of 5" in page
        self.account.refresh_from_db()
        assert self.account.observed_at

    def test_what_went_wrong_is_said_in_words(self, monkeypatch):
        def closed(*_args):
            raise NoConnection("Consent was withdrawn. Give it again.")

        monkeypatch.setattr("tenants.actions.observe_tenant.observe_account", lambda *_a, **_n: closed())
        page = self.read()
        assert f"{self.account} was not read. Consent was withdrawn. Give it again." in page

    def test_looking_at_the_address_reads_nothing(self):
        assert Visitor(self.world.owner).get(self.url).status_code == 405

    def test_an_auditor_may_not(self):
        auditor = self.world.technician("Aud", Role.AUDITOR)
        assert Visitor(auditor).post(self.url).status_code == 403
        self.account.refresh_from_db()
        assert self.account.observed_at is None


class WhenTheDashboardIsOpened(Shop):
    def figures(self, visitor=None):
        page = (visitor or self.owner).get("/").content.decode()
        found = re.findall(
            r'href="([^"]+)">\s*<span class="card-body">\s*<span class="figure-label">([^<]+)</span>\s*'
            r'<span class="figure-number">(\d+)</span>',
            page,
        )
        return {label: (int(number), url) for url, label, number in found}

    def test_each_figure_counts_and_leads_to_the_list_behind_it(self):
        self.finding(self.contoso)
        run = self.office.offboard(self.ana)
        Tenant.objects.filter(pk=self.tailspin.tenant_id).update(connection_problem="no consent")
        assert self.figures() == {
            "Open findings": (1, "/tenants/?show=findings"),
            "Accounts with unknown methods": (1, "/tenants/?show=unknown"),
            "Tenants without connection": (1, "/tenants/?show=unconnected"),
            "Runs that need attention": (1, "/tenants/runs/"),
            "Runs under way": (1, "/tenants/runs/"),
            "Leavers": (1, "/technicians/?show=left"),
        }
        assert reverse("tenants:run", args=[run.pk]) in self.owner.get("/").content.decode()
        for _number, url in self.figures().values():
            assert self.owner.get(url).status_code == 200

    def test_a_technician_counts_only_what_is_in_reach(self):
        self.finding(self.fabrikam)
        figures = self.figures(Visitor(self.ana))
        assert figures["Open findings"][0] == 0
        assert "Leavers" not in figures
        assert "Runs under way" not in figures

    def test_a_technician_sees_which_passwords_are_new(self):
        self.office.give(self.fabrikam, self.ana)
        self.office.reveal(self.contoso, self.ana)
        page = Visitor(self.ana).get("/").content.decode()
        assert page.index("admin@fabrikam.example") < page.index("admin@contoso.example")
        assert page.count("New: not fetched") == 1
        assert "admin@tailspin.example" not in page

    def test_it_says_how_old_the_readings_are(self):
        assert "No tenant was read yet" in self.owner.get("/").content.decode()
        Tenant.objects.filter(pk=self.contoso.tenant_id).update(observed_at="2026-02-03T04:05:00Z")
        assert "2026-02-03 04:05" in self.owner.get("/").content.decode()

    def test_an_empty_installation_says_where_to_begin(self):
        page = Visitor(Office("Southwind").owner).get("/").content.decode()
        assert "Begin with your customers" in page
        assert reverse("import:start") in page

    def test_more_of_everything_costs_no_more_queries(self, django_assert_max_num_queries):
        def queries():
            with django_assert_max_num_queries(40) as used:
                self.owner.get("/")
            return len(used)

        self.office.give(self.contoso, self.office.owner)
        self.office.offboard(self.ana)
        few = queries()
        for account in self.office.held_by(self.ben, self.office.owner, tenants=30):
            self.finding(account)
        self.office.offboard(self.ben)
        assert queries() == few


class WhenSomethingIsSearched(Shop):
    def found(self, words, visitor=None):
        answer = (visitor or self.owner).get(reverse("web:search"), {"q": words}, headers={"HX-Request": "true"})
        page = answer.content.decode()
        assert "<html" not in page
        return re.findall(r'found-link" href="([^"]+)"', page), page

    def test_it_finds_accounts_tenants_customers_and_people(self):
        links, _page = self.found("contoso")
        assert links == [
            reverse("tenants:account", args=[self.contoso.pk]),
            reverse("tenants:detail", args=[self.contoso.tenant_id]),
            "/tenants/?q=Contoso",
        ]
        assert self.found("ana")[0] == [reverse("technicians:detail", args=[self.ana.pk])]

    def test_every_word_must_fit(self):
        assert self.found("admin contoso")[0] == [reverse("tenants:account", args=[self.contoso.pk])]
        assert self.found("contoso fabrikam")[0] == []

    def test_a_technician_finds_only_what_is_in_reach_and_no_people(self):
        visitor = Visitor(self.ana)
        assert self.found("example", visitor)[0] == [
            reverse("tenants:account", args=[self.contoso.pk]),
            reverse("tenants:detail", args=[self.contoso.tenant_id]),
        ]
        assert self.found("ben", visitor)[0] == []

    def test_nothing_found_is_said_and_what_was_typed_stays_text(self):
        _links, page = self.found("<b>zzz</b>")
        assert "Nothing that you may see contains" in page
        assert "&lt;b&gt;zzz" in page

    def test_one_hit_opens_at_once_without_script(self):
        answer = self.owner.get(reverse("web:search"), {"q": "admin@fabrikam"})
        assert answer.url == reverse("tenants:account", args=[self.fabrikam.pk])

    def test_several_are_a_page(self):
        page = self.owner.get(reverse("web:search"), {"q": "admin"}).content.decode()
        assert "<html" in page
        assert page.count("found-link") == 3
