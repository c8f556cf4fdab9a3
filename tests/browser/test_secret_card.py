"""The password of an account in a real browser: into the clipboard unseen, onto the page on demand, and gone again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from technicians.actions.assign import assign
from technicians.actions.check_out import check_out
from technicians.models import CheckOut, Role
from technicians.views import accounts
from tenants.models import PasswordPolicy, SecretVersion
from tests.browser.conftest import Desks
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, shoot
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOK = "navigator.clipboard.readText()"


class Scene:
    """Ana and Ben hold Contoso's account."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        for person in (self.ana, self.ben):
            person.set_password("only for today")
            person.save()
        self.account = world.account(world.tenant("Contoso"))
        for person in (self.ana, self.ben):
            assign(person, self.account, by=world.owner, reason="on the team")
        self.password = world.passwords_known(self.account)["current"]

    def policy(self, **facts: Any) -> None:
        PasswordPolicy.objects.create(reseller=self.world.reseller, **facts)

    def change_is_not_proven(self, password: str) -> None:
        version = SecretVersion(reseller=self.world.reseller, secret=self.account.secret, number=2, status="unverified")
        with transaction.atomic():
            version.sealed = self.world.outside.vault.seal(password.encode(), version.place)
            version.save()

    def desk(self, *, fresh: bool = True, script: bool = True, clock: bool = True, **facts: Any) -> Desk:
        desk = self.desks(Visitor(self.ana, fresh=fresh), script=script, **facts)
        if script and clock:
            desk.page.clock.install()
        desk.opens("tenants:account", self.account.pk)
        return desk

    def copies(self, page: Page, button: str = "Copy the password") -> None:
        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_role("button", name=button).click()
        expect(page.locator("#reveal")).to_contain_text("is in the clipboard")

    def acts(self) -> list[str]:
        return list(self.ana.reveals.order_by("at").values_list("act", flat=True))


class WhenThePasswordIsCopied(Scene):
    def test_it_is_in_the_clipboard_and_never_in_the_page(self):
        page = self.desk().page
        assert self.password not in page.content()
        self.copies(page)
        assert page.evaluate(LOOK) == self.password
        assert self.password not in page.content()
        assert self.acts() == ["copied"]

    def test_a_password_of_any_characters_arrives_as_it_is(self):
        password = '<b>&"\\ é漢🔑 {{ x }} ' + "' end"
        self.change_is_not_proven(password)
        page = self.desk().page
        self.copies(page, "Copy version 2")
        assert page.evaluate(LOOK) == password

    def test_the_enter_key_does_it_too_once_the_reason_is_given(self):
        page = self.desk().page
        reason = page.get_by_label("What do you need it for?")
        reason.fill("the printer is down")
        reason.press("Enter")
        expect(page.locator("#reveal")).to_contain_text("is in the clipboard")
        assert page.evaluate(LOOK) == self.password
        assert self.acts() == ["copied"]

    def test_one_click_is_enough_where_the_policy_asks_nothing(self):
        self.policy(asks="nothing")
        page = self.desk().page
        page.get_by_role("button", name="Copy the password").click()
        expect(page.locator("#reveal")).to_contain_text("is in the clipboard")
        assert page.evaluate(LOOK) == self.password

    def test_the_button_stays_in_focus_for_the_next_time(self):
        page = self.desk().page
        self.copies(page)
        expect(page.get_by_role("button", name="Copy the password")).to_be_focused()

    def test_who_has_fetched_it_is_true_on_the_page_at_once(self):
        page = self.desk().page
        expect(page.locator("#holders")).to_contain_text("Not fetched")
        self.copies(page)
        expect(page.locator("#holders").get_by_role("row", name="Ana")).to_contain_text("Fetched")

    def test_a_wrong_code_puts_nothing_there_and_says_so(self):
        page = self.desk(fresh=False).page
        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_label("Your six-digit code for Latchkey").fill("000000")
        page.get_by_role("button", name="Copy the password").click()
        expect(page.locator("#reveal")).to_contain_text("That code is wrong")
        assert page.evaluate(LOOK) != self.password
        assert self.acts() == []

    def test_a_broken_connection_is_said_and_puts_nothing_there(self):
        desk = self.desk()
        desk.page.evaluate("navigator.clipboard.writeText('mine')")
        desk.page.route(re.compile("/copy/"), lambda route: route.abort("connectionreset"))
        desk.page.get_by_label("What do you need it for?").fill("the printer is down")
        desk.page.get_by_role("button", name="Copy the password").click()
        expect(desk.page.locator("#trouble")).to_contain_text("Latchkey did not answer")
        assert desk.page.evaluate(LOOK) == "mine"
        desk.complaints = [c for c in desk.complaints if "ERR_CONNECTION_RESET" not in c]

    def test_a_browser_that_refuses_is_told_of(self):
        desk = self.desk()
        desk.page.evaluate(
            "for (const name of ['write', 'writeText'])"
            " navigator.clipboard[name] = () => Promise.reject(new DOMException('no', 'NotAllowedError')); 0"
        )
        desk.page.get_by_label("What do you need it for?").fill("the printer is down")
        desk.page.get_by_role("button", name="Copy the password").click()
        expect(desk.page.locator("#reveal")).to_contain_text("did not let the password into the clipboard")
        assert self.password not in desk.page.content()


