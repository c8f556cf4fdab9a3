"""The app's signature: what an assertion says, and that the key may live where nobody can read it."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from msp.errors import BadInput, Busy, DirectoryError, NoConnection
from msp.microsoft.clouds import CLOUDS
from msp.microsoft.connection import Connection
from msp.microsoft.ports import ProbeResult
from msp.microsoft.signing import client_assertion, thumbprint, way_to_sign
from msp.microsoft.tokens import TokenStore
from msp.microsoft.transport import Transport
from tests.support.wire import Wire, sign_in_fault, write_certificate

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
GLOBAL = CLOUDS["global"]
URL = GLOBAL.token_url(TENANT)
KEEPERS_TOKEN = "hvs.Planted-keeper-token"
NOW = dt.datetime(2026, 11, 25, 10, 0, tzinfo=dt.UTC)


def certificate_for(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, begins: dt.datetime, ends: dt.datetime
) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "latchkey test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def pem(key: rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    """Certificate and key in one file, valid for a day around NOW."""
    day = dt.timedelta(days=1)
    place = tmp_path / "app.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    place.write_bytes(certificate_for(key, NOW - day, NOW + day) + private)
    return place


def read_by_microsoft(assertion: str, certificate: bytes) -> dict:
    """The claims, as somebody who has only the certificate reads them. Raises when the signature is not PS256."""
    public = x509.load_pem_x509_certificate(certificate).public_key()
    return jwt.decode(
        assertion, public, algorithms=["PS256"], audience=URL, options={"verify_exp": False, "verify_nbf": False}
    )


class AnAssertion:
    @pytest.fixture
    def assertion(self, pem: Path) -> str:
        return client_assertion(way_to_sign(Connection("client-1", str(pem)))(), "client-1", URL, now=lambda: NOW)

    def test_is_signed_so_that_the_certificate_proves_it(self, assertion, pem):
        claims = read_by_microsoft(assertion, pem.read_bytes())
        assert (claims["iss"], claims["sub"], claims["aud"]) == ("client-1", "client-1", URL)

    def test_names_algorithm_and_certificate_and_nothing_else(self, assertion, pem):
        digest = x509.load_pem_x509_certificate(pem.read_bytes()).fingerprint(hashes.SHA256())
        assert jwt.get_unverified_header(assertion) == {
            "alg": "PS256",
            "typ": "JWT",
            "x5t#S256": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        }

    def test_begins_now_and_lives_for_five_to_ten_minutes(self, assertion, pem):
        claims = read_by_microsoft(assertion, pem.read_bytes())
        assert claims["nbf"] == claims["iat"] == int(NOW.timestamp())
        assert 300 <= claims["exp"] - claims["nbf"] <= 600

    def test_is_never_the_same_twice(self, pem):
        signer = way_to_sign(Connection("client-1", str(pem)))()
        made = [client_assertion(signer, "client-1", URL, now=lambda: NOW) for _ in range(2)]
        assert len({read_by_microsoft(one, pem.read_bytes())["jti"] for one in made}) == 2


class WhenTheCertificateIsNotValidNow:
    @pytest.mark.parametrize(
        ("at", "words"),
        [
            (NOW + dt.timedelta(days=2), "expired on 2026-11-26 10:00 UTC"),
            (NOW - dt.timedelta(days=2), "valid only from 2026-11-24 10:00 UTC on"),
        ],
    )
    def test_it_is_told_with_date_and_remedy(self, pem, at, words):
        signer = way_to_sign(Connection("client-1", str(pem)))()
        with pytest.raises(NoConnection, match=words) as caught:
            client_assertion(signer, "client-1", URL, now=lambda: at)
        assert str(pem) in str(caught.value)
        assert "Nothing was sent" in str(caught.value)

    @pytest.mark.parametrize(
        ("begins", "ends", "code"), [(-9, -2, "certificate_expired"), (2, 9, "certificate_not_yet_valid")]
    )
    def test_nothing_is_sent_for_a_token_or_a_probe(self, key, tmp_path, begins, ends, code):
        now = dt.datetime.now(dt.UTC)
        place = tmp_path / "app.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        place.write_bytes(
            certificate_for(key, now + dt.timedelta(days=begins), now + dt.timedelta(days=ends)) + private
        )
        wire, connection = Wire(), Connection("client-1", str(place))
        tokens = TokenStore(connection, Transport(connection, wire=wire))
        for ask in (
            lambda: tokens.token(TENANT, GLOBAL),
            lambda: tokens.try_password(TENANT, GLOBAL, "admin@contoso.example", "pw"),
        ):
            with pytest.raises(NoConnection) as caught:
                ask()
            assert caught.value.code == code
        assert wire.token_forms == []


class KeyKeeper:
    """The transit engine as its API page describes it: it signs with keys that it never shows."""

    def __init__(self, **keys: rsa.RSAPrivateKey) -> None:
        self.keys, self.token, self.is_there = keys, KEEPERS_TOKEN, True
        self.asked: list[httpx.Request] = []
        self.answer: httpx.Response | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.answer:
            return self.answer
        if not self.is_there:
            raise httpx.ConnectError("refused")
        if request.headers.get("x-vault-token") != self.token:
            return httpx.Response(403, json={"errors": ["permission denied"]})
        path = request.url.path.removeprefix("/v1/teams/transit/sign/")
        name, _, hash_name = path.partition("/")
        if request.method != "POST" or name not in self.keys:
            return httpx.Response(404, json={"errors": ["signing key not found"]})
        wish = json.loads(request.content)
        if hash_name != "sha2-256" or wish["signature_algorithm"] != "pss" or wish.get("prehashed"):
            return httpx.Response(400, json={"errors": ["this double knows PS256 alone"]})
        salt = {"hash": hashes.SHA256.digest_size, "auto": PSS.MAX_LENGTH}[wish["salt_length"]]
        signed = self.keys[name].sign(
            base64.b64decode(wish["input"], validate=True), PSS(MGF1(hashes.SHA256()), salt), hashes.SHA256()
        )
        return httpx.Response(200, json={"data": {"signature": f"vault:v3:{base64.b64encode(signed).decode()}"}})


class KeptKey:
    """An app whose key is with a key keeper: here are only the certificate and the keeper's token."""

    @pytest.fixture(autouse=True)
    def _kept(self, key: rsa.RSAPrivateKey, tmp_path: Path):
        now = dt.datetime.now(dt.UTC)
        self.certificate = tmp_path / "certificate.pem"
        self.certificate.write_bytes(certificate_for(key, now - dt.timedelta(days=1), now + dt.timedelta(days=1)))
        self.token_file = tmp_path / "token"
        self.token_file.write_text(f"{KEEPERS_TOKEN}\n")
        self.keeper = KeyKeeper(app=key)
        self.wire = Wire()

    @property
    def connection(self) -> Connection:
        return Connection(
            "client-1",
            str(self.certificate),
            client_key="transit+https://keeper.example:8200/teams/transit/app",
            client_key_token_file=str(self.token_file),
        )

    def tokens(self) -> TokenStore:
        sign = way_to_sign(self.connection, wire=httpx.MockTransport(self.keeper))
        return TokenStore(self.connection, Transport(self.connection, wire=self.wire), sign=sign)

    def trouble(self) -> DirectoryError:
        with pytest.raises((NoConnection, Busy)) as caught:
            self.tokens().token(TENANT, GLOBAL)
        assert self.wire.token_forms == []
        assert KEEPERS_TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"
        return caught.value


