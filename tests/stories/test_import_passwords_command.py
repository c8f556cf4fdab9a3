"""Passwords move in from the command line: what the page asks is said by options."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.pages.cast import installed
from tests.support.password_desk import KEEPASSXC, SEED, PasswordDesk, row

TABLE = "Login;Secret;Other\nadmin@contoso.example;Planted-1;x\nadmin@contoso.example;Planted-2;y\nwho;Planted-3;z\n"


class WhenThereIsNoBrowser(PasswordDesk):
    @pytest.fixture(autouse=True)
    def _files(self, _desk: None, credential: Path, settings: Any, tmp_path: Path) -> Any:
        self.folder = tmp_path
        self.contoso, self.fabrikam = self.account("contoso.example"), self.account("fabrikam.example")
        with installed(settings, self.world, credential, tmp_path):
            yield

    def says(self, text: str, *options: str, kind: str = "passwords") -> str:
        """What is printed, and the error if there is one."""
        file = self.folder / "export.csv"
        file.write_text(text)
        out = io.StringIO()
        try:
            call_command("import", kind, str(file), *options, stdout=out)
        except CommandError as trouble:
            out.write(f"ERROR {trouble}")
        assert "Planted" not in out.getvalue()
        return out.getvalue()

    def test_a_product_is_recognised_or_named(self):
        text = KEEPASSXC + row(str(self.contoso), "Planted-1", seed=SEED)
        assert "Read as: KeePassXC (CSV)." in self.says(text, "--preview")
        said = self.says(text, "--source", "keepassxc")
        assert "1 added" in said
        assert "They are not stored" in said
        assert self.passwords(self.contoso) == ["Planted-1"]

    def test_an_unknown_table_says_how_to_name_its_columns(self):
        assert "--map upn=" in self.says(TABLE)
        assert "known are: bitwarden" in self.says(TABLE, "--source", "paper")

    def test_columns_accounts_and_what_counts_are_options(self):
        mapped = ("--map", "upn=login", "--map", "password=2")
        assert "so nothing is imported" in self.says(TABLE, *mapped)
        self.says(TABLE, *mapped, "--counts", "3", "--account", "4=admin@fabrikam.example")
        assert (self.passwords(self.contoso), self.passwords(self.fabrikam)) == (["Planted-2"], ["Planted-3"])

    def test_a_first_row_can_be_data(self):
        text = "admin@contoso.example;Planted-1\n"
        self.says(text, "--map", "upn=1", "--map", "password=2", "--no-header")
        assert self.passwords(self.contoso) == ["Planted-1"]

    def test_questions_and_seeds_are_told_as_json(self):
        text = KEEPASSXC + row(str(self.contoso), "Planted-1", seed=SEED) + row("who", "Planted-2")
        said = json.loads(self.says(text, "--preview", "--json", "--partial"))
        assert [q["line"] for q in said["questions"]] == [3]
        assert said["shared_seeds"] == [f"{self.contoso} (contoso.example)"]

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            (("--map", "upn"), "both sides of a ="),
            (("--map", "upn=Nothing"), "no column"),
            (("--account", "x=admin@contoso.example"), "number of a line"),
            (("--account", "4=nobody@nowhere.example"), "no shared account"),
        ],
    )
    def test_an_option_that_says_nothing_is_named(self, options, why):
        assert why in self.says(TABLE, *options)

    def test_options_of_passwords_mean_nothing_for_other_files(self):
        assert "say nothing for groups" in self.says("group,tenant\n", "--source", "keeper", kind="groups")
