"""The ledger as a page and as JSON lines."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from msp.ledger.models import Entry
from msp.ledger.record import record
from technicians.models import Role
from tenants.models import TenantGroup
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


def freeze(moment: dt.datetime) -> Any:
    """The ledger's clock stands still."""
    return mock.patch("msp.ledger.record.timezone.now", return_value=moment)


class Scene:
    """Something happened at Contoso and at Fabrikam, and something at no tenant."""

    @pytest.fixture(autouse=True)
    def _scene(self, db):
        self.office = Office()
        self.contoso, self.fabrikam = self.office.tenant("Contoso"), self.office.tenant("Fabrikam")
        self.write("contoso.happened", tenant_id=self.contoso.pk)
        self.write("fabrikam.happened", tenant_id=self.fabrikam.pk)
        self.write("house.happened")
        self.url = reverse("ledger:list")
        self.visitor = Visitor(self.office.owner)

    def write(self, verb, **about):
        with transaction.atomic():
            return record(verb, reseller_id=self.office.reseller.pk, actor=self.office.owner, **about)

    def page(self, visitor=None, **filters):
        return (visitor or self.visitor).get(self.url, filters).content.decode()

    def lines(self, **filters):
        address = f"{self.url}?{'&'.join(f'{k}={v}' for k, v in filters.items())}"
        answer = self.visitor.post(address)
        return [json.loads(line) for line in answer.getvalue().splitlines()]


class WhenTheLedgerIsRead(Scene):
    def test_the_newest_entry_comes_first(self):
        page = self.page()
        assert page.index("house.happened") < page.index("fabrikam.happened") < page.index("contoso.happened")

    def test_each_entry_shows_the_hashed_body_and_its_hash(self):
        entry = self.write("detail.happened", tenant_id=self.contoso.pk, colour="green & <blue>")
        page = self.page()
        assert "green &amp; &lt;blue&gt;" in page
        assert bytes(entry.leaf_hash).hex() in page

    @pytest.mark.parametrize(
        ("filters", "kept", "gone"),
        [
            ({"verb": "contoso.happened"}, "contoso.happened</strong>", "fabrikam.happened"),
            ({"tenant": "FABRI"}, "fabrikam.happened", "contoso.happened"),
            ({"actor": "olga@northwind.example", "verb": "house.happened"}, "house.happened", "contoso.happened"),
            ({"technician": "olga", "verb": "technician.added"}, "technician.added", "contoso.happened"),
        ],
    )
    def test_filters_keep_what_they_name(self, filters, kept, gone):
        page = self.page(**filters)
        assert kept in page
        assert f"<strong>{gone}" not in page

    def test_a_filter_that_fits_nothing_says_what_to_do(self):
        assert "No entry fits" in self.page(actor="nobody@nowhere.example")

    def test_days_are_days_where_the_reader_is(self):
        self.office.owner.time_zone = "Pacific/Kiritimati"
        self.office.owner.save()
        here = timezone.now().astimezone(dt.timezone(dt.timedelta(hours=14))).date()
        assert "contoso.happened" in self.page(since=here, until=here)
        assert "No entry fits" in self.page(until=here - dt.timedelta(days=1))

    @pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "0001-01-01", "9999-12-31", "\x00"])
    @pytest.mark.parametrize("edge", ["since", "until"])
    def test_what_is_no_usable_day_gets_a_sentence_and_no_trace(self, edge, day):
        answer = self.visitor.get(self.url, {edge: day})
        assert answer.status_code == 422
        assert "alert-danger" in answer.content.decode()

    def test_a_clock_that_was_wrong_for_a_while_hides_no_entry_of_a_day(self):
        noon = dt.datetime(2025, 5, 5, 12, tzinfo=dt.UTC)
        for hours in (48, 0, 24, 26, 3, 25):
            with freeze(noon + dt.timedelta(hours=hours)):
                self.write(f"at{hours}.happened")
        found = self.visitor.get(self.url, {"since": "2025-05-06", "until": "2025-05-06"}).context["lines"]
        assert [line.entry.verb for line in found] == ["at26.happened", "at25.happened", "at24.happened"]

    @pytest.mark.parametrize("place", ["x", "-1", "9" * 30, "٣", "999999999"])
    def test_a_damaged_link_gets_a_sentence(self, place):
        answer = self.visitor.get(self.url, {"before": place})
        assert answer.status_code == 422
        assert "This link is damaged" in answer.content.decode()

    def test_a_name_that_fits_too_many_asks_for_more_of_it(self, monkeypatch):
        monkeypatch.setattr("msp.web.ledger.MATCHES", 1)
        assert "fits more than 1" in self.page(tenant="example")


