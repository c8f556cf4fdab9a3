"""Who knows a password: on the page of the account, of the technician, in the report; and the bell with new ones."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from msp.ledger.models import Entry
from msp.reports.knowledge import LOST_ACCESS
from msp.web.templatetags.latchkey import tone
from technicians.actions.tell_holders import tell_holders
from technicians.knowledge_plans import Verdict
from technicians.models import PasswordNotice, Reveal, Role
from tenants.models import SecretVersion
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

WEEK = dt.timedelta(days=7)


class Scene:
    """Ana and Ben hold Contoso's account for a week. Ana has fetched its password."""

    @pytest.fixture(autouse=True)
    def _scene(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.account = self.office.account(self.office.tenant("Contoso"))
        SecretVersion.objects.update(current_from=timezone.now() - WEEK, created_at=timezone.now() - WEEK)
        self.office.give(self.account, self.ana, self.ben, since=timezone.now() - WEEK)
        self.office.reveal(self.account, self.ana)
        self.url = reverse("tenants:account", args=[self.account.pk])

    def page(self, person=None, url=""):
        return Visitor(person or self.office.owner).get(url or self.url).content.decode()

    def card(self, person=None, url=""):
        """The text of the card, without its tags."""
        part = self.page(person, url).split('id="knowledge"', 1)[1].split("</section>", 1)[0]
        return " ".join(re.sub(r"<[^>]+>", " ", part).split())

    def rotated(self):
        """Another password came into force, read back."""
        now = timezone.now()
        SecretVersion.objects.filter(status="current").update(status="retired", retired_at=now)
        version = SecretVersion.objects.create(
            reseller=self.office.reseller, secret=self.account.secret, number=2, status="current", sealed=b"-",
            current_from=now, proof="read_back",
        )  # fmt: skip
        tell_holders(version)
        return version

    def ana_left(self):
        self.ana.assignments.update(until_at=timezone.now())
        self.ana.advance("left", left_at=timezone.now())


class WhenAnAccountIsOpened(Scene):
    def test_the_card_says_who_knows_the_password_and_who_could(self):
        card = self.card()
        assert "Ana Seen, still valid Version 1 In force shown" in card
        assert "Ben Could have seen Version 1: could be read, was never fetched" in card
        assert "This password must change" not in card

    def test_after_a_rotation_it_says_who_has_fetched_the_new_one_and_who_has_not(self):
        version = self.rotated()
        Reveal.objects.create(reseller=self.office.reseller, technician=self.ben, version=version, reason="work")
        card = self.card()
        assert "Version 2 fetched by Ben Not yet fetched by Ana told" in card
        assert "Ana Seen, no longer valid" in card

    def test_a_password_that_a_leaver_knows_must_change(self):
        self.ana_left()
        assert "This password must change Ana: somebody who lost access knows it, since" in self.card()
        self.rotated()
        assert "This password must change" not in self.card()

    def test_a_technician_reads_only_what_is_their_own(self):
        card = self.card(self.ben)
        assert "What you know of this password" in card
        assert "Ben Could have seen" in card
        assert "Ana Seen" not in card

    def test_ten_knowers_cost_as_many_queries_as_two(self, django_assert_max_num_queries):
        def cost():
            visitor = Visitor(self.office.owner)
            visitor.get(self.url)
            with django_assert_max_num_queries(80) as used:
                visitor.get(self.url)
            return len(used)

        before = cost()
        for number in range(8):
            person = self.office.person(f"Person {number}")
            self.office.assign(self.account, person, timezone.now() - WEEK)
            self.office.reveal(self.account, person)
        assert cost() == before


class WhenATechnicianIsOpened(Scene):
    def card_of(self, person, reader=None):
        return self.card(reader, reverse("technicians:detail", args=[person.pk]))

    def test_it_lists_the_passwords_this_person_knows(self):
        other = self.office.account(self.office.tenant("Fabrikam"))
        self.office.assign(other, self.ben)
        card = self.card_of(self.ana)
        assert f"{self.account} Contoso Seen, still valid" in card
        assert "Fabrikam" not in card

    def test_everybody_reads_their_own(self):
        assert "Seen, still valid" in self.card_of(self.ana, self.ana)

    def test_whoever_knows_none_is_told_so(self):
        assert "This person has seen no password" in self.card_of(self.office.person("Dora"))


class WhenTheReportIsAsked(Scene):
    @pytest.fixture(autouse=True)
    def _report(self, _scene):
        self.other = self.office.account(self.office.tenant("Fabrikam"))
        self.office.assign(self.other, self.ben)
        self.office.reveal(self.other, self.ben)
        self.report = reverse("reports:knowledge")

    def sheet(self, words=""):
        answer = Visitor(self.office.owner).post(f"{self.report}?{words}")
        assert answer.status_code == 200
        return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))

    def rows(self, words=""):
        return [(row["Customer"], row["Who"], row["Verdict"]) for row in self.sheet(words)]

    def test_it_has_a_row_for_every_person_and_account(self):
        assert self.rows() == [
            ("Contoso", "Ana", "Seen, still valid"),
            ("Contoso", "Ben", "Could have seen"),
            ("Fabrikam", "Ben", "Seen, still valid"),
        ]

    def test_it_is_narrowed_by_customer_technician_and_verdict(self):
        assert {customer for customer, _who, _v in self.rows("customer=fabri")} == {"Fabrikam"}
        assert {who for _customer, who, _v in self.rows("technician=ben")} == {"Ben"}
        assert self.rows("verdict=could_have_seen") == [("Contoso", "Ben", "Could have seen")]
        assert self.rows("customer=contoso&technician=ben&verdict=seen_valid") == []

    def test_whoever_knows_an_old_one_and_could_read_the_new_one_is_in_both_lists(self):
        self.rotated()
        for verdict in (Verdict.GONE, Verdict.COULD):
            assert "Ana" in {who for _customer, who, _v in self.rows(f"verdict={verdict}")}

    def test_it_finds_what_somebody_who_lost_access_knows(self):
        assert self.rows(f"verdict={LOST_ACCESS}") == []
        self.ana_left()
        (row,) = self.sheet(f"verdict={LOST_ACCESS}")
        assert (row["Account"], row["Who"]) == (str(self.account), "Ana")
        assert row["Knows it and lost access at"]

    def test_the_page_shows_the_same_rows(self):
        page = self.page(url=f"{self.report}?customer=contoso")
        assert page.count("<tr>") == 3
        assert "Seen, still valid" in page and "Fabrikam" not in page

    def test_the_export_is_written_down_with_what_was_asked(self):
        self.sheet("customer=contoso")
        entry = Entry.objects.get(verb="report.exported")
        assert b'"customer":"contoso"' in bytes(entry.body)

    def test_a_verdict_that_does_not_exist_is_told(self):
        answer = Visitor(self.office.owner).get(f"{self.report}?verdict=guilty")
        assert answer.status_code == 422
        assert "There is no such verdict" in answer.content.decode()

    def test_a_page_costs_a_constant_number_of_queries(self, django_assert_max_num_queries):
        for number in range(20):
            account = self.office.account(self.office.tenant(f"Customer {number}"))
            self.office.assign(account, self.ben)
            self.office.reveal(account, self.ben)
        visitor = Visitor(self.office.owner)
        with django_assert_max_num_queries(16):
            visitor.get(f"{self.report}?technician=ben&verdict=seen_valid")


