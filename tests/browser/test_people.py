"""What people do at Latchkey, in a real browser."""

from __future__ import annotations

import base64
import io
import re
import secrets
import threading
import time
import zipfile
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django_otp.oath import TOTP
from playwright.sync_api import expect

from msp.ops.work_here import work_until_settled
from msp.outside import outside
from technicians.models import Role, Technician
from tenants.models import Run, SharedAccount
from tenants.plans import RunState
from tests.browser.conftest import Desks
from tests.support.browser import SCHEMES, read_codes
from tests.support.visitor import Visitor
from tests.support.world import World, second_factor_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STEPS = ("Change the password", "Remove the authenticator", "End the sessions", "Read back what is true")
PROVEN = "Verified: read back and found so"


def code_of(seed: bytes) -> str:
    totp = TOTP(seed)
    totp.time = time.time()
    return f"{totp.token():06d}"


def with_password(person: Technician) -> str:
    password = secrets.token_urlsafe(12)
    person.set_password(password)
    person.save()
    return password


def at_work(person: Technician, *, fresh: bool = True) -> Visitor:
    with_password(person)
    return Visitor(person, fresh=fresh)


class Scene:
    """Ana and Ben hold the accounts of Contoso and Fabrikam; Mia is their manager."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.mia = world.technician("Mia", Role.MANAGER)
        self.contoso, self.fabrikam = (world.account(world.tenant(name)) for name in ("Contoso", "Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            world.give(account, self.ana, self.ben)


class WhenTheOwnerComesToWork(Scene):
    def test_password_and_code_open_the_house_and_a_customer_is_three_keys_away(self):
        owner = self.world.owner
        password, seed = with_password(owner), second_factor_of(self.world, owner)
        desk = self.desks()
        desk.signs_in(owner.email, password, code_of(seed))

        desk.page.keyboard.press("Control+K")
        desk.page.keyboard.type("fabri")
        expect(desk.page.locator("#found a").first).to_contain_text("fabrikam")
        desk.page.keyboard.press("ArrowDown")
        desk.page.keyboard.press("Enter")
        expect(desk.page.get_by_role("heading", level=1)).to_contain_text("fabrikam")

    def test_a_wrong_code_leaves_the_door_closed_and_says_so(self):
        owner = self.world.owner
        password = with_password(owner)
        second_factor_of(self.world, owner)
        page = self.desks().opens("access:sign_in")
        page.get_by_label("E-mail").fill(owner.email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Continue").click()
        page.get_by_label("Six-digit code").fill("000000")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("That code is wrong or was used already")).to_be_visible()
        expect(page.get_by_role("navigation", name="Main")).to_have_count(0)


class WhenATechnicianNeedsAPassword(Scene):
    def test_it_is_copied_unseen_shown_on_demand_and_gone_after_half_a_minute(self):
        ben, password = at_work(self.ben, fresh=False), self.world.passwords_known(self.contoso)["current"]
        desk = self.desks(ben)
        desk.page.clock.install()
        page = desk.opens("tenants:account", self.contoso.pk)
        assert password not in page.content()

        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_label("Your six-digit code for Latchkey").fill(ben.code())
        page.get_by_role("button", name="Copy the password").click()
        expect(page.locator("#reveal")).to_contain_text("Version 1 is in the clipboard")
        assert page.evaluate("navigator.clipboard.readText()") == password
        assert password not in page.content()

        page.get_by_role("button", name="Show it").click()
        secret = page.locator(".secret-value")
        expect(secret).to_have_text(password)
        page.clock.run_for(31_000)
        expect(secret).to_have_count(0)
        expect(page.locator("#reveal")).to_contain_text("Hidden again")
        assert password not in page.content()
        assert set(self.ben.reveals.values_list("act", flat=True)) == {"copied", "shown"}

    def test_a_wrong_code_shows_nothing_and_keeps_what_was_typed(self):
        page = self.desks(at_work(self.ben, fresh=False)).opens("tenants:account", self.contoso.pk)
        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_label("Your six-digit code for Latchkey").fill("000000")
        page.get_by_role("button", name="Show it").click()
        expect(page.locator("#reveal")).to_contain_text("That code is wrong")
        expect(page.get_by_label("What do you need it for?")).to_have_value("the printer is down")
        assert self.ben.reveals.count() == 0

    def test_it_works_without_script_too(self):
        page = self.desks(at_work(self.ben), script=False).opens("tenants:account", self.contoso.pk)
        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_role("button", name="Show it").click()
        expect(page.locator(".secret-value")).to_have_text(self.world.passwords_known(self.contoso)["current"])


class WhenAManagerOffboardsSomebody(Scene):
    def test_the_plan_is_seen_decided_watched_and_proven(self):
        self.world.cloud.knobs.set(latency_ms=250)
        mia = at_work(self.mia, fresh=False)
        desk = self.desks(mia)
        page = desk.opens("technicians:offboard", self.ana.pk)
        expect(page.get_by_role("term").filter(has_text="Authenticators to go")).to_be_visible()
        page.get_by_label("Reason").fill("moved to another company")
        page.get_by_label("Your six-digit code for Latchkey").fill(mia.code())
        page.get_by_role("button", name="Offboard Ana: 2 accounts in 2 tenants").click()
        expect(page.get_by_role("heading", name="Offboarding: Ana")).to_be_visible()
        expect(page.locator("#progress")).to_contain_text("Running")

        run = Run.objects.get()
        worker = in_the_background(run)
        expect(page.locator("#progress")).to_contain_text(re.compile(r"[1-9]\d* of \d+ steps settled"), timeout=20_000)
        page.reload()
        expect(page.locator("#progress")).to_contain_text("Clean so far", timeout=30_000)
        worker.join()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR

        for account in (self.contoso, self.fabrikam):
            truth = page.locator(f"#account-{account.pk}")
            truth.locator("summary").click()
            for step in (
                "Change the password",
                "Remove the authenticator",
                "End the sessions",
                "Read back what is true",
            ):
                expect(truth.get_by_role("row", name=step).first).to_contain_text(PROVEN)
            assert self.world.gets_in(account, self.ben)
            assert not self.world.methods_on(account) & {self.world.phones[account.pk, self.ana.pk].method_id}
        self.takes_the_evidence(desk.page)

    def takes_the_evidence(self, page: Any) -> None:
        page.get_by_role("link", name="Evidence", exact=True).click()
        with page.expect_download() as coming:
            page.get_by_role("button", name="Download 2 tenants with summary and key (zip)").click()
        with zipfile.ZipFile(io.BytesIO(coming.value.path().read_bytes())) as archive:
            names = archive.namelist()
        assert [n for n in names if n.startswith("contoso.")] and [n for n in names if n.startswith("fabrikam.")]
        assert "latchkey-evidence.pub" in names

    def test_the_last_way_in_is_held_and_the_page_says_why(self):
        alone = self.world.account(self.world.tenant("Adatum"))
        self.world.give(alone, self.ana)
        desk = self.desks(at_work(self.mia))
        page = desk.opens("technicians:offboard", self.ana.pk)
        row = page.get_by_role("row", name=re.compile("adatum"))
        expect(row).to_contain_text("This is the last way in")

        page.get_by_label("Reason").fill("resigned")
        page.get_by_role("button", name="Offboard Ana: 3 accounts in 3 tenants").click()
        expect(page.get_by_role("heading", name="Offboarding: Ana")).to_be_visible()
        in_the_background(Run.objects.get()).join()
        expect(page.locator("#progress")).to_contain_text("Needs attention", timeout=20_000)
        page.reload()
        held = page.locator(f"#account-{alone.pk}")
        expect(held).to_contain_text("Blocked: a guard stopped it")
        expect(held).to_contain_text("This is the last way in")
        assert self.world.phones[alone.pk, self.ana.pk].method_id in self.world.methods_on(alone)

    def test_a_decision_without_a_reason_comes_back_with_what_is_missing(self):
        page = self.desks(at_work(self.mia)).opens("technicians:offboard", self.ana.pk)
        page.get_by_role("button", name="Offboard Ana").click()
        expect(page.get_by_text("Say why Ana leaves")).to_be_visible()
        assert not Run.objects.exists()


def in_the_background(run: Run) -> threading.Thread:
    """A worker beside the browser, with the ports of the installation."""

    def work() -> None:
        try:
            work_until_settled(run, outside(), threads=2)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    return worker


class WhenSomebodySetsUpTheirSecondFactor(Scene):
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_a_phone_reads_the_picture(self, scheme: str):
        password = with_password(self.ben)
        page = self.desks(scheme=scheme).opens("access:sign_in")
        page.get_by_label("E-mail").fill(self.ben.email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(".qr svg")).to_be_visible()
        read = read_codes(page.screenshot())
        assert len(read) == 1
        uri = urlsplit(read[0])
        assert uri.scheme == "otpauth"
        key = parse_qs(uri.query)["secret"][0]
        page.get_by_label("Six-digit code").fill(code_of(base64.b32decode(key + "=" * (-len(key) % 8))))
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("navigation", name="Main")).to_be_attached()
        assert account_link(page, self.contoso)


def account_link(page: Any, account: SharedAccount) -> bool:
    return page.locator(f"a[href*='{account.pk}']").count() > 0
