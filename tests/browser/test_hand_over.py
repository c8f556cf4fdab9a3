"""A password goes to somebody outside, in real browsers: one makes the link, another opens it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from technicians.actions.hand_over import make_link
from technicians.models import HandOverLink
from tenants.models import SecretVersion
from tests.browser.conftest import Desks
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, shoot
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Scene:
    """Ana holds Contoso's account; Carla of Contoso sits at a browser that knows nothing of Latchkey."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        self.ana = world.technician("Ana")
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana)
        self.password = world.passwords_known(self.account)["current"]

    def link(self, desk: Desk) -> str:
        life = dt.timedelta(hours=1)
        made = make_link(
            self.ana, self.account, recipient="Carla", reason="hers", life=life, outside=self.world.outside
        )
        return f"{desk.url}{made.link_path}"

    def carla(self, **facts: Any) -> Desk:
        return self.desks(**facts)

    def waits(self) -> bool:
        return HandOverLink.objects.waiting().exists()

    def presses(self, page: Page) -> None:
        page.get_by_role("button", name="Show it once").click()

    def change_is_not_proven(self, password: str) -> None:
        version = SecretVersion(reseller=self.world.reseller, secret=self.account.secret, number=2, status="unverified")
        with transaction.atomic():
            version.sealed = self.world.outside.vault.seal(password.encode(), version.place)
            version.save()


class WhenAPasswordIsHandedOver(Scene):
    def test_it_is_made_here_read_there_once_and_seen_to_be_opened(self):
        self.ana.set_password("only for today, Ana")
        self.ana.save()
        ana = self.desks(Visitor(self.ana))
        link = self.makes_a_link(ana)

        carla = self.carla()
        page = carla.page
        page.goto(link)
        expect(page.get_by_role("button", name="Show it once")).to_be_visible()
        assert page.url == link.partition("#")[0], "the key is out of the address bar"
        assert self.password not in page.content()
        self.presses(page)
        expect(page.get_by_text(self.password)).to_be_visible()
        expect(page.get_by_text(self.account.user_principal_name)).to_be_visible()
        page.get_by_role("button", name="Copy the password").click()
        expect(page.get_by_text("Copied").first).to_be_attached()
        assert page.evaluate("navigator.clipboard.readText()") == self.password

        second = self.carla().page
        second.goto(link)
        expect(second.get_by_role("heading", level=1)).to_have_text("This link does not open")
        expect(second.get_by_text("It was opened already")).to_be_visible()
        row = ana.opens("tenants:account", self.account.pk).get_by_role("listitem").filter(has_text="she takes over")
        expect(row).to_contain_text("from 127.0.0.1")

    def makes_a_link(self, desk: Desk) -> str:
        page = desk.opens("tenants:account", self.account.pk)
        page.get_by_role("link", name="Make a one-time link").click()
        page.get_by_label("For whom").fill("Carla of Contoso")
        page.get_by_label("Why does the password leave the house?").fill("she takes over")
        page.get_by_label("The link waits").select_option("15 minutes")
        page.get_by_role("button", name="Make the link").click()
        page.get_by_role("button", name="Copy the link").click()
        expect(page.get_by_text("Copied").first).to_be_attached()
        copied = str(page.evaluate("navigator.clipboard.readText()"))
        assert copied == page.locator("#hand-over-link").inner_text()
        return copied

    def test_it_hides_itself_after_a_minute_and_when_it_is_told_to(self):
        for hides in (lambda page: page.clock.run_for(61_000), lambda page: page.get_by_text("Hide now").click()):
            page = self.shown()
            hides(page)
            expect(page.get_by_text("Hidden again")).to_be_visible()
            assert self.password not in page.content()

    def shown(self) -> Page:
        desk = self.carla()
        desk.page.clock.install()
        desk.page.goto(self.link(desk))
        self.presses(desk.page)
        expect(desk.page.get_by_text(self.password)).to_be_visible()
        return desk.page

    def test_a_password_of_any_characters_arrives_as_it_is(self):
        self.password = '<b>&"\\ é漢🔑 {{ x }} ' + "' end"
        self.change_is_not_proven(self.password)
        desk = self.carla()
        desk.page.goto(self.link(desk))
        self.presses(desk.page)
        assert desk.page.locator("[data-password]").first.text_content() == self.password
        desk.page.get_by_role("button", name="Copy the password").first.click()
        assert desk.page.evaluate("navigator.clipboard.readText()") == self.password

    def test_two_versions_are_shown_with_what_is_known_of_them(self):
        self.change_is_not_proven("Another-Password-1")
        desk = self.carla()
        desk.page.goto(self.link(desk))
        self.presses(desk.page)
        expect(desk.page.locator("[data-password]")).to_have_text(["Another-Password-1", self.password])
        expect(desk.page.get_by_text("One of these signs in")).to_be_visible()
        expect(desk.page.get_by_text("Newly set, not proven").filter(visible=True)).to_have_count(1)