class WhenHalfAMinuteIsOver(Scene):
    def test_the_clipboard_is_emptied(self):
        page = self.desk().page
        self.copies(page)
        page.clock.run_for(29_000)
        assert page.evaluate(LOOK) == self.password
        page.clock.run_for(2_000)
        expect(page.locator("#reveal")).to_contain_text("The clipboard was emptied.")
        assert page.evaluate(LOOK) == ""

    def test_after_as_long_as_the_house_says(self, monkeypatch: pytest.MonkeyPatch):
        """By the browser's own clock."""
        monkeypatch.setattr(accounts, "SECONDS_SHOWN", 1)
        page = self.desk(clock=False).page
        self.copies(page)
        expect(page.locator("#reveal")).to_contain_text("The clipboard was emptied.")
        assert page.evaluate(LOOK) == ""

    def test_what_was_copied_meanwhile_is_left_alone(self):
        page = self.desk().page
        self.copies(page)
        page.evaluate("navigator.clipboard.writeText('a shopping list')")
        page.clock.run_for(31_000)
        expect(page.locator("#reveal")).to_contain_text("holds something else by now")
        assert page.evaluate(LOOK) == "a shopping list"

    def test_a_browser_that_lets_nobody_look_empties_it_all_the_same_and_says_so(self):
        page = self.desk().page
        page.evaluate("navigator.permissions.query = () => Promise.resolve({ state: 'prompt' })")
        self.copies(page)
        page.clock.run_for(31_000)
        expect(page.locator("#reveal")).to_contain_text("emptied unseen")
        assert page.evaluate(LOOK) == ""

    def test_a_browser_that_refuses_just_then_does_it_at_the_next_click(self):
        page = self.desk().page
        self.copies(page)
        page.evaluate(
            "window.real = navigator.clipboard.writeText;"
            "navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError')); 0"
        )
        page.clock.run_for(31_000)
        expect(page.locator("#reveal")).to_contain_text("The password is still in the clipboard")
        page.evaluate("navigator.clipboard.writeText = window.real; 0")
        page.get_by_role("heading", level=1).click()
        expect(page.locator("#reveal")).to_contain_text("The clipboard was emptied.")
        assert page.evaluate(LOOK) == ""

    def test_copying_again_gives_it_the_whole_time_again(self):
        page = self.desk().page
        self.copies(page)
        page.clock.run_for(20_000)
        self.copies(page)
        expect(page.locator("[data-seconds-left]")).to_have_text("30")
        page.clock.run_for(15_000)
        assert page.evaluate(LOOK) == self.password
        page.clock.run_for(16_000)
        expect(page.locator("#reveal")).to_contain_text("The clipboard was emptied.")

    def test_what_was_shown_leaves_the_page(self):
        page = self.shown()
        page.clock.run_for(31_000)
        expect(page.locator("#reveal")).to_contain_text("Hidden again")
        assert self.password not in page.content()

    def shown(self) -> Page:
        page = self.desk().page
        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_role("button", name="Show it").click()
        expect(page.locator(".secret-value")).to_have_text(self.password)
        assert self.acts() == ["shown"]
        return page

    def test_or_at_once_when_it_is_told_to(self):
        page = self.shown()
        page.get_by_role("button", name="Hide now").click()
        assert self.password not in page.content()


