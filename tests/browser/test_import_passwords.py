"""Passwords move in, in a real browser: choose the file, name its columns, answer what is open, import."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desks
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, shoot
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLANTED = "Planted-Password"


class WhenAnExportOfNobodyWeKnowMovesIn:
    """Olga has a table with German headers, one seed in it, and two rows that leave something open."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks, tmp_path: Path) -> None:
        self.world, self.desks = world, desks
        self.contoso, self.fabrikam, self.tailspin = (
            world.account(world.tenant(name)) for name in ("Contoso", "Fabrikam", "Tailspin")
        )
        self.file = tmp_path / "zugänge.csv"
        self.file.write_text(
            "Kunde;Bezeichnung;Konto;Kennwort;Geheimwert;OTP\n"
            f"Contoso;GA;{self.contoso};{PLANTED}-1;;JBSWY3DPEHPK3PXP\n"
            f"Fabrikam;GA;{self.fabrikam};{PLANTED}-2;;\n"
            f"Fabrikam;GA (alt);{self.fabrikam};{PLANTED}-3 ;;\n"
            f"Tailspin;Admin;administrator;{PLANTED}-4;;123456\n"
            f"Privat;Steam;gamer;{PLANTED}-5;;\n"
        )

    def looks(self, desk: Desk, name: str) -> None:
        for size in (NARROW, WIDE):
            desk.resizes(size)
            assert not desk.scrolls_sideways(), name
            shoot(desk.page, f"import {name} {desk.scheme} {size[0]}")
        assert desk.barriers() == []
        assert PLANTED not in desk.page.content()

    def chooses_the_file(self, desk: Desk) -> Page:
        page = desk.opens("import:start")
        page.get_by_label("What is in the file").select_option("passwords")
        page.get_by_label("File", exact=True).set_input_files(self.file)
        self.looks(desk, "start")
        page.get_by_role("button", name="Look at it").click()
        expect(page.get_by_text("No product that is known here writes such a file")).to_be_visible()
        return page

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_it_is_asked_previewed_answered_and_imported(self, scheme: str):
        desk = self.desks(Visitor(self.world.owner), scheme=scheme)
        page = self.chooses_the_file(desk)
        expect(page.get_by_label("User name")).to_have_value("2")
        expect(page.get_by_label("Password", exact=True)).to_have_value("3")
        self.looks(desk, "columns")

        page.get_by_role("button", name="Look at it").click()
        expect(page.get_by_role("button", name="Import 1 row")).to_be_visible()
        self.looks(desk, "preview")

        page.get_by_label("Line 3 counts").check()
        page.get_by_label("Shared account of line 5").fill(f"{self.tailspin} ({self.tailspin.tenant})")
        page.get_by_role("button", name="Take these answers").click()
        expect(page.get_by_role("button", name="Import 3 rows")).to_be_visible()

        page.get_by_label("Leave out the row with an error").check()
        page.get_by_role("button", name="Import 3 rows").click()
        expect(page.get_by_role("heading", name="Imported")).to_be_visible()
        self.looks(desk, "done")
        assert [self.world.passwords_known(a)["current"] for a in (self.contoso, self.fabrikam, self.tailspin)] == [
            f"{PLANTED}-{number}" for number in (1, 2, 4)
        ]
        page.get_by_role("link", name=str(self.contoso)).click()
        expect(page.get_by_text("A shared seed: replace it by independent authenticators")).to_be_visible()
