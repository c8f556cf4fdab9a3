"""Style, script and pictures: served to anybody, kept by browsers for ever, and never the old ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from msp.web.fingerprint import fingerprint

pytestmark = pytest.mark.django_db


class WhenAPageIsLoaded:
    def addresses(self, browser: Client) -> list[str]:
        page = browser.get(reverse("access:sign_in")).content.decode()
        return re.findall(r'(?:href|src)="(/static/[^"#]+)', page)

    def test_every_file_that_it_names_is_there_and_may_be_kept_for_ever(self):
        browser = Client()
        found = self.addresses(browser)
        assert len(set(found)) >= 6
        for address in found:
            answer = browser.get(address)
            assert (address, answer.status_code) == (address, 200)
            assert "immutable" in answer["Cache-Control"]

    def test_the_address_carries_what_the_files_are(self):
        assert all(address.startswith(settings.STATIC_URL) for address in self.addresses(Client()))
        assert fingerprint() in settings.STATIC_URL


class WhenAFileChanges:
    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        (tmp_path / "css").mkdir()
        (tmp_path / "css" / "page.css").write_text("a {}")
        return tmp_path

    def test_the_same_files_have_the_same_address(self, files: Path):
        assert fingerprint(files) == fingerprint(files)

    @pytest.mark.parametrize("name", ["css/page.css", "css/new.css", "page.css"])
    def test_another_content_or_another_file_has_another_one(self, files: Path, name: str):
        before = fingerprint(files)
        (files / name).write_text("b {}")
        assert fingerprint(files) != before
