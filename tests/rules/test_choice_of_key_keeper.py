"""LATCHKEY_KEYS chooses the keeper of the root key, and the environment may hold the key itself."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from msp import env
from msp.errors import BadInput, KeyTrouble
from msp.vault.keepers.chosen import keeper_of
from tests.support.root_keys import AZURE, TRANSIT, VAULT, OfEnvironment, OfFile

HERE = b"tenant contoso, key 1"


@pytest.fixture
def data_key() -> bytes:
    return secrets.token_bytes(32)


class TheEnvironmentKeeper:
    def test_takes_over_what_the_file_keeper_wrapped(self, tmp_path: Path, data_key: bytes) -> None:
        file = OfFile(tmp_path)
        file.begin()
        wrapped, root = file.keeper().wrap(data_key, HERE)
        moved = OfEnvironment(tmp_path)
        moved.root = (file.directory / "root.key").read_text()
        assert moved.keeper().unwrap(wrapped, root, HERE, what="It") == data_key

    def test_reads_older_keys_with_commas_or_line_ends_between_them(self, tmp_path: Path, data_key: bytes) -> None:
        at = OfEnvironment(tmp_path)
        at.begin()
        wrapped, root = at.keeper().wrap(data_key, HERE)
        at.move_on()
        at.move_on()
        for older in (at.older, at.older.replace(",", "\n"), f" {at.older.replace(',', ' , ')}\n"):
            at.older = older
            assert at.keeper().unwrap(wrapped, root, HERE, what="It") == data_key

    @pytest.mark.parametrize("rubbish", ["Planted", "UGxhbnRlZA==", "Planted\N{SNOWMAN}"])
    def test_refuses_what_is_no_key_by_its_setting(self, tmp_path: Path, rubbish: str) -> None:
        at = OfEnvironment(tmp_path)
        at.root = rubbish
        with pytest.raises(KeyTrouble, match="LATCHKEY_ROOT_KEY holds") as caught:
            at.keeper().current()
        assert rubbish not in str(caught.value)
        at.root = ""
        at.begin()
        at.older = rubbish
        with pytest.raises(KeyTrouble, match="LATCHKEY_OLDER_ROOT_KEYS holds") as caught:
            at.keeper().current()
        assert rubbish not in str(caught.value)

    def test_says_how_to_make_the_first_key(self, tmp_path: Path) -> None:
        with pytest.raises(KeyTrouble, match=r"openssl rand -base64 32.*LATCHKEY_ROOT_KEY.*restart"):
            OfEnvironment(tmp_path).keeper().make_unless_there()

    def test_says_step_by_step_how_to_move_on(self, tmp_path: Path) -> None:
        at = OfEnvironment(tmp_path)
        at.begin()
        words = r"LATCHKEY_OLDER_ROOT_KEYS.*openssl rand -base64 32.*LATCHKEY_ROOT_KEY.*restart.*rotate_keys again"
        with pytest.raises(KeyTrouble, match=words):
            at.keeper().make_next()

    def test_names_a_file_of_the_setting_that_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LATCHKEY_ROOT_KEY_FILE", "/nowhere/root")
        with pytest.raises(KeyTrouble, match="LATCHKEY_ROOT_KEY_FILE"):
            env.root_key()

    def test_reads_the_file_of_the_setting_at_each_use(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("LATCHKEY_ROOT_KEY_FILE", str(tmp_path / "root"))
        for said in ("the first", "the second"):
            (tmp_path / "root").write_text(said)
            assert env.root_key() == said

    def test_reads_the_key_from_the_file_of_the_setting(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_key: bytes
    ) -> None:
        (tmp_path / "root").write_text(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        monkeypatch.setenv("LATCHKEY_ROOT_KEY_FILE", str(tmp_path / "root"))
        keeper = keeper_of(
            "environment", directory=tmp_path, root_key=env.root_key, older_root_keys=env.older_root_keys
        )
        wrapped, root = keeper.wrap(data_key, HERE)
        assert keeper.unwrap(wrapped, root, HERE, what="It") == data_key


WRONG = [
    "",
    "files",
    "https://keeper.example/transit/root",
    "transit+http://keeper.example/transit/root",
    "transit+https://keeper.example/root",
    "transit+https://u:Planted@keeper.example/transit/root",
    f"transit+https://keeper.example/transit/{'x' * 200}",
    "azure+http://keys.vault.azure.net/root",
    "azure+https://keys/root",
    f"azure+{VAULT}/root/version",
    f"azure+{VAULT}/root?tenant=contoso.example",
    f"azure+{VAULT}/root?secret=Planted",
    "pkcs11:token=t;object=o",
    "pkcs11:token=t?module-path=/m.so&pin-source=file:/p",
    "pkcs11:token=t;object=o?module-path=m.so&pin-source=file:/p",
    "pkcs11:token=t;object=o?module-path=/m.so&pin-value=Planted",
    "pkcs11:token=t;object=o?module-path=/m.so&pin-source=|Planted",
    "pkcs11:token=t;token=u;object=o?module-path=/m.so&pin-source=file:/p",
    f"pkcs11:token=t;object={'o' * 200}?module-path=/m.so&pin-source=file:/p",
]


class TheSettingOfTheKeeper:
    @pytest.mark.parametrize("wrong", WRONG)
    def test_stops_everything_at_the_start_when_it_is_wrong(self, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LATCHKEY_KEYS", wrong)
        with pytest.raises(ImproperlyConfigured, match="LATCHKEY_KEYS must") as caught:
            env.key_keeper()
        assert "Planted" not in str(caught.value)

    @pytest.mark.parametrize("right", ["file", "environment", TRANSIT, AZURE, f"{AZURE}?client=1"])
    def test_is_taken_when_it_is_right(self, right: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LATCHKEY_KEYS", right)
        assert env.key_keeper() == right

    def test_is_file_when_nobody_chose(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LATCHKEY_KEYS", raising=False)
        assert env.key_keeper() == "file"

    @pytest.mark.parametrize(
        ("named", "known", "setting"),
        [
            (TRANSIT, {}, "LATCHKEY_KEYS_TOKEN_FILE"),
            (f"{AZURE}?tenant=contoso.example&client=1", {}, "LATCHKEY_KEYS_TOKEN_FILE"),
            (AZURE, {"ca_bundle": "/nowhere/ca.pem"}, "LATCHKEY_KEYS_CA_BUNDLE"),
            ("azure+https://keys.vault.example.org/root?tenant=t&client=1", {"token_file": "/t"}, "LATCHKEY_KEYS must"),
        ],
    )
    def test_names_what_else_must_be_set(self, named: str, known: dict[str, str], setting: str, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=setting):
            keeper_of(named, directory=tmp_path, **known)
