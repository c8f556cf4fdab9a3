"""The addresses that Latchkey writes: read back as written, and by the rules of the apps that are known."""

from __future__ import annotations

from urllib.parse import unquote, unquote_plus, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msp.access.otpauth import LONGEST_LABEL, account_of, address_of, label_of
from msp.access.seeds import read_seed

KEYS = st.binary(min_size=20, max_size=20)
CODES = st.from_regex(r"[A-Z0-9]{2,6}(-[A-Z0-9]{2,6})?", fullmatch=True)
NAMES = st.text(max_size=80)
UPNS = st.one_of(st.emails(), st.text(min_size=1, max_size=100))
KEY = bytes(range(20))


class ALabel:
    @pytest.mark.parametrize(
        ("tenant", "label"),
        [
            ("Contoso", "Contoso (T07)"),
            ("  Contoso   Ltd. ", "Contoso Ltd. (T07)"),
            ("Müller & Söhne", "Mueller and Soehne (T07)"),
            ("Mu\u0308ller", "Mueller (T07)"),
            ("Škoda Łódź", "Skoda Lodz (T07)"),
            ("A/S Ørsted: Nord", "A S Orsted Nord (T07)"),
            ("100% Recht?", "100 Recht (T07)"),
            ("C# + Co", "C and Co (T07)"),
            ("Contoso (Holding)", "Contoso Holding (T07)"),
            ("株式会社", "Tenant (T07)"),
            ("", "Tenant (T07)"),
            ("The Northern Company of Everything", "The Northern Company of (T07)"),
        ],
    )
    def test_says_the_tenant_in_ascii_and_then_the_code(self, tenant, label):
        assert label_of(tenant, "T07") == label

    @given(NAMES, CODES)
    def test_is_short_plain_and_ends_with_its_whole_code(self, tenant, code):
        label = label_of(tenant, code)
        assert len(label) <= LONGEST_LABEL == 30
        assert label.isascii()
        assert label.isprintable()
        assert label.endswith(f" ({code})")
        assert not set(label) & set(":?&#%+=/\\\"'<>")
        assert label == " ".join(label.split())

    @given(NAMES, NAMES, CODES, CODES)
    def test_differs_wherever_the_code_differs(self, one, other, code, another):
        if code != another:
            assert label_of(one, code) != label_of(other, another)

    @pytest.mark.parametrize("code", ["", "T 7", "T:7", "x" * 14, "Ü7", "7\n"])
    def test_takes_no_code_that_would_break_it(self, code):
        with pytest.raises(ValueError, match="1 to 13"):
            label_of("Contoso", code)


class AnAddress:
    def test_is_what_every_app_takes(self):
        address = address_of(key=KEY, issuer="Contoso Ltd (T07)", account="admin@contoso.example")
        assert address == (
            "otpauth://totp/Contoso%20Ltd%20(T07):admin@contoso.example"
            "?secret=AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&issuer=Contoso%20Ltd%20(T07)"
        )

    @given(KEYS, NAMES, CODES, UPNS)
    def test_is_read_back_exactly_as_it_was_written(self, key, tenant, code, upn):
        label = label_of(tenant, code)
        seed = read_seed(address_of(key=key, issuer=label, account=upn))
        assert (seed.key, seed.issuer, seed.label_issuer) == (key, label, label)
        assert seed.account == account_of(upn)
        assert (seed.algorithm, seed.digits, seed.period) == ("SHA1", 6, 30)
        assert seed.oddities == frozenset()

    @pytest.mark.parametrize("upn", ["admin@contoso.example", "o'hara.x_y-z!~^1@contoso.onmicrosoft.com"])
    def test_keeps_a_name_that_entra_allows_as_it_is(self, upn):
        assert read_seed(address_of(key=KEY, issuer="Contoso (T07)", account=upn)).account == upn

    def test_makes_a_hyphen_of_what_an_app_would_stumble_over(self):
        assert account_of("ben_other.example#EXT#@contoso.example") == "ben_other.example-EXT-@contoso.example"

    @given(KEYS, NAMES, CODES, UPNS)
    def test_has_one_colon_for_aegis(self, key, tenant, code, upn):
        label = unquote(urlsplit(address_of(key=key, issuer=label_of(tenant, code), account=upn)).path)
        assert label.count(":") == 1

    @given(KEYS, NAMES, CODES, UPNS)
    def test_means_the_same_to_an_app_that_decodes_before_it_parses(self, key, tenant, code, upn):
        """2FAS."""
        address = address_of(key=key, issuer=label_of(tenant, code), account=upn)
        assert urlsplit(unquote(address)).path == unquote(urlsplit(address).path)
        assert urlsplit(unquote(address)).query == unquote(urlsplit(address).query)

    @given(KEYS, NAMES, CODES, UPNS)
    def test_means_the_same_to_an_app_that_reads_a_plus_as_a_space(self, key, tenant, code, upn):
        address = address_of(key=key, issuer=label_of(tenant, code), account=upn)
        assert "+" not in address
        assert unquote(address) == unquote_plus(address)

    def test_fits_a_code_that_a_phone_reads_at_once(self):
        """A QR code of version 10 holds 213 bytes at level M."""
        upn = "msp-admin-with-a-long-name@contoso-holding.onmicrosoft.com"
        assert len(address_of(key=KEY, issuer=label_of("x" * 40, "T07"), account=upn)) <= 213

    @pytest.mark.parametrize("issuer", ["", "Contoso:x", "C&A", "Müller", "a" * 31, " Contoso", "Contoso\n", "50%"])
    def test_is_not_written_with_an_issuer_that_an_app_would_misread(self, issuer):
        with pytest.raises(ValueError, match="label_of") as stop:
            address_of(key=KEY, issuer=issuer, account="x")
        assert "AAAQ" not in str(stop.value)

    def test_is_not_written_without_a_key(self):
        with pytest.raises(ValueError, match="a key"):
            address_of(key=b"", issuer="Contoso (T07)", account="x")
