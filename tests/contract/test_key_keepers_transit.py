"""The root key in a transit engine: what is asked of it, and what is said when it does not do it.

No OpenBao or HashiCorp Vault could be reached where this was built. The engine here is a double that really encrypts,
written after their API page "Transit secrets engine" (tests/support/key_services.py).
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from msp.errors import KeyTrouble
from msp.vault.keepers.chosen import keeper_of
from msp.vault.keepers.port import KeyKeeper
from tests.support.key_services import ENGINES_TOKEN, TransitEngine, TransitKey

HERE, ELSEWHERE = b"tenant contoso", b"tenant fabrikam"
KEY = bytes(range(32))


class Engine:
    """A keeper in front of one engine."""

    @pytest.fixture(autouse=True)
    def _engine(self, tmp_path: Path) -> None:
        self.engine = TransitEngine()
        self.asked: list[tuple[str, str]] = []
        self.token_file = tmp_path / "token"
        self.token_file.write_text(f"{ENGINES_TOKEN}\n")
        self.keeper = self.another()
        self.keeper.make_unless_there()

    def another(self) -> KeyKeeper:
        return keeper_of(
            "transit+https://keeper.example:8200/transit/root",
            directory=Path("/nowhere"),
            token_file=str(self.token_file),
            wire=httpx.MockTransport(self.wire),
        )

    def wire(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, str(request.url)))
        return self.engine(request)

    def trouble(self) -> str:
        with pytest.raises(KeyTrouble) as caught:
            self.keeper.wrap(KEY, HERE)
        assert ENGINES_TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert "Nothing was changed" in str(caught.value)
        return str(caught.value)


class ATransitEngine(Engine):
    def test_is_asked_at_the_documented_places(self) -> None:
        self.asked.clear()
        wrapped, root = self.keeper.wrap(KEY, HERE)
        self.keeper.unwrap(wrapped, root, HERE, what="It")
        self.keeper.make_next()
        self.keeper.retire(root)
        base = "https://keeper.example:8200/v1/transit"
        assert set(self.asked) == {
            ("GET", f"{base}/keys/root"),
            ("POST", f"{base}/encrypt/root"),
            ("POST", f"{base}/decrypt/root"),
            ("POST", f"{base}/keys/root/rotate"),
            ("POST", f"{base}/keys/root/config"),
        }

    def test_makes_a_key_of_the_type_that_binds(self) -> None:
        assert self.engine.keys["root"].kind == "aes256-gcm96"

    def test_names_root_keys_by_mount_key_and_version(self) -> None:
        assert self.keeper.current() == "transit:transit/root:v1"
        assert self.keeper.make_next() == "transit:transit/root:v2"

    def test_gets_a_renewed_token_from_the_file(self) -> None:
        self.engine.token = "hvs.the-next-one"
        self.token_file.write_text(self.engine.token)
        assert self.keeper.current()

    def test_that_is_too_old_for_associated_data_opens_nothing_for_another_place_either(self) -> None:
        self.engine.knows_associated_data = False
        wrapped, root = self.keeper.wrap(KEY, HERE)
        assert self.keeper.unwrap(wrapped, root, HERE, what="It") == KEY
        with pytest.raises(KeyTrouble, match="does not open"):
            self.keeper.unwrap(wrapped, root, ELSEWHERE, what="It")


class WhenVersionsAreRetired(Engine):
    @pytest.fixture(autouse=True)
    def _four_versions(self, _engine: None) -> None:
        self.roots = [self.keeper.current(), *(self.keeper.make_next() for _ in range(3))]

    @property
    def lowest(self) -> int:
        return self.engine.keys["root"].lowest

    def test_the_lowest_that_may_decrypt_moves_up(self) -> None:
        self.keeper.retire(self.roots[0])
        assert self.lowest == 2

    def test_in_any_order_all_of_them_are_gone_at_the_end(self) -> None:
        for root in (self.roots[2], self.roots[0], self.roots[1]):
            self.keeper.retire(root)
        assert self.lowest == 4

    def test_one_between_two_in_use_takes_neither_with_it(self) -> None:
        self.keeper.retire(self.roots[1])
        assert self.lowest == 1

    def test_nothing_is_deleted_for_ever(self) -> None:
        """An old backup of the database can be read again by lowering `min_decryption_version`."""
        wrapped, root = self.keeper.wrap(KEY, HERE)
        self.keeper.make_next()
        for retired in self.roots:
            self.keeper.retire(retired)
        with pytest.raises(KeyTrouble, match="min_decryption_version"):
            self.keeper.unwrap(wrapped, root, HERE, what="Data key 7")
        self.engine.keys["root"].lowest = 1
        assert self.keeper.unwrap(wrapped, root, HERE, what="It") == KEY


class WhenTheEngineDoesNotServe(Engine):
    def test_its_silence_is_told(self) -> None:
        self.engine.is_there = False
        assert "did not answer" in self.trouble()

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (429, "patience"),
            (472, "disaster recovery"),
            (473, "name the active one"),
            (500, "it answered 500"),
            (503, "sealed or under maintenance"),
            (307, "Name the active one"),
            (418, "it answered 418"),
        ],
    )
    def test_each_state_of_it_has_its_own_sentence(self, status: int, words: str) -> None:
        self.engine.trouble = status
        assert words in self.trouble()

    def test_a_token_that_it_does_not_take_is_told_by_its_setting(self) -> None:
        self.token_file.write_text("hvs.something-else")
        assert "LATCHKEY_KEYS_TOKEN_FILE" in self.trouble()

    @pytest.mark.parametrize("content", ["", " \n", "two\nlines"])
    def test_without_a_token_nothing_is_asked(self, content: str) -> None:
        self.token_file.write_text(content)
        self.asked.clear()
        assert "LATCHKEY_KEYS_TOKEN_FILE" in self.trouble()
        assert self.asked == []

    def test_a_key_that_is_gone_is_not_made_anew_by_encrypting(self) -> None:
        self.engine.keys.clear()
        assert "restore the key from its backup" in self.trouble()
        assert self.engine.keys == {}

    def test_a_key_of_another_type_is_refused(self) -> None:
        self.engine.keys["root"] = TransitKey("rsa-2048")
        assert "aes256-gcm96" in self.trouble()

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (httpx.Response(200, text="<html>"), "Name another one"),
            (httpx.Response(200, json=[]), "Name another one"),
            (httpx.Response(200, json={"data": 7}), "Name another one"),
            (httpx.Response(200, json={"data": {"type": "aes256-gcm96"}}), "Check the address"),
            (httpx.Response(200, json={"data": {"type": "aes256-gcm96", "keys": {"x": 1}}}), "Check the address"),
        ],
    )
    def test_an_answer_of_somebody_else_is_told(self, answer: httpx.Response, words: str) -> None:
        self.engine.answers["keys"] = answer
        assert words in self.trouble()

    def test_a_ciphertext_of_somebody_else_is_told(self) -> None:
        self.engine.answers["encrypt"] = httpx.Response(200, json={"data": {"ciphertext": "vault:v9:AAAA"}})
        assert "no ciphertext of this key" in self.trouble()
