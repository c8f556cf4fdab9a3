"""The list of technicians, one technician, and the accounts they are given and lose."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from technicians.models import Assignment, Role
from tenants.models import TenantGroup
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

LIST = "/technicians/"


class Team:
    """Ana holds Contoso and has fetched its password; Ben holds nothing."""

    @pytest.fixture(autouse=True)
    def _team(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.fabrikam = self.office.account(self.office.tenant("Fabrikam"))
        self.office.give(self.contoso, self.ana)
        self.office.reveal(self.contoso, self.ana)
        self.owner = Visitor(self.office.owner)

    def names(self, page):
        return re.findall(r'<td><a href="/technicians/[^"]+/">([^<]+)</a></td>', page)

    def page(self, person=None, visitor=None, status=200):
        answer = (visitor or self.owner).get(reverse("technicians:detail", args=[(person or self.ana).pk]))
        assert answer.status_code == status
        return answer.content.decode()


class WhenTechniciansAreListed(Team):
    def test_the_active_ones_come_with_what_they_hold(self):
        page = self.owner.get(LIST).content.decode()
        assert self.names(page) == ["Ana", "Ben", "Olga"]
        row = re.search(r"<tr>\s*<td><a [^>]+>Ana</a></td>.*?</tr>", page, re.DOTALL)
        assert row
        words = re.sub(r"<[^>]+>|\s+", " ", row[0]).split()
        assert words == ["Ana", "ana@northwind.example", "Technician", "Active", "1", "1"]

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("show=left", ["Ana"]),
            ("show=all", ["Ana", "Ben", "Olga"]),
            ("q=ben", ["Ben"]),
            ("q=ana", []),
            ("q=ana&show=all", ["Ana"]),
        ],
    )
    def test_words_and_filters_narrow_it(self, asked, found):
        self.office.offboard(self.ana)
        assert self.names(self.owner.get(f"{LIST}?{asked}").content.decode()) == found

    def test_htmx_gets_the_table_only(self):
        headers = {"HX-Request": "true", "HX-Target": "list"}
        page = self.owner.get(LIST, headers=headers).content.decode()
        assert "<html" not in page
        assert len(self.names(page)) == 3

    def test_when_nobody_has_left_it_says_what_that_takes(self):
        assert "press Offboard when somebody leaves" in self.owner.get(f"{LIST}?show=left").content.decode()

    def test_a_manager_of_some_tenants_sees_their_holders_and_counts_only_there(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="Fabrikam only")
        group.tenants.add(self.fabrikam.tenant)
        self.office.give(self.fabrikam, self.ana)
        manager = self.office.person("Mo", Role.MANAGER, groups=[group])
        page = Visitor(manager).get(LIST).content.decode()
        assert self.names(page) == ["Ana", "Mo"]
        row = re.search(r"<tr>\s*<td><a [^>]+>Ana</a></td>.*?</tr>", page, re.DOTALL)
        assert row
        assert re.sub(r"<[^>]+>|\s+", " ", row[0]).split()[-2:] == ["1", "1"]

    def test_thirty_people_cost_as_many_queries_as_three(self, django_assert_max_num_queries):
        def queries():
            with django_assert_max_num_queries(30) as used:
                self.owner.get(LIST)
            return len(used)

        few = queries()
        for number in range(27):
            self.office.give(self.contoso, self.office.person(f"Many {number}"))
        assert queries() == few


class WhenATechnicianIsOpened(Team):
    def test_it_shows_accounts_authenticators_and_what_was_fetched(self):
        page = self.page()
        assert page.count("admin@contoso.example") >= 3
        assert "Ana&#x27;s phone" in page
        assert "On the account" in page
        assert reverse("technicians:offboard", args=[self.ana.pk]) in page

    def test_each_long_list_is_paged_by_itself(self):
        for account in self.office.held_by(self.ana, tenants=60):
            self.office.reveal(account, self.ana)
        page = self.page()
        assert page.count("1 to 50 of 61") == 4
        assert page.count("On the account") == 50
        for part in ("assignments", "authenticators", "reveals", "knowledge"):
            address = f"{reverse('technicians:detail', args=[self.ana.pk])}?{part}=2"
            assert f'href="{address}#{part}"' in page
            assert f'id="{part}"' in page
            second = self.owner.get(address).content.decode()
            assert (second.count("51 to 61 of 61"), second.count("1 to 50 of 61")) == (1, 3)

    def test_the_other_pages_can_be_reached_after_a_mistake_too(self):
        self.office.held_by(self.ana, tenants=60)
        answer = self.owner.post(reverse("technicians:assign", args=[self.ana.pk]), {"account": "nobody"})
        address = reverse("technicians:detail", args=[self.ana.pk])
        assert f'href="{address}?assignments=2#assignments"' in answer.content.decode()

    def test_past_assignments_stay_on_the_page(self):
        self.ana.assignments.update(until_at=timezone.now())
        page = self.page()
        assert "admin@contoso.example" in page
        assert "Not now" in page

    def test_somebody_who_left_cannot_be_given_or_offboarded_again(self):
        self.office.offboard(self.ana)
        page = self.page()
        assert "Offboarding: Ana" in page
        assert "Still on the account" in page
        assert reverse("technicians:offboard", args=[self.ana.pk]) not in page
        assert reverse("technicians:assign", args=[self.ana.pk]) not in page

    def test_everybody_sees_their_own_page_and_no_colleagues(self):
        visitor = Visitor(self.ana)
        page = self.page(visitor=visitor)
        assert "Change my password" in page
        assert "Assign an account" not in page
        self.page(self.ben, visitor=visitor, status=404)

    def test_an_auditor_reads_and_changes_nothing(self):
        page = self.page(visitor=Visitor(self.office.person("Aud", Role.AUDITOR)))
        assert "admin@contoso.example" in page
        for word in ("Offboard<", "Assign an account", "End<"):
            assert word not in page

    def test_thirty_accounts_cost_as_many_queries_as_three(self, django_assert_max_num_queries):
        def queries():
            with django_assert_max_num_queries(40) as used:
                self.page()
            return len(used)

        few = queries()
        for account in self.office.held_by(self.ana, tenants=29):
            self.office.reveal(account, self.ana)
        assert queries() == few


class WhenAnAccountIsAssigned(Team):
    def assign(self, visitor=None, **form):
        form = {"account": "admin@fabrikam.example", "reason": "covers for Ana"} | form
        return (visitor or self.owner).post(reverse("technicians:assign", args=[self.ben.pk]), form, follow=True)

    def test_it_is_theirs_from_now_on(self):
        page = self.assign().content.decode()
        assert "admin@fabrikam.example is assigned to Ben from now on." in page
        made = Assignment.objects.get(technician=self.ben)
        assert (made.account, made.reason, made.granted_by) == (self.fabrikam, "covers for Ana", self.office.owner)
        assert made.until_at is None

    def test_it_may_end_with_a_day_of_the_reader(self):
        self.office.owner.time_zone = "Europe/Berlin"
        self.office.owner.save()
        self.assign(Visitor(self.office.owner), until="2099-06-30")
        made = Assignment.objects.get(technician=self.ben)
        assert made.until_at == dt.datetime(2099, 6, 30, 22, tzinfo=dt.UTC)

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"account": "nobody@nowhere.example"}, "No shared account that you see has this user name."),
            ({"reason": ""}, "This field is required."),
            ({"until": "yesterday"}, "Enter a valid date."),
            ({"until": "2001-01-01"}, "An assignment must end after it begins"),
            ({"until": "9999-12-31"}, "is too far away"),
        ],
    )
    def test_a_mistake_is_said_beside_what_was_typed_and_saves_nothing(self, wrong, said):
        answer = self.assign(**wrong)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert said in page
        assert ({"account": "admin@fabrikam.example"} | wrong)["account"] in page
        assert not Assignment.objects.filter(technician=self.ben).exists()

    def test_twice_at_the_same_time_is_refused_in_words(self):
        self.assign()
        answer = self.assign()
        assert answer.status_code == 422
        assert "Ben has admin@fabrikam.example already" in answer.content.decode()

    def test_a_manager_gives_only_what_is_in_reach(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="Contoso only")
        group.tenants.add(self.contoso.tenant)
        self.office.assign(self.contoso, self.ben)
        manager = Visitor(self.office.person("Mo", Role.MANAGER, groups=[group]))
        assert "No shared account that you see" in self.assign(manager).content.decode()

    def test_a_technician_may_not(self):
        assert self.assign(Visitor(self.ben)).status_code == 403
        assert not Assignment.objects.filter(technician=self.ben).exists()

    def test_what_is_typed_is_suggested_from_what_is_seen(self):
        url = reverse("technicians:accounts_like")
        assert "admin@fabrikam.example" in self.owner.get(url, {"account": "fabri"}).content.decode()
        assert "option" not in self.owner.get(url, {"account": ""}).content.decode()


class WhenAnAssignmentIsEnded(Team):
    def end(self, visitor=None):
        url = reverse("technicians:end_assignment", args=[self.ana.assignments.get().pk])
        return (visitor or self.owner).post(url, follow=True)

    def test_it_ends_now_and_says_what_becomes_of_the_authenticator_there(self):
        page = self.end().content.decode()
        assert "is taken from Ana. A run is removing the authenticator of Ana there" in page
        assert not Assignment.objects.live().filter(technician=self.ana).exists()

    def test_the_account_is_out_of_sight_at_once(self):
        visitor = Visitor(self.ana)
        url = reverse("tenants:account", args=[self.contoso.pk])
        assert visitor.get(url).status_code == 200
        self.end()
        assert visitor.get(url).status_code == 404

    def test_a_technician_may_not(self):
        assert self.end(Visitor(self.ana)).status_code == 403
        assert Assignment.objects.live().filter(technician=self.ana).exists()
