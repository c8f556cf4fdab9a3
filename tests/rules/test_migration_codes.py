"""Many seeds in a few QR codes: as Google Authenticator writes them, and as it would read ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from msp.access.migration import (
    LARGEST_SET,
    AccountNotTaken,
    MigrationAccount,
    MigrationSet,
    NotTaken,
    Trouble,
    codes_of,
    read_anything,
    read_codes,
)
from msp.access.migration_words import WHAT_IS_WRONG, WHY_NOT_TAKEN, what_is_wrong, why_not_taken
from msp.access.otpauth import label_of
from msp.access.seeds import Seed, SeedRefused
from tests.support.reference import REFERENCE, reference_needed

ACCOUNTS = st.builds(
    MigrationAccount,
    key=st.binary(min_size=1, max_size=64),
    issuer=st.text(min_size=1, max_size=40),
    name=st.text(max_size=60),
)
INT32 = st.integers(min_value=-(2**31), max_value=2**31 - 1)


def accounts(count: int) -> list[MigrationAccount]:
    return [
        MigrationAccount(hashlib.sha1(bytes([n])).digest(), label_of(f"Tenant {n:02}", "T07"), f"admin@t{n}.example")
        for n in range(count)
    ]


def code(payload: str, *rest: int) -> str:
    """A code from the bytes of its message, in hexadecimal."""
    data = base64.b64encode(bytes.fromhex(payload) + bytes(rest)).decode()
    return f"otpauth-migration://offline?data={quote(data, safe='')}"


def one_account(fields: str) -> str:
    raw = bytes.fromhex(fields)
    return code("0a", len(raw), *raw)


def one_time_code(key: bytes, at: int) -> str:
    """RFC 6238 by itself, in the place of an app."""
    digest = hmac.digest(key, (at // 30).to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


class EveryPublishedCode:
    @pytest.fixture(autouse=True)
    def _vectors(self) -> None:
        reference_needed()
        self.vectors: dict[str, Any] = json.loads((REFERENCE / "vectors" / "ga_migration.json").read_text())

    def test_of_the_public_example_is_read(self):
        example = self.vectors["public_example"]
        found = read_codes([example["uri"]])
        assert found.is_whole
        read = [(base64.b32encode(a.key).decode(), a.issuer, a.name) for a in found.accounts]
        told = [(a["secret_base32"], a["issuer"], a["name"]) for a in example["accounts"]]
        assert read == told

    def test_of_the_fifty_is_read_and_its_keys_make_the_published_one_time_codes(self):
        fifty = self.vectors["own_50"]
        found = read_codes(fifty["uris"])
        assert found.is_whole
        assert len(found.accounts) == 50
        for read, told in zip(found.accounts, fifty["accounts"], strict=True):
            assert (read.key.hex(), read.issuer, read.name) == (told["secret_hex"], told["issuer"], told["name"])
            assert one_time_code(read.key, 1111111109) == told["code_at_1111111109"]

    def test_of_the_fifty_is_written_byte_for_byte(self):
        fifty = self.vectors["own_50"]
        told = [MigrationAccount(bytes.fromhex(a["secret_hex"]), a["issuer"], a["name"]) for a in fifty["accounts"]]
        assert codes_of(told, per_code=fifty["accounts_per_qr"], batch_id=fifty["batch_id"]) == fifty["uris"]


class ASetOfCodes:
    @given(st.lists(ACCOUNTS, min_size=1, max_size=25), st.integers(1, 10), INT32, st.randoms())
    def test_is_read_back_in_whatever_order_it_is_scanned(self, told, per_code, batch_id, chance):
        codes = codes_of(told, per_code=per_code, batch_id=batch_id)
        chance.shuffle(codes)
        assert read_codes(codes) == MigrationSet(accounts=tuple(told))

    @pytest.mark.parametrize(("per_code", "count"), [(10, 5), (5, 10)])
    def test_of_fifty_tenants_is_five_scans_or_ten(self, per_code, count):
        assert len(codes_of(accounts(50), per_code=per_code, batch_id=-7)) == count

    @pytest.mark.parametrize(
        ("count", "per_code", "batch_id"), [(0, 5, 1), (3, 0, 1), (3, 5, 2**31), (3, 5, -(2**31) - 1)]
    )
    def test_is_not_made_of_nothing(self, count, per_code, batch_id):
        with pytest.raises(ValueError, match="A set has accounts"):
            codes_of(accounts(count), per_code=per_code, batch_id=batch_id)

    def test_shows_no_key_in_any_representation(self):
        told = accounts(1)
        found = read_codes(codes_of(told, per_code=5, batch_id=1))
        assert repr(told[0].key) not in f"{told!r}{found!r}"


class WhenASetIsNotWhole:
    def setup_method(self) -> None:
        self.codes = codes_of(accounts(25), per_code=10, batch_id=-5)

    def test_the_missing_codes_are_named_and_the_others_read(self):
        found = read_codes([self.codes[1]])
        assert found.accounts == tuple(accounts(25)[10:20])
        assert (found.troubles, found.missing) == ({Trouble.PARTS_MISSING}, (1, 3))
        assert not found.is_whole
        assert what_is_wrong(found) == ["Still missing of this export: code 1, 3. Scan it, too."]

    def test_a_code_that_was_scanned_twice_counts_once_and_is_told(self):
        found = read_codes([*self.codes, self.codes[0]])
        assert (found.troubles, found.accounts) == ({Trouble.PART_TWICE}, tuple(accounts(25)))
        assert found.is_whole

    @pytest.mark.parametrize("other", [{"per_code": 10, "batch_id": 6}, {"per_code": 5, "batch_id": -5}])
    def test_a_code_of_another_set_is_told_and_left_out(self, other):
        found = read_codes([*self.codes, codes_of(accounts(50), **other)[3]])
        assert (found.troubles, found.accounts) == ({Trouble.OTHER_SET}, tuple(accounts(25)))
        assert not found.is_whole

    def test_what_is_no_export_is_told_and_left_out(self):
        found = read_codes(["otpauth://totp/x?secret=JBSWY3DPEHPK3PXP", *self.codes])
        assert (found.troubles, found.accounts) == ({Trouble.NOT_A_MIGRATION}, tuple(accounts(25)))

    def test_a_code_that_was_cut_off_is_told_and_the_others_read(self):
        found = read_codes([self.codes[0][:300], self.codes[1], self.codes[2]])
        assert found.troubles == {Trouble.MALFORMED, Trouble.PARTS_MISSING}
        assert found.missing == (1,)

    def test_nothing_at_all_is_told(self):
        assert read_codes([]) == MigrationSet(troubles=frozenset({Trouble.NOTHING}))


class WhenAnAccountCannotBeUsed:
    NAME, KEY = "12014e", "0a0168"

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            (KEY + "3001", NotTaken.COUNTS),
            (KEY + "3003", NotTaken.COUNTS),
            (KEY + "2002", NotTaken.ALGORITHM),
            (KEY + "2003", NotTaken.ALGORITHM),
            (KEY + "2004", NotTaken.ALGORITHM),
            (KEY + "2802", NotTaken.DIGITS),
            (KEY + "2807", NotTaken.DIGITS),
            ("", NotTaken.NO_KEY),
            ("0a00", NotTaken.NO_KEY),
        ],
    )
    def test_it_is_told_by_name_and_reason(self, fields, reason):
        found = read_codes([one_account(self.NAME + fields)])
        assert found.not_taken == (AccountNotTaken("", "N", reason),)
        assert (found.accounts, found.is_whole) == ((), False)

    @pytest.mark.parametrize("fields", ["", "2000", "2001", "2800", "2801", "3000", "3002", "3800", "200028003000"])
    def test_what_is_unset_stands_for_the_usual(self, fields):
        found = read_codes([one_account(self.NAME + self.KEY + fields)])
        assert found == MigrationSet(accounts=(MigrationAccount(b"h", "", "N"),))


class WhenACodeIsWrittenInAnotherWay:
    def test_the_issuer_is_read_from_the_name_where_it_has_none(self):
        found = read_codes([one_account("0a0168" + "1205" + b"Co: x".hex())])
        assert found.accounts == (MigrationAccount(b"h", "Co", "x"),)

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.upper().split("DATA=")[0] + "data=" + text.split("data=")[1],
            lambda text: text.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="),
            lambda text: text.replace("%2B", " "),
            lambda text: text.replace("%2B", "-").replace("%2F", "_").replace("%3D", ""),
            lambda text: f"  {text}\n",
            lambda text: text.replace("offline?", "offline/?"),
            lambda text: text + "&x=1",
        ],
    )
    def test_it_says_the_same(self, change):
        told = [MigrationAccount(bytes([0xFB, 0xEF, 0xFF, n]) * 5, "Contoso (T07)", f"x{n}") for n in range(4)]
        (text,) = codes_of(told, per_code=5, batch_id=-1)
        assert {"%2B", "%2F"} <= {text[at : at + 3] for at in range(len(text))}
        assert read_codes([change(text)]).accounts == tuple(told)

    def test_fields_that_came_later_are_passed_over(self):
        """A number of eight bytes, one of four, and a text, all with numbers that nobody has yet."""
        later = "79" + "00" * 8 + "7d" + "00" * 4 + "7a0141" + "7801"
        raw = bytes.fromhex("0a0168" + "12014e" + "1a014f" + later)
        found = read_codes([code("0a", len(raw), *raw, *bytes.fromhex(later))])
        assert found == MigrationSet(accounts=(MigrationAccount(b"h", "O", "N"),))

    @pytest.mark.parametrize("rest", [(), (0x18, 0), (0x18, 1), (0x18, 1, 0x20, 0)])
    def test_a_code_without_a_place_in_a_set_is_a_set_by_itself(self, rest):
        assert read_codes([code("0a030a0168", *rest)]) == MigrationSet(accounts=(MigrationAccount(b"h", "", ""),))


class WhenACodeIsMalformed:
    @pytest.mark.parametrize(
        "text",
        [
            "otpauth-migration:",
            "otpauth-migration://offline",
            "otpauth-migration://offline?data=",
            "otpauth-migration://offline?data=%%%",
            "otpauth-migration://offline?data=A",
            "otpauth-migration://offline?data=CjEKCkhlbGxv",
            "otpauth-migration://elsewhere?data=CgMKAWg%3D",
            "otpauth-migration://offline?data=" + "A" * 9000,
            code("1001"),
            code("0a030a0168", 0x18, 2, 0x20, 2),
            code("0a030a0168", 0x18, *bytes.fromhex("ffffffff07")),
            code("0a030a0168", 0x18, LARGEST_SET + 1 & 0x7F | 0x80, LARGEST_SET + 1 >> 7),
            code("0a030a0168", 0x20, *bytes.fromhex("ffffffffffffffffff01")),
            code("0801"),
            code("0a030a01681a00"),
            code("0a0212ff"),
            code("0a051202c328"),
            code("0b"),
            code("0a" + "ff" * 11),
        ],
    )
    def test_it_is_told_and_nothing_is_taken(self, text):
        found = read_codes([text])
        assert found == MigrationSet(troubles=frozenset({Trouble.MALFORMED}))

    @given(st.binary(max_size=200))
    def test_it_never_breaks_the_reader(self, data):
        text = f"otpauth-migration://offline?data={quote(base64.b64encode(data).decode(), safe='')}"
        for whole in (text, text[: len(text) // 2], f"{text}{data!r}"):
            found = read_codes([whole])
            assert found.accounts or found.not_taken or found.troubles

    @given(st.text(max_size=200))
    def test_neither_does_any_text(self, text):
        for whole in (text, f"otpauth-migration://offline?data={text}", f"otpauth-migration:{text}"):
            assert read_codes([whole, whole]).troubles

    @given(st.binary(min_size=1, max_size=8), st.integers(0, 400), INT32)
    def test_neither_does_a_good_code_with_a_wrong_place_in_it(self, wrong, at, batch_id):
        (text,) = codes_of(accounts(3), per_code=5, batch_id=batch_id)
        data = bytearray(base64.b64decode(unquote(text.split("data=")[1])))
        data[at % len(data) : at % len(data) + len(wrong)] = wrong
        found = read_codes([f"otpauth-migration://offline?data={quote(base64.b64encode(data).decode(), safe='')}"])
        assert found.accounts or found.not_taken or found.troubles


class AnyCode:
    def test_is_a_single_seed_or_a_set(self):
        (text,) = codes_of(accounts(3), per_code=5, batch_id=9)
        assert read_anything(f" {text}") == MigrationSet(accounts=tuple(accounts(3)))
        assert isinstance(read_anything("JBSWY3DPEHPK3PXP"), Seed)
        with pytest.raises(SeedRefused):
            read_anything("https://aka.ms/mfasetup")


class EverySentence:
    def test_is_there_for_every_reason_and_holds_nothing_of_the_code(self):
        assert set(WHY_NOT_TAKEN) == set(NotTaken)
        assert set(WHAT_IS_WRONG) == set(Trouble)
        assert all(why_not_taken(reason).endswith(".") for reason in NotTaken)
        everything = MigrationSet(troubles=frozenset(Trouble), missing=(2,))
        assert len(what_is_wrong(everything)) == len(Trouble)
        assert all(sentence.endswith(".") for sentence in what_is_wrong(everything))


class TheLargestCode:
    """Ten accounts with labels and names as long as ours get: version 25 at level L, as measured in practice."""

    def test_of_ten_accounts_can_be_read_by_another_reader(self):
        (text,) = codes_of(accounts(10), per_code=10, batch_id=-(2**31))
        drawn = zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode), scale=3)
        assert [found.text for found in zxingcpp.read_barcodes(drawn)] == [text]
