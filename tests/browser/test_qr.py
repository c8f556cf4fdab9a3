"""Codes on a page and keys from outside, in a real browser: what a phone would read, and what a person can hand in."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.template import engines
from django.urls import reverse
from playwright.sync_api import Page, expect

from msp.access.migration import MigrationAccount, codes_of, read_codes
from msp.access.otpauth import address_of, label_of
from msp.web.qr import qr_svg
from tests.browser.conftest import Desks
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, shoot
from tests.support.browser import read_codes as codes_in
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADDRESS = address_of(key=bytes(range(20)), issuer="Contoso (T07)", account="admin@contoso.example")
ACCOUNTS = [
    MigrationAccount(
        hashlib.sha1(bytes([n])).digest(), label_of(f"Tenant {n:02}", "T07"), f"msp-admin@tenant{n:02}.onmicrosoft.com"
    )
    for n in range(10)
]
PAGE = """{% extends "base.html" %}{% block title %}Codes{% endblock %}{% block page %}
<main class="container py-4" id="content"><h1>Codes</h1>
<form method="post" enctype="multipart/form-data">CONTENT
<button class="btn btn-primary" type="submit">Continue</button></form>
<div id="announce" class="visually-hidden" aria-live="polite"></div></main>{% endblock %}"""
QR = '{% include "components/qr.html" with picture=picture only %}'
FIELD = '{% include "components/seed_field.html" with error=error help=help only %}'

A_CAMERA = """
window.before = [];
window.cameras = [];
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect(video) { return video.srcObject ? window.before.map(text => ({ rawValue: text })) : []; }
};
navigator.mediaDevices.getUserMedia = async () => {
  if (window.forbidden) throw new DOMException("no", "NotAllowedError");
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 300, 150);
  const stream = canvas.captureStream();
  window.cameras.push(stream);
  return stream;
};
"""
NO_READER = "delete window.BarcodeDetector;"
RUNNING = "window.cameras.some(camera => camera.getTracks().some(track => track.readyState === 'live'))"
PASTE = """([name, type, data]) => {
  const moved = new DataTransfer();
  if (data === null) moved.setData("text/plain", name);
  else moved.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name, { type }));
  return document.getElementById("seed").dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: moved, bubbles: true, cancelable: true }));
}"""


class Scene:
    """A page that holds nothing but the components, served under Latchkey's own content security policy."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks

    def shows(self, content: str, *, script_before: str = "", **facts: Any) -> Desk:
        words = {name: facts.pop(name) for name in ("picture", "error", "help") if name in facts}
        desk = self.desks(**facts)
        policy = desk.context.request.get(desk.url + reverse("access:sign_in")).headers["content-security-policy"]
        body = engines["django"].from_string(PAGE.replace("CONTENT", content)).render(words)
        headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
        desk.page.route("**/components", lambda route: route.fulfill(body=body, headers=headers))
        if script_before:
            desk.page.add_init_script(script_before)
        desk.page.goto(f"{desk.url}/components")
        return desk


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryCode(Scene):
    @pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
    def test_of_one_account_is_read_from_the_screen(self, scheme: str, size: tuple[int, int]):
        desk = self.shows(QR, picture=qr_svg(ADDRESS, alt="Code for Contoso"), scheme=scheme, size=size)
        expect(desk.page.get_by_role("img", name="Code for Contoso")).to_be_visible()
        shoot(desk.page, f"qr one {scheme} {size[0]}")
        assert codes_in(desk.page.screenshot()) == [ADDRESS]
        assert not desk.scrolls_sideways()
        assert desk.barriers() == []

    @pytest.mark.parametrize("per_code", [5, 10])
    def test_of_many_accounts_is_read_from_the_screen(self, scheme: str, per_code: int):
        first = codes_of(ACCOUNTS, per_code=per_code, batch_id=-(2**31))[0]
        picture = qr_svg(first, alt=f"{per_code} accounts", many=True)
        desk = self.shows(QR, picture=picture, scheme=scheme, size=(1280, 900))
        shoot(desk.page, f"qr {per_code} {scheme}")
        (text,) = codes_in(desk.page.screenshot(full_page=True))
        assert read_codes([text]).accounts == tuple(ACCOUNTS[:per_code])

    def test_of_ten_accounts_keeps_five_pixels_a_module(self, scheme: str):
        (text,) = codes_of(ACCOUNTS, per_code=10, batch_id=7)
        desk = self.shows(QR, picture=qr_svg(text, alt="Ten accounts", many=True), scheme=scheme, size=(1280, 900))
        drawn = desk.page.locator(".qr-code")
        modules = int(drawn.get_attribute("viewBox").split()[2])
        assert drawn.bounding_box()["width"] >= modules * 5