class WhenAPasswordIsNew(Scene):
    @pytest.fixture(autouse=True)
    def _new(self, _scene):
        self.version = self.rotated()
        self.news = reverse("technicians:notices")

    def bell(self, person):
        """What the bell in the header counts; None for somebody without one."""
        page = self.page(person, reverse("web:dashboard"))
        found = re.search(r'aria-label="(\d+) new passwords?"', page)
        return None if found is None else int(found[1])

    def test_the_bell_counts_it_for_those_who_hold_the_account(self):
        assert [self.bell(p) for p in (self.ana, self.ben, self.office.owner)] == [1, 1, 0]

    def test_somebody_who_fetches_no_passwords_has_no_bell(self):
        assert self.bell(self.office.person("Aud", Role.AUDITOR)) is None

    def test_its_page_leads_to_the_account(self):
        page = self.page(self.ana, self.news)
        assert self.url in page and "New</span>" in page

    def test_fetching_it_takes_it_off_the_count_and_keeps_it_on_the_page(self):
        Reveal.objects.create(reseller=self.office.reseller, technician=self.ana, version=self.version, reason="work")
        assert self.bell(self.ana) == 0
        assert "Fetched" in self.page(self.ana, self.news)

    def test_all_of_them_can_be_marked_as_read(self):
        visitor = Visitor(self.ana)
        assert visitor.post(self.news).status_code == 302
        assert (self.bell(self.ana), self.bell(self.ben)) == (0, 1)
        assert "Read, not fetched" in visitor.get(self.news).content.decode()

    def test_nobody_reads_the_news_of_somebody_else(self):
        PasswordNotice.objects.filter(technician=self.ana).delete()
        assert str(self.account) not in self.page(self.ana, self.news).split('id="list"', 1)[1]


class EveryVerdict:
    @pytest.mark.parametrize(
        ("verdict", "colour"),
        [
            (Verdict.VALID, "yellow"),
            (Verdict.GONE, "secondary"),
            (Verdict.COULD, "azure"),
            (Verdict.NOT_READABLE, "green"),
        ],
    )
    def test_has_a_colour_that_repeats_its_word(self, verdict: Verdict, colour: str):
        assert tone(verdict) == colour
