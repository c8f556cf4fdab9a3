"""The first page of an empty installation: who owns it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from msp.access.actions import make_link
from technicians.models import Role, Technician
from tenants.models import Reseller
from tests.pages.runs_stage import Office

pytestmark = pytest.mark.django_db

PASSWORD = "three plain words here"
DASHBOARD = "/"


class WhenAnInstallationIsEmpty:
    FORM = {
        "reseller_name": "Northwind IT", "name": "Olga", "email": "olga@northwind.example",
        "password": PASSWORD, "again": PASSWORD,
    }  # fmt: skip

    def come(self, browser):
        browser.post(reverse("access:link", args=[make_link(None, minutes=30)]))

    def test_without_the_link_there_is_no_set_up(self):
        browser = Client()
        assert browser.get(reverse("access:set_up")).status_code == 410
        assert browser.post(reverse("access:set_up"), self.FORM).status_code == 410
        assert not Technician.objects.exists()

    def test_the_link_leads_to_an_owner_with_a_second_factor_to_set_up(self):
        browser = Client()
        self.come(browser)
        answer = browser.post(reverse("access:set_up"), self.FORM)
        assert answer.url == reverse("access:second_factor")
        owner = Technician.objects.get()
        assert (owner.role, owner.email, owner.reseller.name) == (Role.OWNER, "olga@northwind.example", "Northwind IT")
        assert owner.check_password(PASSWORD)
        assert browser.get(DASHBOARD).url.startswith(reverse("access:second_factor"))

    @pytest.mark.parametrize(
        "wrong", [{"password": "short", "again": "short"}, {"email": "no address"}, {"reseller_name": "  "}]
    )
    def test_a_mistake_saves_nothing_and_does_not_cost_the_link(self, wrong):
        browser = Client()
        self.come(browser)
        assert browser.post(reverse("access:set_up"), self.FORM | wrong).status_code == 422
        assert not Technician.objects.exists()
        assert not Reseller.objects.exists()
        assert browser.post(reverse("access:set_up"), self.FORM).status_code == 302

    def test_two_people_with_the_same_link_make_one_owner(self):
        first, second = Client(), Client()
        token = make_link(None, minutes=30)
        for browser in (first, second):
            browser.post(reverse("access:link", args=[token]))
        first.post(reverse("access:set_up"), self.FORM)
        answer = second.post(reverse("access:set_up"), self.FORM | {"email": "eve@elsewhere.example"})
        assert answer.status_code == 410
        assert Technician.objects.get().email == "olga@northwind.example"

    def test_it_is_refused_when_there_is_an_owner(self):
        Office()
        browser = Client()
        self.come(browser)
        assert browser.get(reverse("access:set_up")).status_code == 410
        assert browser.post(reverse("access:set_up"), self.FORM).status_code == 410