class WhenSomebodySetsUpTheirSecondFactor(Scene):
    @pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_the_code_on_the_page_is_the_key_below_it(self, scheme: str, size: tuple[int, int]):
        ben = self.world.technician("Ben")
        ben.set_password("only for today")
        ben.save()
        page = self.desks(scheme=scheme, size=size).opens("access:sign_in")
        page.get_by_label("E-mail").fill(ben.email)
        page.get_by_label("Password").fill("only for today")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("img", name="adds Latchkey to an authenticator app")).to_be_visible()
        shoot(page, f"second factor {scheme} {size[0]}")
        (text,) = codes_in(page.screenshot(full_page=True))
        page.get_by_text("No camera?").click()
        shown = page.locator(".seed-key").inner_text().replace(" ", "")
        assert parse_qs(urlsplit(text).query)["secret"] == [shown]


class WhenAKeyIsHandedIn(Scene):
    def field(self, script_before: str = A_CAMERA, **facts: Any) -> Desk:
        return self.shows(FIELD, script_before=script_before, **facts)

    def said(self, page: Page) -> Any:
        return page.locator("[data-seed-said]")

    @pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_the_field_is_for_everybody(self, scheme: str, size: tuple[int, int]):
        desk = self.field(
            scheme=scheme, size=size, error="This is a one-time code.", help="Microsoft shows it as “Secret key”."
        )
        expect(desk.page.get_by_role("button", name="Scan with this camera")).to_be_visible()
        expect(desk.page.get_by_label("The key")).to_have_attribute("aria-invalid", "true")
        shoot(desk.page, f"seed field {scheme} {size[0]}")
        assert desk.barriers() == []
        assert not desk.scrolls_sideways()

    def test_a_browser_that_reads_no_codes_offers_no_camera(self):
        page = self.field(NO_READER).page
        expect(page.get_by_text("can be pasted here, too")).to_be_visible()
        expect(page.get_by_role("button", name="Scan with this camera")).to_be_hidden()

    def test_it_works_without_script(self):
        page = self.field("", script=False).page
        expect(page.get_by_label("The key")).to_be_visible()
        expect(page.get_by_label("Or a picture of its QR code")).to_be_visible()
        expect(page.get_by_role("button", name="Scan with this camera")).to_be_hidden()
        expect(page.get_by_text("can be pasted here, too")).to_be_hidden()

    def test_the_camera_fills_the_field_and_goes_off(self):
        page = self.field().page
        page.get_by_role("button", name="Scan with this camera").click()
        expect(self.said(page)).to_have_text("Hold the code in front of the camera.")
        expect(page.get_by_label("What the camera sees")).to_be_visible()
        page.evaluate("text => window.before = [text]", ADDRESS)
        expect(page.get_by_label("The key")).to_have_value(ADDRESS)
        expect(self.said(page)).to_have_text("The code was read. Continue below.")
        expect(page.get_by_label("What the camera sees")).to_be_hidden()
        assert page.evaluate(RUNNING) is False

    def test_a_second_press_stops_the_camera(self):
        page = self.field().page
        page.get_by_role("button", name="Scan with this camera").click()
        expect(page.get_by_label("What the camera sees")).to_be_visible()
        page.get_by_role("button", name="Stop the camera").click()
        expect(page.get_by_role("button", name="Scan with this camera")).to_be_visible()
        expect(self.said(page)).to_have_text("")
        assert page.evaluate(RUNNING) is False

    def test_a_camera_that_is_not_allowed_is_told_of(self):
        page = self.field(A_CAMERA + "window.forbidden = true;").page
        page.get_by_role("button", name="Scan with this camera").click()
        expect(self.said(page)).to_contain_text("The browser gives no camera.")
        expect(page.get_by_role("button", name="Scan with this camera")).to_be_visible()

    def test_a_pasted_screenshot_becomes_the_picture(self):
        page = self.field(NO_READER).page
        assert not page.evaluate(PASTE, ["screen.png", "image/png", base64.b64encode(b"pixels").decode()])
        expect(self.said(page)).to_have_text("The screenshot is attached. Continue below.")
        assert page.evaluate("document.getElementById('seed-picture').files[0].text()") == "pixels"
        expect(page.get_by_label("The key")).to_have_value("")

    def test_pasted_text_stays_text(self):
        page = self.field(NO_READER).page
        assert page.evaluate(PASTE, ["jbsw y3dp", "text/plain", None]), "the browser goes on to paste it"
        assert page.evaluate("document.getElementById('seed-picture').files.length") == 0
        expect(self.said(page)).to_have_text("")
