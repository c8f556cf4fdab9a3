"""What holds for every page: not stored, no foreign script, the reader's time, plain words when it goes wrong."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from technicians.models import Role, Technician
from tenants.actions.observe_account import observe_account
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

DASHBOARD = "/"


class EveryPage:
    @pytest.fixture(autouse=True)
    def _office(self, db):
        self.office = Office()
        self.ana = self.office.person("Ana")

    def test_is_not_stored_by_anybody(self):
        visitor = Visitor(self.office.owner)
        for name in ("web:dashboard", "web:search", "tenants:list", "technicians:list"):
            assert "no-store" in visitor.get(reverse(name))["Cache-Control"], name

    def test_allows_no_script_and_no_style_but_ours(self):
        answer = Visitor(self.office.owner).get(DASHBOARD)
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "unsafe" not in policy
        page = answer.content.decode()
        assert " style=" not in page
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"\son[a-z]+=", page)

    def test_shows_times_where_the_reader_is(self):
        account = self.office.account(self.office.tenant("Contoso"))
        account.observed_at = "2026-07-01T23:30:00Z"
        account.save()
        owner = self.office.owner
        for zone, shown in (
            ("UTC", "2026-07-01 23:30"),
            ("Europe/Berlin", "2026-07-02 01:30"),
            ("Nowhere/None", "2026-07-01 23:30"),
        ):
            Technician.objects.filter(pk=owner.pk).update(time_zone=zone)
            page = Visitor(owner).get(reverse("tenants:account", args=[account.pk])).content.decode()
            assert shown in page, zone
            assert 'datetime="2026-07-01T23:30:00Z"' in page

    @pytest.mark.parametrize(
        ("role", "seen", "hidden"),
        [
            (Role.MANAGER, {"Tenants", "Technicians", "Runs", "Ledger", "Reports", "Import"}, set()),
            (Role.AUDITOR, {"Tenants", "Technicians", "Runs", "Ledger", "Reports"}, {"Import"}),
            (Role.TECHNICIAN, {"Tenants"}, {"Technicians", "Runs", "Ledger", "Reports", "Import"}),
        ],
    )
    def test_leads_only_to_what_the_role_may_see(self, role, seen, hidden):
        page = Visitor(self.office.person("Rob", role)).get(DASHBOARD).content.decode()
        titles = set(re.findall(r'nav-link-title">([^<]+)<', page))
        assert titles == seen | {"Dashboard"}
        assert not titles & hidden

    def test_that_is_not_there_says_so_in_words(self):
        answer = Visitor(self.ana).get("/nothing/here")
        assert answer.status_code == 404
        assert "There is nothing at this address that you may see" in answer.content.decode()

    def test_that_is_not_for_the_role_says_so_in_words(self):
        answer = Visitor(self.ana).get(reverse("technicians:list"))
        assert answer.status_code == 403
        assert "Your role does not open this page." in answer.content.decode()

    def test_that_is_sent_without_its_token_is_refused_in_words(self):
        strict = Client(enforce_csrf_checks=True)
        answer = strict.post(reverse("access:sign_in"), {"email": self.ana.email, "password": "x"})
        assert answer.status_code == 403
        assert "This page was too old" in answer.content.decode()

    def test_that_breaks_says_so_in_words_and_not_in_code(self, monkeypatch):
        visitor = Visitor(self.office.owner)
        visitor.raise_request_exception = False
        monkeypatch.setattr("msp.web.views.found_by", lambda *_args, **_named: 1 / 0)
        answer = visitor.get(reverse("web:search"), {"q": "x"})
        assert answer.status_code == 500
        page = answer.content.decode()
        assert "Latchkey has a fault" in page
        assert "ZeroDivision" not in page


class TheDashboardOfACustomersContact:
    """Carla reads for Contoso alone, and sees how old what she reads is."""

    def test_says_when_the_customers_tenant_was_read(self, at_work: World):
        tenant = at_work.tenant("Contoso")
        carla = at_work.technician("Carla", Role.CUSTOMER_CONTACT, customer=tenant.customer)
        assert "No tenant was read yet" in Visitor(carla).get(reverse("web:dashboard")).content.decode()
        observe_account(at_work.account(tenant), outside=at_work.outside)
        assert "Tenants were read between" in Visitor(carla).get(reverse("web:dashboard")).content.decode()
