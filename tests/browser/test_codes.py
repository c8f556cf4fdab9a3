"""In a real browser: a code that hides itself, a seed to be scanned, and two people at one comparison."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from msp.access.seeds import read_seed
from technicians.actions.compare_codes import ask_for_check
from technicians.actions.keep_code import keep_code
from technicians.codes import SECONDS, code_at
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.models import EnrolmentPolicy
from tenants.password_plans import Place
from tests.browser.conftest import Desks
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, read_codes, shoot
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SEED = bytes(range(120, 140))


class Scene:
    """Ana and Ben hold Contoso's account; the policy allows codes kept here, seeds for a week, and second devices."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        for person in (self.ana, self.ben, world.owner):
            person.set_password("only for today")
            person.save()
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        rules = facts_of(EnrolmentPolicy()) | {"kept_here": True, "duplicates": True, "keep_for_later_days": 7}
        set_enrolment_policy(Place(), rules, by=world.owner)

    def keep(self, **facts: Any) -> None:
        bound = self.ana.authenticators.get()
        keep_code(self.account, self.ana, SEED, authenticator=bound, outside=self.world.outside, **facts)

    def desk(self, person: Any = None, **facts: Any) -> Desk:
        return self.desks(Visitor(person or self.ana), **facts)


def looked_at(desk: Desk, name: str) -> list[str]:
    """What is wrong with the page that is open, wide and narrow, with a picture of each."""
    wrong = []
    for size in (WIDE, NARROW):
        desk.resizes(size)
        shoot(desk.page, f"{name}-{desk.scheme}-{size[0]}")
        wrong += desk.barriers() + (["scrolls sideways"] if desk.scrolls_sideways() else [])
    desk.resizes(WIDE)
    return wrong


@pytest.mark.parametrize("scheme", SCHEMES)
class WhenCodesAreKeptHere(Scene):
    def test_the_code_comes_when_asked_for_and_hides_itself(self, scheme: str):
        self.keep()
        desk = self.desk(scheme=scheme)
        page = desk.page
        page.clock.install()
        desk.opens("tenants:account", self.account.pk)
        card = page.locator("#my-code")
        expect(card.locator(".secret-value")).to_have_count(0)
        card.get_by_role("button", name="Show my code").click()
        shown = card.locator(".secret-value").inner_text()
        step = int(time.time() // SECONDS)
        assert shown in {code_at(SEED, step + away) for away in (-1, 0)}
        assert looked_at(desk, "my-code") == []
        page.clock.fast_forward("00:31")
        expect(card).to_contain_text("That code is over")
        assert shown not in page.content()


@pytest.mark.parametrize("scheme", SCHEMES)
class WhenASeedIsKeptForLater(Scene):
    def test_a_new_phone_scans_it_from_the_screen_and_then_it_is_gone(self, scheme: str):
        self.keep(until=timezone.now() + dt.timedelta(days=7))
        desk = self.desk(scheme=scheme)
        page = desk.page
        page.clock.install()
        desk.opens("tenants:account", self.account.pk)
        page.get_by_role("link", name="See it again").click()
        assert looked_at(desk, "my-seed-before") == []
        page.get_by_role("button", name="Show the QR code").click()
        [address] = read_codes(page.screenshot())
        assert read_seed(address).key == SEED
        assert looked_at(desk, "my-seed") == []
        page.clock.fast_forward("01:01")
        expect(page.get_by_text("Hidden again.")).to_be_visible()
        assert read_codes(page.screenshot()) == []


class WhenTwoPeopleCompareCodes(Scene):
    def test_each_sees_by_itself_what_the_other_did_and_what_came_of_it(self):
        check = ask_for_check(self.account, self.ana, self.ben, by=self.ana)
        anas, bens = self.desk(), self.desk(self.ben, scheme="dark")
        for desk in (anas, bens):
            desk.opens("technicians:comparison", check.pk)
            assert looked_at(desk, "comparison") == []
        anas.page.locator("#shown-code").fill("123 456")
        bens.page.locator("#shown-code").fill("123456")
        anas.page.get_by_role("button", name="Compare", exact=True).click()
        expect(anas.page.locator("#comparison")).to_contain_text("Your code is in")
        expect(bens.page.locator("#shown-code")).to_have_value("123456")
        bens.page.get_by_role("button", name="Compare", exact=True).click()
        for desk in (bens, anas):
            expect(desk.page.locator("#comparison")).to_contain_text("both phones have one seed")
            expect(desk.page.locator("#shown-code")).to_have_count(0)
            assert looked_at(desk, "comparison-shared") == []


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryPageAboutEnrolmentPoliciesAndMfa(Scene):
    def test_has_no_barrier_wide_or_narrow(self, scheme: str):
        desk = self.desk(self.world.owner, scheme=scheme)
        self.world.enrol(self.account, self.ben, "phone")
        policy = EnrolmentPolicy.objects.get()
        for name, args in (
            ("enrolment_policies", []),
            ("enrolment_policy", [policy.pk]),
            ("set_enrolment_policy_of_account", [self.account.pk]),
            ("mfa_state", [self.account.pk]),
        ):
            desk.opens(f"tenants:{name}", *args)
            assert looked_at(desk, name) == []
