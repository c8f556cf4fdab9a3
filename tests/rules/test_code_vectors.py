"""The codes that Latchkey expects are those of the standards, and those that an app shows after a bulk scan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from msp.access.migration import read_codes
from technicians.codes import code_at
from tests.support.reference import REFERENCE, reference_needed


class EveryPublishedOneTimeCode:
    @pytest.fixture(autouse=True)
    def _vectors(self) -> None:
        reference_needed()

    def published(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((REFERENCE / "vectors" / f"{name}.json").read_text())
        return found

    def test_of_rfc_4226_is_ours(self):
        file = self.published("rfc4226_hotp")
        codes = [code_at(file["secret_ascii"].encode(), value["counter"]) for value in file["values"]]
        assert codes == [value["code"] for value in file["values"]]
        assert len(codes) == 10

    def test_of_rfc_6238_is_ours_where_entra_could_ask_for_it(self):
        """SHA-1, with the last six of its eight digits."""
        values = [value for value in self.published("rfc6238_totp")["values"] if value["algorithm"] == "SHA1"]
        codes = [code_at(value["secret_ascii"].encode(), value["time"] // 30) for value in values]
        assert codes == [value["code6"] for value in values]
        assert len(codes) == 6

    def test_of_a_bulk_scan_is_ours(self):
        file = self.published("ga_migration")["own_50"]
        read = read_codes(file["uris"]).accounts
        codes = [code_at(account.key, 1111111109 // 30) for account in read]
        assert codes == [account["code_at_1111111109"] for account in file["accounts"]]
