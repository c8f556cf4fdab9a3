"""What people really paste or scan in the place of a key: each is told apart, with a sentence that helps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from msp.access.migration import MigrationSet, read_anything
from msp.access.seed_words import why_no_seed
from msp.access.seeds import NoSeed, Seed, SeedRefused, read_seed
from tests.support.reference import REFERENCE, reference_needed

KEY = "JBSWY3DPEHPK3PXP"
OPAQUE = "AAAAAAAAAAAAAAAAAAAA"
PUSH = "use a different authenticator app"

# The lines of a table that was gathered from Microsoft's pages and the issue threads of other apps.
PAD = "phonefactor://activate_account?code=123456789&url=https%3a%2f%2f"
CLOUD = "https://mobileappcommunicator.auth.microsoft.com"
NO_SEEDS = [
    (f"{PAD}mobileappcommunicator.auth.microsoft.com%2factivatev2%2f111111111%2f{OPAQUE}", PUSH),
    (f"{PAD}something.phonefactor.net%2Fpad%2F987654321", PUSH),
    (f"{PAD.replace('phonef', 'PhoneF')}mfa.example.com%2fMfaWsMobile%2f", PUSH),
    (f"{CLOUD}/activatev2/111111111/{OPAQUE}", PUSH),
    (f"{CLOUD}/mac/MobileAppCommunicator.svc/111111111/{OPAQUE}", PUSH),
    (
        "https://login.microsoftonline.com/authenticatorApp/activateAccount"
        "?source=qrCode&accountType=msa&code=M.C501_BAY.2.U.example&uaid=0123456789abcdef",
        PUSH,
    ),
    ("https://mfa.example.com/MfaWsMobile/", PUSH),
    ("123456789", PUSH),
    ("123 456 789", PUSH),
    ("123-456-789", PUSH),
    ("123\u00a0456\u00a0789", PUSH),
    ("123456", "long key, not the code"),
    ("123 456", "long key, not the code"),
    ("12345678", "long key, not the code"),
    ("otpauth-migration://offline?data=CjEKCkhlbGxv", "bulk export"),
    ("FIDO:/130864008381073036673327190125951157478218957757083231895571530", "passkey"),
    ("https://aka.ms/mfasetup", "web page"),
    ("http://contoso.example", "web page"),
    (f"steam://{KEY}", "Steam"),
    (f"otpauth://steam/Steam:ana?secret={KEY}", "Steam"),
    (f"otpauth://hotp/Contoso:ana?secret={KEY}&counter=1", "counts"),
    (f"otpauth://yaotp/ana?secret={KEY}", "another kind of code"),
    ("motp://ana?secret=0123456789abcdef", "another kind of code"),
    (f"otpauth://totp/ana?secret={KEY}&algorithm=MD5", "does not take"),
    (f"otpauth://totp/ana?secret={KEY}&digits=7", "does not take"),
    ("otpauth://totp/ana", "no secret"),
    ("correct horse battery staple", "no seed"),
    ("JBSWY3DPEHPK3PX1", "no seed"),
    ("jbıwy3dpehpk3pxp", "no seed"),
    ("JBSWY3DP", "no seed"),
    ("   ", "no seed"),
]

SEEDS = [
    KEY,
    "jbsw y3dp ehpk 3pxp",
    "JBSW-Y3DP-EHPK-3PXP",
    f"\n {KEY}\t",
    f"{KEY[:8]}\u00a0{KEY[8:]}",
    f"\ufeff{KEY[:8]}\u200b{KEY[8:]}\u2011",
    f"otpauth://totp/Contoso+Ltd%3Aadmin%40contoso.example?secret={KEY.lower()}&issuer=Microsoft",
    f"OTPAUTH://TOTP/Contoso:ana?SECRET={KEY}",
]


class EveryPastedText:
    @pytest.mark.parametrize(("text", "said"), NO_SEEDS, ids=[text[:50].strip() or "blank" for text, _ in NO_SEEDS])
    def test_that_is_no_seed_is_told_by_its_kind(self, text: str, said: str):
        with pytest.raises(SeedRefused) as stop:
            read_seed(text)
        assert said in why_no_seed(stop.value.reason)

    @pytest.mark.parametrize(("text", "_said"), NO_SEEDS, ids=[text[:50].strip() or "blank" for text, _ in NO_SEEDS])
    def test_that_is_refused_is_in_no_part_of_the_refusal(self, text: str, _said: str):
        """The code of a push registration with its address is a live activation."""
        with pytest.raises(SeedRefused) as stop:
            read_seed(text)
        refusal = stop.value
        told = f"{refusal!s} {refusal!r} {vars(refusal)} {refusal.__cause__!r}"
        for secret in (KEY, OPAQUE, "123456789", "C501_BAY", text.strip()):
            assert not secret or secret not in told + why_no_seed(refusal.reason)
        assert refusal.__suppress_context__ or refusal.__context__ is None

    @pytest.mark.parametrize("text", SEEDS)
    def test_that_is_a_seed_is_read_in_every_way_it_is_written(self, text: str):
        assert read_seed(text).base32 == KEY
        assert isinstance(read_anything(text), Seed)

    def test_of_a_bulk_export_opens_the_bulk_import(self):
        assert isinstance(read_anything("  OTPAUTH-MIGRATION://offline?data=CgMKAWg%3D"), MigrationSet)


class EveryPublishedText:
    @pytest.fixture(autouse=True)
    def _vectors(self) -> None:
        reference_needed()
        file = json.loads((REFERENCE / "vectors" / "otpauth_uris.json").read_text())
        self.values: list[dict[str, Any]] = file["values"]

    def test_gets_a_sentence_without_what_was_pasted(self):
        refused = [vector for vector in self.values if not vector["accept"]]
        assert len(refused) > 15
        for vector in refused:
            with pytest.raises(SeedRefused) as stop:
                read_seed(vector["uri"])
            sentence = why_no_seed(stop.value.reason)
            assert sentence
            assert not vector["uri"] or vector["uri"] not in sentence

    def test_covers_every_reason_there_is(self):
        assert {vector["class"] for vector in self.values if not vector["accept"]} == {str(reason) for reason in NoSeed}


class EveryPublishedKey:
    """RFC 4648, with readings of our own: what a person may do to a key without harm, and what not."""

    @pytest.fixture(autouse=True)
    def _vectors(self) -> None:
        reference_needed()
        self.file: dict[str, Any] = json.loads((REFERENCE / "vectors" / "rfc4648_base32.json").read_text())

    def test_is_read_or_refused_as_published(self):
        for vector in self.file["values"][1:]:
            assert self.key(vector["base32"]) == vector["ascii"].encode()
        for vector in self.file["tolerant"]:
            assert self.key(vector["input"]).hex() == vector["hex"]
        for vector in self.file["reject"]:
            with pytest.raises(SeedRefused):
                self.key(vector["input"])

    def key(self, secret: str) -> bytes:
        """In an address, where a key may be short."""
        return read_seed(f"otpauth://totp/ana?secret={secret}").key
