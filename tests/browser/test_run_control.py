"""The live page of a run in a real browser: it moves by itself, keeps what was asked, and lets a person decide."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tenants.actions.alarms import raise_alarm
from tenants.models import Alarm, Step, Target, Tenant
from tenants.plans import StepKind, StepState
from tests.browser.conftest import Desks
from tests.browser.test_people import at_work
from tests.support.browser import NARROW, SCHEMES, WIDE, shoot
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

REFUSED = (
    "Microsoft did not allow removing the method (it answered 403 accessDenied). Nothing was changed. The app needs "
    "UserAuthenticationMethod.ReadWrite.All in this tenant; grant it and try again."
)


class Scene:
    """Ana leaves four customers. One is proven, one throttled, one was refused, one waits for a reading."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        ana, ben = world.technician("Ana"), world.technician("Ben")
        names = ("Contoso", "Fabrikam", "Litware", "Tailspin")
        self.accounts = {name: world.account(world.tenant(name)) for name in names}
        for account in self.accounts.values():
            world.give(account, ana, ben)
        self.run = world.offboard(ana, reason="moved to another company").run
        self.url = reverse("tenants:run", args=[self.run.pk])
        now = timezone.now()
        self.steps("Contoso").exclude(kind=StepKind.SECOND_LOOK).update(
            status=StepState.VERIFIED, sent_at=now, accepted_at=now, verified_at=now
        )
        self.steps("Contoso").filter(kind=StepKind.SECOND_LOOK).update(due_at=now + dt.timedelta(minutes=65))
        self.target("Contoso").update(due_at=now + dt.timedelta(minutes=65))
        Tenant.objects.filter(accounts=self.accounts["Fabrikam"]).update(busy_until=now + dt.timedelta(minutes=4))
        self.steps("Litware").update(status=StepState.VERIFIED, verified_at=now)
        removal = self.steps("Litware").filter(kind=StepKind.REMOVE_METHOD)
        removal.update(status=StepState.REFUSED, problem=REFUSED, verified_at=None)
        self.target("Litware").update(due_at=None, deadline_at=now - dt.timedelta(minutes=5))
        removal = self.steps("Tailspin").filter(kind=StepKind.REMOVE_METHOD)
        removal.update(status=StepState.ACCEPTED, sent_at=now, accepted_at=now, looks=3)
        self.target("Tailspin").update(due_at=now + dt.timedelta(seconds=15))
        raise_alarm(self.run, Alarm.Kind.OVERDUE, detail="Access to 1 account should be gone by now: admin@litware.")

    def steps(self, name: str):
        return Step.objects.filter(target__run=self.run, target__account=self.accounts[name])

    def target(self, name: str):
        return Target.objects.filter(run=self.run, account=self.accounts[name])


class WhenAManagerWatchesARun(Scene):
    def test_each_account_says_what_it_waits_for_and_moves_without_reload(self):
        page = self.desks(at_work(self.world.owner)).opens("tenants:run", self.run.pk)
        expect(page.get_by_text("Microsoft asked for patience in this tenant.")).to_be_visible()
        expect(page.get_by_text("3 readings do not show it yet")).to_be_visible()
        expect(page.get_by_text("The app lacks a permission here")).to_be_visible()
        self.steps("Tailspin").update(status=StepState.VERIFIED, verified_at=timezone.now(), changed_at=timezone.now())
        self.target("Tailspin").update(due_at=None)
        expect(page.get_by_text("3 readings do not show it yet")).to_have_count(0, timeout=30_000)

    def test_what_was_asked_for_stays_while_the_page_moves(self):
        page = self.desks(at_work(self.world.owner)).opens("tenants:run", self.run.pk)
        page.get_by_label("Show", exact=True).select_option("person")
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_role("heading", name="Litware")).to_be_visible()
        expect(page.get_by_role("heading", name="Contoso")).to_have_count(0)
        self.steps("Tailspin").update(changed_at=timezone.now())
        with page.expect_response(lambda answer: "seen=" in answer.url and answer.status == 200, timeout=30_000):
            pass
        expect(page.get_by_role("heading", name="Contoso")).to_have_count(0)
        page.reload()
        expect(page.get_by_label("Show", exact=True)).to_have_value("person")

    def test_paused_in_one_window_it_says_so_in_the_other(self):
        visitor = at_work(self.world.owner)
        other = self.desks(visitor).opens("tenants:run", self.run.pk)
        page = self.desks(visitor).opens("tenants:run", self.run.pk)
        page.get_by_role("link", name="Pause").click()
        page.get_by_label("Why is it paused?").fill("the customer called")
        page.get_by_role("button", name="Pause: hold back").click()
        expect(page.get_by_text("Paused by Olga")).to_be_visible()
        expect(other.get_by_text("Paused by Olga")).to_be_visible(timeout=30_000)


class WhenSomebodyLooksAtThePages(Scene):
    def test_in_both_schemes_wide_and_narrow_they_have_no_barrier_and_fit(self):
        visitor = at_work(self.world.owner)
        step = self.steps("Litware").get(kind=StepKind.REMOVE_METHOD)
        for scheme in SCHEMES:
            for word, size in (("wide", WIDE), ("narrow", NARROW)):
                desk = self.desks(visitor, scheme=scheme, size=size)
                for name, args, query in (
                    ("tenants:run", (self.run.pk,), ""),
                    ("tenants:run", (self.run.pk,), "?show=overdue"),
                    ("tenants:run_list", (), ""),
                    ("tenants:run_pause", (self.run.pk,), ""),
                    ("tenants:run_cancel", (self.run.pk,), ""),
                    ("tenants:run_waive", (step.pk,), ""),
                    ("tenants:account_class", (step.target.account_id,), ""),
                    ("web:dashboard", (), ""),
                ):
                    page = desk.opens(name, *args, query=query)
                    assert desk.barriers() == []
                    assert not desk.scrolls_sideways(), (name, word)
                    shoot(page, f"{name} {'late ' if query else ''}{scheme} {word}")