class WhenThereIsNoScript(Scene):
    def test_it_can_be_shown_and_the_enter_key_shows_it(self):
        page = self.desk(script=False).page
        expect(page.get_by_role("button", name="Copy the password")).to_have_count(0)
        reason = page.get_by_label("What do you need it for?")
        reason.fill("the printer is down")
        reason.press("Enter")
        expect(page.locator(".secret-value")).to_have_text(self.password)
        assert self.acts() == ["shown"]

    def test_an_account_is_checked_out_and_in(self):
        self.policy(check_out_required=True)
        page = self.desk(script=False).page
        page.get_by_label("What do you need it for?").fill("a long change")
        page.get_by_role("button", name="Check out").click()
        expect(page.get_by_text("You have this account for yourself.")).to_be_visible()
        page.get_by_role("button", name="Check in").click()
        expect(page.get_by_text("is checked in.")).to_be_visible()


class WhenAnAccountIsCheckedOut(Scene):
    def test_it_is_had_given_back_and_seen_by_a_colleague(self):
        self.policy(check_out_required=True, check_out_minutes=30)
        page = self.desk().page
        page.get_by_label("What do you need it for?").fill("a long change")
        page.get_by_role("button", name="Check out").click()
        expect(page.get_by_text("You have this account for yourself.")).to_be_visible()
        expect(page.locator("[data-time-left]")).to_have_text(re.compile(r"^\((29|30) min left\)$"))
        page.get_by_role("button", name="Copy the password").click()
        expect(page.locator("#reveal")).to_contain_text("is in the clipboard")

        colleague = self.desks(Visitor(self.ben)).opens("tenants:account", self.account.pk)
        expect(colleague.get_by_text("Ana has this account alone.")).to_be_visible()
        expect(colleague.get_by_role("button", name="Copy the password")).to_have_count(0)

        page.get_by_role("button", name="Check in").click()
        expect(page.get_by_text("is checked in.")).to_be_visible()
        assert CheckOut.objects.get().ended_because == "checked_in"

    def test_too_long_a_time_is_refused_by_the_browser_already(self):
        page = self.desk().page
        page.get_by_label("What do you need it for?").fill("a long change")
        page.get_by_text("Have the account for yourself").click()
        page.get_by_label("For how many minutes").fill("999")
        page.get_by_role("button", name="Check out").click()
        assert page.evaluate("!document.getElementById('check-out-minutes').checkValidity()")
        assert not CheckOut.objects.exists()


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryStateOfTheCard(Scene):
    def test_has_no_barrier_and_fits_a_phone(self, scheme: str):
        wrong = [*self.of_a_holder(scheme), *self.of_a_manager(scheme)]
        assert not wrong, "\n".join(dict.fromkeys(wrong))

    def of_a_holder(self, scheme: str) -> list[str]:
        desk = self.desk(scheme=scheme)
        wrong = self.look_at(desk, "secret, asked")
        desk.page.reload()
        self.copies(desk.page)
        wrong += self.look_at(desk, "secret, copied")
        desk.page.reload()
        self.change_is_not_proven("Another-Password-1")
        SecretVersion.objects.filter(number=1).update(status="doubtful")
        desk.page.reload()
        desk.page.get_by_text("Have the account for yourself").click()
        desk.page.get_by_label("What do you need it for?").fill("the printer is down")
        desk.page.get_by_role("button", name="Show it").click()
        expect(desk.page.locator(".secret-value")).to_have_count(2)
        wrong += self.look_at(desk, "secret, two shown")
        self.policy(asks="ticket", ticket_pattern="INC#######", check_out_required=True)
        desk.page.reload()
        wrong += self.look_at(desk, "secret, check-out wanted")
        check_out(self.ana, self.account, reason="a long change", ticket="INC0000042")
        desk.page.reload()
        return wrong + self.look_at(desk, "secret, checked out")

    def of_a_manager(self, scheme: str) -> list[str]:
        mia = self.world.technician("Mia", Role.MANAGER)
        mia.set_password("only for today")
        mia.save()
        desk = self.desks(Visitor(mia, fresh=False), scheme=scheme)
        desk.opens("tenants:account", self.account.pk).get_by_text("Take it back").first.click()
        return self.look_at(desk, "secret, to be taken back")

    def look_at(self, desk: Desk, name: str) -> list[str]:
        wrong = []
        for size in (WIDE, NARROW):
            desk.resizes(size)
            shoot(desk.page, f"{name}-{desk.scheme}-{size[0]}")
            wrong += [f"{name}: {barrier}" for barrier in desk.barriers()]
            if desk.scrolls_sideways():
                wrong.append(f"{name} scrolls sideways at {size[0]} pixels")
        return wrong