class WhenThereAreMoreEntriesThanAPageHolds(Scene):
    def test_older_pages_continue_without_a_gap_while_new_entries_arrive(self):
        for number in range(120):
            self.write(f"n{number}.happened")
        first = self.visitor.get(self.url)
        self.write("late.happened")
        second = self.visitor.get(self.url, {"before": first.context["older"]})
        verbs = [line.entry.verb for answer in (first, second) for line in answer.context["lines"]]
        assert verbs == [f"n{number}.happened" for number in range(119, 19, -1)]

    def test_the_pages_of_a_day_continue_without_a_gap_too(self):
        now = timezone.now()
        for number in range(60):
            with freeze(now + dt.timedelta(seconds=number // 4)):
                self.write(f"n{number}.happened")
        day = {"since": str(now.date() - dt.timedelta(days=1))}
        first = self.visitor.get(self.url, day)
        second = self.visitor.get(self.url, {**day, "before": first.context["older"]})
        verbs = [line.entry.verb for answer in (first, second) for line in answer.context["lines"]]
        assert verbs[:60] == [f"n{number}.happened" for number in range(59, -1, -1)]

    def test_a_full_page_asks_a_constant_number_of_queries(self, django_assert_max_num_queries):
        for number in range(60):
            self.write(f"n{number}.happened", tenant_id=self.contoso.pk, technician_id=self.office.owner.pk)
        with django_assert_max_num_queries(9):
            self.page()


class WhenTheLedgerIsTakenAway(Scene):
    def test_each_line_holds_the_body_byte_for_byte_and_its_leaf_hash(self):
        answer = self.visitor.post(f"{self.url}?verb=contoso.happened")
        [line] = answer.getvalue().splitlines()
        body = line.split(b'"body":', 1)[1][:-1]
        assert hashlib.sha256(b"\x00" + body).hexdigest() == json.loads(line)["leaf_hash"]

    def test_the_filters_hold_for_the_export_too_and_the_oldest_comes_first(self):
        assert [line["body"]["verb"] for line in self.lines(tenant="contoso")] == ["contoso.happened"]
        verbs = [line["body"]["verb"] for line in self.lines()]
        assert verbs.index("contoso.happened") < verbs.index("house.happened")

    def test_the_export_is_an_entry_itself(self):
        self.lines(tenant="contoso")
        entry = Entry.objects.get(verb="report.exported")
        assert entry.facts["report"] == "ledger"
        assert entry.facts["asked"]["tenant"] == "contoso"

    def test_it_needs_a_fresh_code(self):
        visitor = Visitor(self.office.owner, fresh=False)
        assert visitor.post(self.url).status_code == 422
        assert not Entry.objects.filter(verb="report.exported").exists()
        assert visitor.post(self.url, {"code": visitor.code()}).status_code == 200


class EveryWallStands(Scene):
    def test_another_reseller_sees_nothing_of_it(self):
        page = self.page(Visitor(Office("Tailspin MSP").owner))
        assert "contoso" not in page
        assert "house.happened" not in page

    def test_a_scoped_manager_sees_the_tenants_in_reach_and_nothing_of_the_house(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
        group.tenants.add(self.contoso)
        manager = Visitor(self.office.person("Mia", Role.MANAGER, groups=[group]))
        page = self.page(manager)
        assert "contoso.happened" in page
        assert "fabrikam" not in page
        assert "house.happened" not in page
        exported = manager.post(self.url).getvalue()
        assert b"fabrikam" not in exported
        assert b"contoso.happened" in exported

    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.CUSTOMER_CONTACT])
    def test_who_may_not_see_the_ledger_has_no_door_to_it(self, role):
        person = self.office.person("Curious", role, customer=self.contoso.customer)
        visitor = Visitor(person)
        assert visitor.get(self.url).status_code == 403
        assert visitor.post(self.url).status_code == 403

    def test_an_auditor_reads_and_exports(self):
        auditor = Visitor(self.office.person("Aud", Role.AUDITOR))
        assert "contoso.happened" in self.page(auditor)
        assert auditor.post(self.url).status_code == 200
