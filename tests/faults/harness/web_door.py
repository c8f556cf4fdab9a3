"""The decision through the real web pages: a person who opens a page, fills its form and sends it off."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import httpx
from django.conf import settings
from django.urls import reverse

from technicians.models import Technician
from tenants.models import Run
from tests.faults.harness.patience import Stuck, patiently
from tests.support.visitor import Visitor

TRIES = 240
PAUSE = 0.5
"""Seconds between two tries; a web that was killed needs a while to come back on a busy machine."""


class Form(HTMLParser):
    """What a browser would send of the form that asks for a reason, filled as the page fills it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._open: dict[str, str] | None = None
        self._select = ""
        self.feed(page)

    @property
    def fields(self) -> dict[str, str]:
        return next((form for form in self.forms if "reason" in form), {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = {}
            self.forms.append(self._open)
        if self._open is None:
            return
        if tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select and ("selected" in given or self._select not in self._open):
            self._open[self._select] = given.get("value", "")
        elif tag in ("input", "textarea") and given.get("name"):
            ticked = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if ticked and given.get("type") != "submit":
                self._open[given["name"]] = given.get("value", "on" if given.get("type") == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        if tag == "select":
            self._select = ""


def offboard(leaver: Technician, *, by: Technician, web_url: str) -> Run:
    """Decide it on the page; when no answer comes, look whether it was decided before deciding again."""
    page = reverse("technicians:offboard", args=[leaver.pk])
    visitor = patiently(lambda: Visitor(by))
    cookies = {settings.SESSION_COOKIE_NAME: visitor.cookies[settings.SESSION_COOKIE_NAME].value}
    said = ""
    with httpx.Client(base_url=web_url, cookies=cookies, timeout=20, headers={"Referer": web_url}) as browser:
        for _ in range(TRIES):
            found = patiently(
                lambda: Run.objects.filter(kind=Run.Kind.OFFBOARDING, offboardings__technician=leaver).first()
            )
            if found is not None:
                return found
            said = _decide(browser, page)
            if said:
                time.sleep(PAUSE)
    raise Stuck(f"The page {page} does not offboard anybody: {said}")


def _decide(browser: httpx.Client, page: str) -> str:
    """ "" when the page took it, else what went wrong."""
    try:
        shown = browser.get(page)
        fields = Form(shown.text).fields
        answer = browser.post(page, data=fields | {"reason": "resigned"})
    except httpx.TransportError as silence:
        return repr(silence)
    return f"{answer.status_code} {answer.text[:2000]}" if answer.status_code >= 400 else ""