class WhenAKeyKeeperHasTheKey(KeptKey):
    def test_microsoft_gets_an_assertion_that_the_certificate_proves(self):
        assert self.tokens().token(TENANT, GLOBAL) == "t0ken-1"
        claims = read_by_microsoft(self.wire.token_forms[0]["client_assertion"], self.certificate.read_bytes())
        assert claims["aud"] == URL

    def test_a_password_is_tried_by_the_same_proof(self):
        self.wire.signs_in_with(sign_in_fault(50126))
        tried = self.tokens().try_password(TENANT, GLOBAL, "admin@contoso.example", "pw")
        assert tried is ProbeResult.PASSWORD_REFUSED
        assert read_by_microsoft(self.wire.token_forms[0]["client_assertion"], self.certificate.read_bytes())

    def test_it_is_asked_at_the_documented_place(self):
        self.tokens().token(TENANT, GLOBAL)
        (asked,) = self.keeper.asked
        assert str(asked.url) == "https://keeper.example:8200/v1/teams/transit/sign/app/sha2-256"

    def test_a_renewed_token_of_the_keeper_is_found(self):
        tokens = self.tokens()
        tokens.token(TENANT, GLOBAL)
        self.keeper.token = "hvs.the-next-one"
        self.token_file.write_text(self.keeper.token)
        assert tokens.renewed(TENANT, GLOBAL, "t0ken-1") == "t0ken-2"

    def test_it_is_described_without_a_secret(self):
        signer = way_to_sign(self.connection, wire=httpx.MockTransport(self.keeper))()
        assert signer.describe() == "key app of the key keeper https://keeper.example:8200 (teams/transit)"
        assert KEEPERS_TOKEN not in repr(signer)
        assert thumbprint(signer.certificate)


