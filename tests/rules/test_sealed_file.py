"""A file under a passphrase: it opens with that, whole, and with nothing else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msp.errors import BadInput
from msp.vault import sealed_file
from msp.vault.sealed_file import is_sealed_file, open_file, seal_file, why_weak

PASSPHRASE = "plough Anchor 7 river-bed"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost is the only thing that differs from the real one."""
    monkeypatch.setattr(sealed_file, "COST", {"name": "scrypt", "n": 2**4, "r": 8, "p": 1})


class WhenAFileIsSealed:
    def test_it_opens_with_its_passphrase_byte_for_byte(self):
        content = bytes(range(256)) * 50
        assert open_file(seal_file(content, PASSPHRASE), PASSPHRASE) == content

    def test_nothing_of_it_can_be_read_without(self):
        file = seal_file(b"Planted-Secret-7", PASSPHRASE)
        assert b"Planted" not in file
        assert PASSPHRASE.encode() not in file

    def test_the_same_twice_is_two_different_files(self):
        assert seal_file(b"x", PASSPHRASE) != seal_file(b"x", PASSPHRASE)

    def test_it_says_how_it_was_made_so_that_others_can_open_it(self):
        head = json.loads(seal_file(b"x", PASSPHRASE))
        assert set(head) == {"format", "version", "kdf", "nonce", "ciphertext"}
        assert set(head["kdf"]) == {"name", "n", "r", "p", "salt"}

    def test_another_passphrase_does_not_open_it(self):
        with pytest.raises(BadInput, match="the passphrase is another one"):
            open_file(seal_file(b"x", PASSPHRASE), PASSPHRASE + " ")

    @given(st.integers(0), st.integers(1, 255))
    @settings(max_examples=60)
    def test_one_changed_byte_anywhere_and_it_does_not_open(self, at: int, change: int):
        file = bytearray(seal_file(b"Planted-Secret-7", PASSPHRASE).rstrip(b"\n"))
        file[at % len(file)] ^= change
        with pytest.raises(BadInput):
            assert open_file(bytes(file), PASSPHRASE) == b"Planted-Secret-7"
            # What only changed the look of the JSON left every byte of meaning in place.
            raise BadInput("the same content")

    @pytest.mark.parametrize("cut", [0, 1, 30, 200])
    def test_a_file_that_was_cut_does_not_open(self, cut: int):
        with pytest.raises(BadInput):
            open_file(seal_file(b"x" * 300, PASSPHRASE)[:cut], PASSPHRASE)


class WhenSomebodyMadeTheFile:
    def file(self, **changes: Any) -> bytes:
        whole = json.loads(seal_file(b"x", PASSPHRASE))
        kdf = {**whole["kdf"], **changes.pop("kdf", {})}
        return json.dumps({**whole, "kdf": kdf, **changes}).encode()

    def test_another_version_is_named_as_that(self):
        with pytest.raises(BadInput, match="Another version"):
            open_file(self.file(version=2), PASSPHRASE)

    @pytest.mark.parametrize("kdf", [{"n": 2**30}, {"r": 10**6}, {"p": 10**6}, {"n": "1"}, {"n": 0}, {"salt": "%"}])
    def test_a_cost_that_would_stop_this_machine_is_refused_before_it_is_paid(self, kdf: dict[str, Any]):
        with pytest.raises(BadInput, match="damaged"):
            open_file(self.file(kdf=kdf), PASSPHRASE)

    @pytest.mark.parametrize(
        "changes", [{"nonce": ""}, {"ciphertext": 7}, {"kdf": {"salt": base64.b64encode(b"x").decode()}}]
    )
    def test_a_part_of_the_wrong_shape_is_damage(self, changes: dict[str, Any]):
        with pytest.raises(BadInput, match="damaged"):
            open_file(self.file(**changes), PASSPHRASE)

    @pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"format":"other"}', b"tenant,upn\n"])
    def test_anything_else_is_no_such_file(self, data: bytes):
        assert not is_sealed_file(data)
        with pytest.raises(BadInput, match="no encrypted file"):
            open_file(data, PASSPHRASE)


class APassphrase:
    @pytest.mark.parametrize(("said", "weak"), [("short", "fewer than 16"), ("aaaaaaaaaaaaaaaaaaaa", "different")])
    def test_that_could_be_guessed_is_refused(self, said: str, weak: str):
        assert weak in why_weak(said)
        with pytest.raises(BadInput, match=weak):
            seal_file(b"x", said)

    def test_of_some_words_is_good(self):
        assert why_weak(PASSPHRASE) == ""
