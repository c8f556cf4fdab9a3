"""A person at a real Chromium: signs in, clicks, looks; and what that browser had to complain about."""

from __future__ import annotations

import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from tests.support.visitor import Visitor

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, NARROW = (1440, 900), (390, 844)
SCHEMES = ("light", "dark")
GRAVE = {"serious", "critical"}
OF_AN_EXPECTED_ANSWER = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
"""The browser says this of every page that answers 4xx on purpose; what a page loads besides is looked at itself."""


class Desk:
    """One browser window of one person, in one scheme. `visitor` is a person who has signed in before."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        scheme: Any = "light",
        size: tuple[int, int] = WIDE,
        visitor: Visitor | None = None,
        script: bool = True,
    ) -> None:
        self.url, self.scheme = url, scheme
        self.context = browser.new_context(
            color_scheme=scheme,
            viewport={"width": size[0], "height": size[1]},
            accept_downloads=True,
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(15_000)
        if script:
            self.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        if visitor is not None:
            name = settings.SESSION_COOKIE_NAME
            self.context.add_cookies([{"name": name, "value": visitor.cookies[name].value, "url": url}])
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("response", self._look_at)

    def _hear(self, message: ConsoleMessage) -> None:
        """A broken rule of the content security policy is an error of the console, too."""
        if message.type in ("error", "warning") and not OF_AN_EXPECTED_ANSWER.search(message.text):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _look_at(self, response: Response) -> None:
        is_page = response.request.resource_type in ("document", "xhr", "fetch")
        if response.status >= 500 or (response.status >= 400 and not is_page):
            self.complaints.append(f"{self.page.url}: {response.status} {response.url}")

    def opens(self, name: str, *args: Any, query: str = "") -> Page:
        """A page by the name of its address."""
        self.page.goto(f"{self.url}{reverse(name, args=args)}{query}")
        return self.page

    def signs_in(self, email: str, password: str, code: str) -> None:
        self.opens("access:sign_in")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Continue").click()
        self.page.get_by_label("Six-digit code").fill(code)
        self.page.get_by_role("button", name="Continue").click()
        expect(self.page.get_by_role("navigation", name="Main")).to_be_attached()

    def resizes(self, size: tuple[int, int]) -> None:
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def barriers(self) -> list[str]:
        """What axe finds on this page that is serious or critical."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{self.page.url} ({self.scheme}): {fault['id']}: {fault['help']}: {where['target']} {where['html'][:120]}"
            for fault in found
            if fault["impact"] in GRAVE
            for where in fault["nodes"][:3]
        ]

    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def leaves(self) -> None:
        self.context.close()


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the whole page in the directory LATCHKEY_SHOTS, when that is set."""
    directory = os.environ.get("LATCHKEY_SHOTS")
    if directory:
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=place / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png", full_page=True)


def read_codes(screenshot: bytes) -> list[str]:
    """The texts of the QR codes in a picture."""
    width, height, gray = gray_pixels(screenshot)
    image = memoryview(gray).cast("B", (height, width))
    return [found.text for found in zxingcpp.read_barcodes(image)]


def gray_pixels(png: bytes) -> tuple[int, int, bytes]:
    """(width, height, one byte per pixel) of a PNG as browsers write them: 8 bits, RGB or RGBA, not interlaced.

    PNG specification, third edition: chunks (5.3), filters (9.2).
    """
    width, height, depth, colour, _compression, _filter, interlace = struct.unpack(">IIBBBBB", png[16:29])
    assert depth == 8 and colour in (2, 6) and interlace == 0
    step = 3 if colour == 2 else 4
    packed, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        packed += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    raw, line, gray = zlib.decompress(packed), bytearray(width * step), bytearray()
    for row in range(height):
        start = row * (width * step + 1)
        line = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + width * step]), line, step)
        gray += bytes((line[i] * 2 + line[i + 1] * 5 + line[i + 2]) // 8 for i in range(0, len(line), step))
    return width, height, bytes(gray)


def _unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    for i in range(len(line)) if kind else ():
        left, up = (line[i - step] if i >= step else 0), above[i]
        corner = above[i - step] if i >= step else 0
        line[i] = (line[i] + (0, left, up, (left + up) // 2, _nearest(left, up, corner))[kind]) & 255
    return line


def _nearest(left: int, up: int, corner: int) -> int:
    """The Paeth predictor."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))