class WhenTheKeyKeeperDoesNotSign(KeptKey):
    def test_its_silence_is_a_matter_of_patience(self):
        self.keeper.is_there = False
        assert type(self.trouble()) is Busy

    @pytest.mark.parametrize("status", [429, 472, 473, 500, 503])
    def test_so_is_a_fault_inside_it(self, status):
        self.keeper.answer = httpx.Response(status)
        trouble = self.trouble()
        assert type(trouble) is Busy
        assert f"it answered {status}" in str(trouble)

    def test_a_token_that_it_does_not_take_is_told_by_its_setting(self):
        self.token_file.write_text("hvs.something-else")
        assert "LATCHKEY_CLIENT_KEY_TOKEN_FILE" in str(self.trouble())

    def test_a_key_that_it_does_not_have_is_told_by_its_setting(self, key):
        self.keeper.keys = {"another": key}
        assert "no such key. Correct LATCHKEY_CLIENT_KEY" in str(self.trouble())

    def test_a_key_of_the_wrong_kind_is_told(self):
        self.keeper.answer = httpx.Response(400, json={"errors": ["unsupported key type"]})
        assert "RSA key" in str(self.trouble())

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, text="<html>"),
            httpx.Response(200, json={}),
            httpx.Response(200, json={"data": {"signature": 7}}),
            httpx.Response(200, json=[]),
        ],
    )
    def test_what_is_no_signature_is_told(self, answer):
        self.keeper.answer = answer
        assert "no signature" in str(self.trouble())

    def test_a_signature_of_another_key_never_reaches_microsoft(self):
        self.keeper.keys = {"app": rsa.generate_private_key(65537, 2048)}
        trouble = self.trouble()
        assert trouble.code == "key_keeper_refused"
        assert "does not fit the certificate" in str(trouble)

    @pytest.mark.parametrize("content", ["", "  \n", "two\nlines", "\x00"])
    def test_without_a_token_of_the_keeper_nothing_is_asked(self, content):
        self.token_file.write_text(content)
        assert self.trouble().code == "key_keeper_token_missing"
        assert self.keeper.asked == []


class TheSettingsOfTheKey:
    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"client_key": "transit+http://keeper.example/transit/app"}, "LATCHKEY_CLIENT_KEY must"),
            ({"client_key": "transit+https://keeper.example/app"}, "LATCHKEY_CLIENT_KEY must"),
            ({"client_key": "transit+https://u:Planted@keeper.example/transit/app"}, "LATCHKEY_CLIENT_KEY must"),
            ({"client_key": "pkcs11:token=Planted"}, "LATCHKEY_CLIENT_KEY must"),
            ({"client_key_token_file": ""}, "LATCHKEY_CLIENT_KEY_TOKEN_FILE"),
            ({"client_certificate": ""}, "LATCHKEY_CLIENT_CERTIFICATE"),
            ({"client_key_ca_bundle": "/nowhere/ca.pem"}, "LATCHKEY_CLIENT_KEY_CA_BUNDLE"),
        ],
    )
    def test_stop_everything_by_name_when_they_are_wrong(self, settings, named):
        known = {
            "client_certificate": "/somewhere/certificate.pem",
            "client_key": "transit+https://keeper.example/transit/app",
            "client_key_token_file": "/somewhere/token",
        }
        with pytest.raises(BadInput, match=named) as caught:
            way_to_sign(Connection("client-1", **(known | settings)))
        assert "Planted" not in str(caught.value)

    def test_a_certificate_file_that_is_no_good_is_told_with_its_path(self, tmp_path):
        token, place = tmp_path / "token", tmp_path / "certificate.pem"
        token.write_text(KEEPERS_TOKEN)
        curve = ec.generate_private_key(ec.SECP256R1())
        for content, reason in (
            (b"", "must hold a certificate"),
            (write_certificate(tmp_path / "x.pem").read_bytes().replace(b"MII", b"AAA", 1), "damaged"),
            (certificate_for(curve, NOW, NOW + dt.timedelta(days=1)), "not an RSA key"),
        ):
            place.write_bytes(content)
            connection = Connection(
                "client-1", str(place), client_key="transit+https://k.example/t/a", client_key_token_file=str(token)
            )
            with pytest.raises(NoConnection, match=reason) as caught:
                way_to_sign(connection)()
            assert str(place) in str(caught.value)
