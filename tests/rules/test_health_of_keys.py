"""What `doctor` says of a root key that is not in a file."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

import pytest

from msp.ops import health
from msp.vault.database import Vault
from msp.vault.envelope import Place
from msp.vault.keepers.chosen import chosen_keeper

pytestmark = pytest.mark.django_db

PLACE = Place("11111111-0000-4000-8000-000000000001", "", "partner_refresh_token", "1", 1)


class WhenTheEnvironmentKeepsTheRootKey:
    @pytest.fixture(autouse=True)
    def _environment(self, settings: Any) -> None:
        self.root = base64.b64encode(secrets.token_bytes(32)).decode()
        settings.KEYS = {"named": "environment", "root_key": lambda: self.root}

    def test_the_doctor_names_it_and_that_it_opens_everything(self) -> None:
        Vault(chosen_keeper()).seal(b"x", PLACE)
        finding = health.keys()
        assert finding.well
        assert "opens every data key (LATCHKEY_ROOT_KEY)" in finding.words

    def test_the_doctor_says_how_to_make_the_first_one(self) -> None:
        self.root = ""
        finding = health.keys()
        assert (finding.well, "openssl rand -base64 32" in finding.words) == (False, True)

    def test_the_doctor_names_the_setting_of_another_key(self) -> None:
        Vault(chosen_keeper()).seal(b"x", PLACE)
        self.root = base64.b64encode(secrets.token_bytes(32)).decode()
        finding = health.keys()
        assert (finding.well, "LATCHKEY_OLDER_ROOT_KEYS" in finding.words) == (False, True)


class WhenAKeyServiceKeepsTheRootKey:
    def test_the_doctor_says_that_it_does_not_answer(self, settings: Any, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("hvs.Planted")
        settings.KEYS = {"named": "transit+https://localhost:1/transit/root", "token_file": str(tmp_path / "token")}
        finding = health.keys()
        assert not finding.well
        assert "https://localhost:1 (transit)): it did not answer" in finding.words
        assert "Planted" not in finding.words

    def test_the_doctor_names_the_setting_that_is_missing(self, settings: Any) -> None:
        settings.KEYS = {"named": "transit+https://localhost:1/transit/root"}
        finding = health.keys()
        assert (finding.well, "LATCHKEY_KEYS_TOKEN_FILE" in finding.words) == (False, True)
