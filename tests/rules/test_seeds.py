"""A seed as people paste it and issuers write it: what is understood, and what is told apart by name."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msp.access.seed_words import WHY, why_no_seed
from msp.access.seeds import NoSeed, SeedRefused, read_seed
from tests.support.reference import REFERENCE, reference_needed

SECRET = "JBSWY3DPEHPK3PXP"


def refused(text: str) -> NoSeed:
    with pytest.raises(SeedRefused) as stop:
        read_seed(text)
    return stop.value.reason


def published() -> list[dict[str, Any]]:
    file = REFERENCE / "vectors" / "otpauth_uris.json"
    return json.loads(file.read_text())["values"] if file.is_file() else []


class EveryPublishedAddress:
    @pytest.fixture(autouse=True)
    def _vectors(self) -> None:
        reference_needed()

    def test_is_there_to_be_read(self):
        assert len(published()) > 35

    @pytest.mark.parametrize("vector", published(), ids=lambda v: v["uri"][:60] or "nothing")
    def test_is_understood_or_refused_as_published(self, vector: dict[str, Any]):
        if not vector["accept"]:
            assert refused(vector["uri"]) == vector["class"]
            return
        seed = read_seed(vector["uri"])
        assert (seed.issuer, seed.account, seed.base32) == (
            vector["issuer"],
            vector["account"],
            vector["secret_base32"],
        )
        assert (seed.algorithm, seed.digits, seed.period) == (vector["algorithm"], vector["digits"], vector["period"])
        assert set(seed.oddities) == set(vector["warnings"])


class WhenAnAddressIsOdd:
    def test_both_readings_of_the_organisation_are_kept(self):
        seed = read_seed(f"otpauth://totp/Contoso+Ltd%3Aadmin%40contoso.example?secret={SECRET}&issuer=Microsoft")
        assert (seed.issuer, seed.label_issuer) == ("Microsoft", "Contoso+Ltd")

    def test_a_bare_hash_belongs_to_the_account(self):
        assert read_seed(f"otpauth://totp/Example:team#ops?secret={SECRET}").account == "team#ops"

    @pytest.mark.parametrize(
        "secret", ["JBSWY3DPEHPK3PXPA", "JBSWY3", "JBSWY3DPEHPK3P1P", "ＪＢＳＷＹ３ＤＰＥＨＰＫ３ＰＸＰ"]
    )
    def test_a_secret_that_no_bytes_come_to_is_refused(self, secret):
        assert refused(f"otpauth://totp/x?secret={secret}") == NoSeed.BAD_SECRET

    @pytest.mark.parametrize("rest", ["period=14", "period=301", "period=-30", "period=x", "digits=7", "digits=６"])
    def test_numbers_beyond_what_entra_takes_are_refused(self, rest):
        assert refused(f"otpauth://totp/x?secret={SECRET}&{rest}") == NoSeed.BAD_PARAMETER

    @pytest.mark.parametrize("text", ["motp://x?secret=ab", f"steam://{SECRET}", f"otpauth://yaotp/x?secret={SECRET}"])
    def test_other_kinds_of_codes_are_named(self, text):
        assert refused(text) == NoSeed.UNSUPPORTED_TYPE


class ASeed:
    def test_is_in_no_representation_and_in_no_error(self):
        assert SECRET not in repr(read_seed(SECRET))
        assert "hello" not in repr(read_seed(SECRET))
        with pytest.raises(SeedRefused) as stop:
            read_seed(f"otpauth://totp/x?secret={SECRET}&digits=4")
        assert SECRET not in f"{stop.value!s}{stop.value!r}{stop.value.__cause__!r}"

    @given(st.text(max_size=120))
    def test_is_read_or_refused_and_nothing_else_happens(self, text):
        for whole in (text, f"otpauth://totp/{text}", f"otpauth://totp/x?secret={SECRET}&{text}"):
            try:
                assert read_seed(whole).key
            except SeedRefused as refused_because:
                assert refused_because.reason in NoSeed

    @given(st.binary(min_size=10, max_size=64))
    def test_comes_out_as_the_bytes_it_went_in_as(self, key):
        seed = read_seed("otpauth://totp/x?secret=" + base64.b32encode(key).decode().lower())
        assert seed.key == key


class EveryRefusal:
    @pytest.mark.parametrize("reason", NoSeed)
    def test_has_a_sentence(self, reason):
        assert why_no_seed(reason).endswith((".", "”."))
        assert set(WHY) == set(NoSeed)
