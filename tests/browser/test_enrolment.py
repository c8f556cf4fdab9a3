"""Enrolling in a real browser: the QR code is read from the picture of the page, and its codes sign in at Microsoft."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from msp.access.seeds import read_seed
from technicians.actions.assign import assign
from technicians.codes import SECONDS, code_at
from technicians.models import Authenticator, Enrolment
from technicians.views.enrol_by_seed import in_groups
from tenants.actions.observe_account import observe_account
from tenants.models import EnrolmentPolicy, Run
from tests.browser.conftest import Desks
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, read_codes, shoot
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Scene:
    """Ben has an authenticator on Contoso's account, and Ana is to get one."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        tenant = world.tenant("Contoso")
        world.allow_tokens(tenant)
        self.account = world.account(tenant)
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        for person in (self.ana, self.ben):
            person.set_password("only for today")
            person.save()
        world.give(self.account, self.ben)
        assign(self.ana, self.account, by=world.owner, reason="on the team")
        observe_account(self.account, outside=world.outside)

    def begins(self, way: str = "Scan a QR code here", **facts: Any) -> Desk:
        desk = self.desks(Visitor(self.ana), **facts)
        page = desk.opens("tenants:account", self.account.pk)
        page.get_by_role("button", name="Choose how to enrol").click()
        page.get_by_role("radio", name=way).check()
        page.get_by_role("button", name="Begin").click()
        return desk

    def works(self) -> None:
        self.world.work(Run.objects.get())

    def scans(self, page: Page) -> bytes:
        """What a phone's camera sees of the page. Hiding the caret would leave a style behind in its field."""
        page.get_by_role("button", name="Show the QR code").click()
        expect(page.locator("svg.qr-code")).to_be_visible()
        [text] = read_codes(page.screenshot(caret="initial"))
        return read_seed(text).key

    def code(self, key: bytes, *, steps: int = 0) -> str:
        return code_at(key, int(time.time() // SECONDS) + steps)

    def types(self, page: Page, code: str) -> None:
        page.get_by_label("The six digits that the new entry shows").fill(code)
        page.get_by_role("button", name="Activate it").click()

    def gets_in(self, code: str) -> bool:
        result = self.world.cloud.sign_in(
            self.world.directory_id(self.account),
            self.account.user_principal_name,
            self.world.password_at_microsoft(self.account),
            code,
        )
        return bool(result.session)


@pytest.mark.parametrize("scheme", SCHEMES)
class WhenATechnicianEnrolsByOurSeed(Scene):
    def test_the_code_from_the_screen_signs_in_at_microsoft_and_a_colleagues_still_does(self, scheme: str):
        page = self.begins(scheme=scheme).page
        expect(page.get_by_text("Latchkey makes the token at Microsoft")).to_be_visible()
        self.works()
        key = self.scans(page)
        self.types(page, "000000")
        expect(page.get_by_text("4 tries are left")).to_be_visible()
        expect(page.locator("svg.qr-code")).to_be_visible()
        self.types(page, self.code(key))
        expect(page.get_by_text("The code was right")).to_be_visible()
        self.works()
        expect(page.get_by_text("Ana has an authenticator of their own")).to_be_visible()
        assert self.gets_in(self.code(key, steps=1))
        assert self.world.gets_in(self.account, self.ben)
        assert in_groups(key) not in page.content()
        assert base64.b32encode(key).decode() not in page.content()


class WhenTheQrCodeWasShown(Scene):
    def shown(self) -> tuple[Page, bytes]:
        page = self.begins().page
        self.works()
        return page, self.scans(page)

    def is_not_there(self, page: Page, key: bytes) -> bool:
        source = page.content()
        return in_groups(key) not in source and read_codes(page.screenshot(caret="initial")) == []

    def test_the_key_can_be_typed_instead(self):
        page, key = self.shown()
        typed = page.locator(".seed-key").inner_text()
        assert read_seed(typed).key == key

    def test_a_reload_shows_no_seed(self):
        page, key = self.shown()
        page.reload()
        expect(page.get_by_text("is shown once only")).to_be_visible()
        assert self.is_not_there(page, key)

    def test_going_back_shows_no_seed(self):
        page, key = self.shown()
        page.get_by_role("link", name=str(self.account)).first.click()
        expect(page.get_by_role("heading", name="Holders")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="Scan, then type a code")).to_be_visible()
        assert self.is_not_there(page, key)

    def test_when_its_time_is_over_it_leaves_the_page(self):
        desk = self.begins()
        page = desk.page
        self.works()
        expect(page.get_by_role("button", name="Show the QR code")).to_be_visible()
        page.clock.install()
        key = self.scans(page)
        page.clock.run_for(11 * 60_000)
        expect(page.get_by_text("The QR code is hidden")).to_be_visible()
        assert self.is_not_there(page, key)


class WhenThereIsNoScript(Scene):
    def test_the_whole_way_can_be_gone(self):
        page = self.begins(script=False).page
        self.works()
        page.get_by_role("link", name="Without script: look again").click()
        key = self.scans(page)
        self.types(page, self.code(key))
        self.works()
        page.get_by_role("link", name="Without script: look again").click()
        expect(page.get_by_text("Ana has an authenticator of their own")).to_be_visible()


class WhenATechnicianGoesToMicrosoftsPage(Scene):
    def gives(self, page: Page, key: str, code: str) -> None:
        page.get_by_label("The key", exact=True).fill(key)
        page.get_by_label("The six digits that the new entry shows").fill(code)
        page.get_by_role("button", name="Prove the key").click()

    def test_a_pasted_key_is_proven_and_what_appeared_is_bound(self):
        page = self.begins("Register on Microsoft's page").page
        made = self.world.cloud.register(
            self.world.directory_id(self.account), self.account.object_id, "software_oath", "phone"
        )
        self.gives(page, "phonefactor://activate_account?code=123456789", "123456")
        expect(page.get_by_text("with notifications. Go back")).to_be_visible()
        self.gives(page, "123456", "123456")
        expect(page.get_by_text("What is wanted is the long key")).to_be_visible()
        key = base64.b32decode(made.seed)
        spaced = " ".join(made.seed[at : at + 4] for at in range(0, len(made.seed), 4)).lower()
        self.gives(page, spaced, self.code(key))
        expect(page.get_by_text("The key is proven")).to_be_visible()
        page.get_by_role("button", name="It is registered: look now").click()
        expect(page.get_by_text("The new authenticator is bound to Ana.")).to_be_visible()
        assert self.ana.authenticators.get().proof == Authenticator.Proof.PROVEN
        assert made.seed not in page.content()
        assert self.gets_in(self.code(key, steps=1))


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryStepOfTheWizard(Scene):
    def test_has_no_barrier_and_fits_a_phone(self, scheme: str):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, kept_here=True)
        wrong = [*self.by_our_seed(scheme), *self.on_microsofts_page(scheme), *self.when_full(scheme)]
        assert not wrong, "\n".join(dict.fromkeys(wrong))

    def by_our_seed(self, scheme: str) -> list[str]:
        desk = self.desks(Visitor(self.ana), scheme=scheme)
        page = desk.opens("technicians:enrol", self.account.pk)
        wrong = self.look_at(desk, "enrol, choose")
        page.get_by_role("button", name="Begin").click()
        wrong += self.look_at(desk, "enrol, preparing")
        self.works()
        expect(page.get_by_role("button", name="Show the QR code")).to_be_visible()
        wrong += self.look_at(desk, "enrol, ready")
        self.scans(page)
        self.types(page, "000000")
        expect(page.get_by_text("4 tries are left")).to_be_visible()
        wrong += self.look_at(desk, "enrol, scan")
        page.reload()
        wrong += self.look_at(desk, "enrol, reloaded")
        page.get_by_role("button", name="Cancel the enrolment").click()
        return wrong + self.look_at(desk, "enrol, over")

    def on_microsofts_page(self, scheme: str) -> list[str]:
        desk = self.begins("Register on Microsoft's page", scheme=scheme)
        page = desk.page
        policies = self.world.cloud.tenant(self.world.directory_id(self.account)).policies
        policies.methods["TemporaryAccessPass"] = "enabled"
        wrong = self.look_at(desk, "enrol, Microsoft")
        page.get_by_text("Microsoft asks for a second factor").click()
        page.get_by_role("button", name="I need a Temporary Access Pass").click()
        expect(page.get_by_text("Type it where Microsoft asks for it")).to_be_visible()
        wrong += self.look_at(desk, "enrol, pass")
        self.world.cloud.register(
            self.world.directory_id(self.account), self.account.object_id, "software_oath", "phone"
        )
        page.get_by_role("button", name="It is registered: look now").click()
        expect(page.get_by_text("Ana has an authenticator of their own")).to_be_visible()
        return wrong + self.look_at(desk, "enrol, active")

    def when_full(self, scheme: str) -> list[str]:
        for _ in range(3):
            self.world.enrol(self.account, self.ben)
        desk = self.desks(Visitor(self.ana), scheme=scheme)
        desk.opens("technicians:enrol", self.account.pk)
        assert Enrolment.objects.open().count() == 0
        return self.look_at(desk, "enrol, full")

    def look_at(self, desk: Desk, name: str) -> list[str]:
        wrong = []
        for size in (WIDE, NARROW):
            desk.resizes(size)
            shoot(desk.page, f"{name}-{desk.scheme}-{size[0]}")
            wrong += [f"{name}: {barrier}" for barrier in desk.barriers()]
            if desk.scrolls_sideways():
                wrong.append(f"{name} scrolls sideways at {size[0]} pixels")
        desk.resizes(WIDE)
        return wrong