class WhenTheBrowserCannotDecrypt(Scene):
    """The one opening is not spent, and no password comes in clear instead."""

    def looks(self, desk: Desk, link: str) -> str:
        """What the page says in the end; nothing on it spends the link."""
        desk.page.goto(link)
        said = desk.page.locator("#hand-over [data-situation]:visible")
        expect(said).to_have_count(1)
        expect(desk.page.get_by_role("button", name="Show it once")).to_have_count(0)
        assert self.password not in desk.page.content()
        assert self.waits()
        return str(said.inner_text())

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda link: link.partition("#")[0], "The part of the link after # is missing"),
            (lambda link: link[:-1], "is not whole"),
            (lambda link: link[:-20], "is not whole"),
            (lambda link: f"{link}.", "is not whole"),
            (lambda link: f"{link[:-30]}{'A' if link[-30] != 'A' else 'B'}{link[-29:]}", "is not whole"),
            (lambda link: f"{link.partition('#')[0]}#{'A' * 48}", "is not whole"),
        ],
        ids=["no key", "a character lost", "cut off", "a full stop too many", "a wrong character", "another key"],
    )
    def test_a_damaged_link_is_noticed_in_time(self, damage: Any, said: str):
        desk = self.carla()
        whole = self.link(desk)
        assert said in self.looks(desk, damage(whole))
        assert "Nothing was used up" in desk.page.locator("#hand-over").inner_text()
        desk.page.goto(whole)
        self.presses(desk.page)
        expect(desk.page.get_by_text(self.password)).to_be_visible()

    def test_without_script_a_sentence_says_so(self):
        desk = self.carla(script=False)
        desk.page.goto(self.link(desk))
        expect(desk.page.get_by_text("This page needs JavaScript")).to_be_visible()
        expect(desk.page.get_by_role("button", name="Show it once")).to_have_count(0)
        assert self.password not in desk.page.content()
        assert self.waits()

    def test_without_web_crypto_a_sentence_says_so(self):
        desk = self.carla()
        desk.page.add_init_script("Object.defineProperty(window.crypto, 'subtle', {value: undefined})")
        assert "This browser cannot decrypt here" in self.looks(desk, self.link(desk))

    def test_loading_the_page_again_asks_for_the_whole_link_again(self):
        desk = self.carla()
        link = self.link(desk)
        desk.page.goto(link)
        expect(desk.page.get_by_role("button", name="Show it once")).to_be_visible()
        desk.page.reload()
        expect(desk.page.get_by_text("The part of the link after # is missing")).to_be_visible()
        assert self.waits()


class WhenTheLinkIsPastedAgainIntoTheSameTab(Scene):
    """Only its fragment is new there, and a browser does not load a page again for that."""

    def test_the_page_says_how_the_link_stands_now(self):
        desk = self.carla()
        link = self.link(desk)
        desk.page.goto(link.partition("#")[0])
        expect(desk.page.get_by_text("The part of the link after # is missing")).to_be_visible()
        desk.page.goto(link)
        self.presses(desk.page)
        expect(desk.page.get_by_text(self.password)).to_be_visible()
        desk.page.goto(link)
        expect(desk.page.get_by_role("heading", level=1)).to_have_text("This link does not open")

    def test_skipping_to_the_content_is_no_such_thing(self):
        desk = self.carla()
        desk.page.goto(self.link(desk))
        expect(desk.page.get_by_role("button", name="Show it once")).to_be_visible()
        desk.page.keyboard.press("Tab")
        desk.page.keyboard.press("Enter")
        expect(desk.page).to_have_url(re.compile("#content$"))
        self.presses(desk.page)
        expect(desk.page.get_by_text(self.password)).to_be_visible()


class WhenSomethingGoesWrongAtTheOpening(Scene):
    def open_page(self) -> Page:
        desk = self.carla()
        desk.page.goto(self.link(desk))
        expect(desk.page.get_by_role("button", name="Show it once")).to_be_visible()
        return desk.page

    def test_somebody_who_was_faster_is_told_of(self):
        page = self.open_page()
        HandOverLink.objects.update(opened_at=timezone.now(), ciphertext=b"")
        self.presses(page)
        expect(page.get_by_text("Somebody opened this link before you")).to_be_visible()

    def test_a_password_that_changed_meanwhile_is_told_of(self):
        page = self.open_page()
        SecretVersion.objects.update(status="retired", retired_at=timezone.now())
        self.presses(page)
        expect(page.get_by_text("The password was changed after this link was made")).to_be_visible()

    def test_a_browser_that_keeps_no_cookies_spends_nothing(self):
        page = self.open_page()
        page.context.clear_cookies()
        self.presses(page)
        expect(page.get_by_text("Allow cookies for this page")).to_be_visible()
        assert self.waits()

    def test_a_broken_connection_is_not_called_anything_else(self):
        desk = self.carla()
        desk.page.goto(self.link(desk))
        desk.page.route(re.compile("/hand-over/"), lambda route: route.abort("connectionreset"))
        self.presses(desk.page)
        expect(desk.page.get_by_text("The connection broke")).to_be_visible()
        desk.complaints = [c for c in desk.complaints if "ERR_CONNECTION_RESET" not in c]

    def test_an_answer_that_somebody_tampered_with_shows_nothing(self):
        page = self.open_page()
        page.route(re.compile("/hand-over/"), tampered_with)
        self.presses(page)
        expect(page.get_by_text("could not be decrypted, and the link is used up")).to_be_visible()
        assert self.password not in page.content()


def tampered_with(route: Route) -> None:
    answer = route.fetch()
    said = answer.json()
    first = "B" if said["ciphertext"][40] != "B" else "C"
    said["ciphertext"] = f"{said['ciphertext'][:40]}{first}{said['ciphertext'][41:]}"
    route.fulfill(response=answer, json=said)


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryPageOfAHandOver(Scene):
    def test_has_no_barrier_and_fits_a_phone(self, scheme: str):
        self.ana.set_password("only for today, Ana")
        self.ana.save()
        wrong = [*self.of_the_maker(scheme), *self.of_the_recipient(scheme)]
        assert not wrong, "\n".join(dict.fromkeys(wrong))

    def of_the_maker(self, scheme: str) -> list[str]:
        desk = self.desks(Visitor(self.ana), scheme=scheme)
        page = desk.opens("tenants:hand_over", self.account.pk)
        wrong = self.look_at(desk, "hand over")
        page.reload()
        page.get_by_label("For whom").fill("Carla of Contoso")
        page.get_by_label("Why does the password leave the house?").fill("she takes over")
        page.get_by_role("button", name="Make the link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The link is made")
        wrong += self.look_at(desk, "hand over, link made")
        desk.opens("tenants:account", self.account.pk)
        wrong += self.look_at(desk, "account with a waiting link")
        asked = self.desks(Visitor(self.ana, fresh=False), scheme=scheme)
        asked.opens("tenants:hand_over", self.account.pk)
        return wrong + self.look_at(asked, "hand over, code asked")

    def of_the_recipient(self, scheme: str) -> list[str]:
        self.change_is_not_proven("Another-Password-1")
        desk = self.carla(scheme=scheme)
        link = self.link(desk)
        desk.page.goto(link.partition("#")[0])
        wrong = self.look_at(desk, "opening, no key")
        desk.page.goto(link)
        expect(desk.page.get_by_role("button", name="Show it once")).to_be_visible()
        wrong += self.look_at(desk, "opening, ready")
        self.presses(desk.page)
        expect(desk.page.get_by_text(self.password)).to_be_visible()
        wrong += self.look_at(desk, "opening, shown")
        desk.page.get_by_text("Hide now").click()
        wrong += self.look_at(desk, "opening, hidden again")
        desk.page.goto(link)
        expect(desk.page.get_by_role("heading", level=1)).to_have_text("This link does not open")
        return wrong + self.look_at(desk, "opening, gone")

    def look_at(self, desk: Desk, name: str) -> list[str]:
        wrong = []
        for size in (WIDE, NARROW):
            desk.resizes(size)
            shoot(desk.page, f"{name}-{desk.scheme}-{size[0]}")
            wrong += [f"{name}: {barrier}" for barrier in desk.barriers()]
            if desk.scrolls_sideways():
                wrong.append(f"{name} scrolls sideways at {size[0]} pixels")
        return wrong
