"""Tokens: asked for once, renewed when refused, and every "no" of the sign-in service told in words."""

from __future__ import annotations

import base64
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key

from msp.errors import Busy, NoConnection, Unreachable
from msp.microsoft.clouds import CLOUDS
from msp.microsoft.connection import Connection
from msp.microsoft.ports import ProbeResult
from msp.microsoft.tokens import TokenStore
from msp.microsoft.transport import Transport
from tests.support.wire import Wire, part_of_token, said, sign_in_fault, write_certificate

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
OTHER = "22222222-bbbb-4bbb-8bbb-222222222222"
GLOBAL = CLOUDS["global"]
TRACE = "00000000-0000-4000-8000-000000000001"
CLIENT_SECRET = "the-apps-own-s3cret"


@pytest.fixture(scope="module")
def pem(tmp_path_factory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("keys") / "app.pem")


@pytest.fixture
def wire() -> Wire:
    return Wire()


def store(wire: httpx.BaseTransport, **settings) -> TokenStore:
    connection = Connection("client-1", **({"client_secret": CLIENT_SECRET} | settings))
    return TokenStore(connection, Transport(connection, wire=wire))


class WhenATokenIsNeeded:
    def test_it_is_asked_for_once_and_then_remembered(self, wire):
        tokens = store(wire)
        assert {tokens.token(TENANT, GLOBAL) for _ in range(5)} == {"t0ken-1"}

    def test_every_tenant_has_its_own(self, wire):
        tokens = store(wire)
        assert tokens.token(TENANT, GLOBAL) != tokens.token(OTHER, GLOBAL)

    def test_many_threads_of_one_tenant_share_one(self, wire):
        wire.seconds_for_a_token = 0.05
        tokens = store(wire)
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda _: tokens.token(TENANT, GLOBAL), range(64)))
        assert set(found) == {"t0ken-1"}

    def test_a_tenant_that_hangs_does_not_hold_up_another(self):
        released = threading.Event()

        def answer(request: httpx.Request) -> httpx.Response:
            if TENANT in request.url.path:
                released.wait(10)
            return said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "t"})

        tokens = store(httpx.MockTransport(answer))
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(tokens.token, TENANT, GLOBAL)
            time.sleep(0.05)
            assert tokens.token(OTHER, GLOBAL) == "t"
            assert not hanging.done()
            released.set()

    def test_it_is_asked_for_at_the_documented_place_for_this_clouds_graph(self):
        asked = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append((str(request.url), request.content.decode()))
            return said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "t"})

        store(httpx.MockTransport(answer)).token(TENANT, CLOUDS["us_gov_l5"])
        assert [url for url, _ in asked] == [f"https://login.microsoftonline.us/{TENANT}/oauth2/v2.0/token"]
        assert "scope=https%3A%2F%2Fdod-graph.microsoft.us%2F.default" in asked[0][1]


class WhenTheAppHasACertificate:
    def test_it_proves_itself_by_a_ps256_signature_and_the_sha256_thumbprint(self, wire, pem):
        store(wire, client_certificate=str(pem)).token(TENANT, GLOBAL)
        form = wire.token_forms[0]
        certificate = x509.load_pem_x509_certificate(pem.read_bytes())
        header, claims = (part_of_token(form["client_assertion"], which) for which in (0, 1))
        assert header["alg"] == "PS256"
        assert "x5t" not in header
        assert header["x5t#S256"].rstrip("=") == _base64url(certificate.fingerprint(hashes.SHA256()))
        assert claims["aud"] == f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
        assert claims["iss"] == claims["sub"] == form["client_id"] == "client-1"

    def test_the_secret_stays_at_home(self, wire, pem):
        store(wire, client_certificate=str(pem)).token(TENANT, GLOBAL)
        assert "client_secret" not in wire.token_forms[0]

    def test_a_renewed_file_is_read_after_microsoft_said_no(self, wire, pem, tmp_path):
        place = tmp_path / "app.pem"
        place.write_bytes(pem.read_bytes())
        tokens = store(wire, client_certificate=str(place))
        wire.signs_in_with(sign_in_fault(700027, "invalid_client", 401))
        with pytest.raises(NoConnection):
            tokens.token(TENANT, GLOBAL)
        write_certificate(place)
        tokens.token(TENANT, GLOBAL)
        first, second = (part_of_token(form["client_assertion"], 0)["x5t#S256"] for form in wire.token_forms)
        assert first != second


class WhenTheCertificateFileIsNoGood:
    def test_every_fault_is_told_with_the_path_and_without_the_content(self, wire, pem, tmp_path):
        whole = pem.read_bytes()
        certificate, key = whole.split(b"-----BEGIN PRIVATE KEY-----")
        key = b"-----BEGIN PRIVATE KEY-----" + key
        foreign = write_certificate(tmp_path / "foreign.pem").read_bytes().split(b"-----BEGIN PRIVATE KEY-----")[0]
        curve = ec.generate_private_key(ec.SECP256R1())
        curve_key = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        locked = load_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
        faults = {
            "certificate and its private key": [b"", certificate, key],
            "does not belong": [foreign + key],
            "not an RSA key": [certificate + curve_key],
            "encrypted": [certificate + locked],
            "private key is damaged": [certificate + key.replace(b"MII", b"AAA", 1)],
            "certificate is damaged": [certificate.replace(b"MII", b"AAA", 1) + key],
        }
        for reason, contents in faults.items():
            for content in contents:
                place = tmp_path / "app.pem"
                place.write_bytes(content)
                with pytest.raises(NoConnection, match=reason) as caught:
                    store(wire, client_certificate=str(place)).token(TENANT, GLOBAL)
                assert str(place) in str(caught.value)
                assert "MII" not in str(caught.value)
        assert wire.token_forms == []

    def test_a_file_that_is_not_there_is_named(self, wire, tmp_path):
        with pytest.raises(NoConnection, match="No such file"):
            store(wire, client_certificate=str(tmp_path / "gone.pem")).token(TENANT, GLOBAL)

    def test_without_any_credential_the_settings_are_named(self, wire):
        with pytest.raises(NoConnection, match="LATCHKEY_CLIENT_CERTIFICATE"):
            store(wire, client_secret="").token(TENANT, GLOBAL)


class WhenTheSignInServiceSaysNo:
    @pytest.mark.parametrize(
        ("code", "advice"),
        [
            (90002, "no such tenant"),
            (700016, "consent"),
            (65001, "consent"),
            (7000215, "secret is wrong"),
            (7000222, "expired"),
            (700027, "certificate"),
            (7000112, "disabled"),
            (53003, "Conditional Access"),
            (999999, "Look the code up"),
        ],
    )
    def test_a_person_is_told_what_to_do(self, wire, code, advice):
        wire.signs_in_with(sign_in_fault(code))
        with pytest.raises(NoConnection, match=advice) as caught:
            store(wire).token(TENANT, GLOBAL)
        assert (caught.value.code, caught.value.request_id) == (f"AADSTS{code}", TRACE)
        assert TENANT in str(caught.value)

    @pytest.mark.parametrize("code", [90055, 90033, 90024, 50196])
    def test_a_passing_trouble_is_a_matter_of_patience(self, wire, code):
        wire.signs_in_with(sign_in_fault(code, "temporarily_unavailable"))
        with pytest.raises(Busy) as caught:
            store(wire).token(TENANT, GLOBAL)
        assert caught.value.retry_after == 30

    def test_nothing_of_it_is_remembered_once_it_is_mended(self, wire):
        tokens = store(wire)
        wire.signs_in_with(sign_in_fault(700016), said(429, {}, retry_after="9"), httpx.ConnectError("refused"))
        for trouble in (NoConnection, Busy, Unreachable):
            with pytest.raises(trouble):
                tokens.token(TENANT, GLOBAL)
        assert tokens.token(TENANT, GLOBAL) == "t0ken-4"

    def test_its_own_words_are_not_repeated(self, wire):
        wire.signs_in_with(sign_in_fault(65001))
        with pytest.raises(NoConnection) as caught:
            store(wire).token(TENANT, GLOBAL)
        assert "nobody should read" not in str(caught.value)

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
    def test_a_fault_at_microsoft_is_a_matter_of_patience(self, wire, status):
        wire.signs_in_with(said(status, None, retry_after="4"))
        with pytest.raises(Busy) as caught:
            store(wire).token(TENANT, GLOBAL)
        assert caught.value.retry_after == 4

    def test_something_else_in_its_place_is_told_as_such(self, wire):
        wire.signs_in_with(httpx.Response(200, text="<html>Welcome to the hotel's network"))
        with pytest.raises(Unreachable, match="not Microsoft's sign-in service") as caught:
            store(wire).token(TENANT, GLOBAL)
        assert "hotel" not in str(caught.value)

    @pytest.mark.parametrize("tenant_id", ["", "a/b", "..", "a b", "x?y", "common#"])
    def test_a_tenant_id_that_would_change_the_address_is_never_sent(self, wire, tenant_id):
        with pytest.raises(NoConnection):
            store(wire).token(tenant_id, GLOBAL)
        assert wire.token_forms == []


class WhenMicrosoftNoLongerTakesAToken:
    def test_a_new_one_is_fetched(self, wire):
        tokens = store(wire)
        old = tokens.token(TENANT, GLOBAL)
        assert tokens.renewed(TENANT, GLOBAL, old) != old

    def test_many_threads_refused_at_once_fetch_one_new_one(self, wire):
        wire.seconds_for_a_token = 0.05
        tokens = store(wire)
        old = tokens.token(TENANT, GLOBAL)
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda _: tokens.renewed(TENANT, GLOBAL, old), range(32)))
        assert set(found) == {"t0ken-2"}


class WhenAPasswordIsTried:
    @pytest.mark.parametrize(
        ("answer", "result"),
        [
            (sign_in_fault(50126), ProbeResult.PASSWORD_REFUSED),
            (sign_in_fault(50076), ProbeResult.PASSWORD_ACCEPTED),
            (sign_in_fault(50079), ProbeResult.PASSWORD_ACCEPTED),
            (sign_in_fault(50074), ProbeResult.PASSWORD_ACCEPTED),
            (sign_in_fault(50072), ProbeResult.PASSWORD_ACCEPTED),
            (sign_in_fault(50158), ProbeResult.PASSWORD_ACCEPTED),
            (sign_in_fault(50055), ProbeResult.PASSWORD_ACCEPTED),
            (said(200, {"access_token": "a-users-own-token"}), ProbeResult.PASSWORD_ACCEPTED),
            (sign_in_fault(50053), ProbeResult.INCONCLUSIVE),
            (sign_in_fault(50057), ProbeResult.INCONCLUSIVE),
            (sign_in_fault(53003), ProbeResult.INCONCLUSIVE),
            (sign_in_fault(7000218), ProbeResult.INCONCLUSIVE),
            (said(200, {}), ProbeResult.INCONCLUSIVE),
            (said(400, {"error": "invalid_grant"}), ProbeResult.INCONCLUSIVE),
        ],
    )
    def test_only_the_number_decides(self, wire, answer, result):
        wire.signs_in_with(answer)
        assert store(wire).try_password(TENANT, GLOBAL, "admin@contoso.example", "pw") is result

    def test_the_token_of_a_success_is_not_kept_as_ours(self, wire):
        wire.signs_in_with(said(200, {"access_token": "a-users-own-token", "expires_in": 3599}))
        tokens = store(wire)
        tokens.try_password(TENANT, GLOBAL, "admin@contoso.example", "pw")
        assert tokens.token(TENANT, GLOBAL) == "t0ken-2"

    def test_the_app_proves_itself_by_its_certificate_here_too(self, wire, pem):
        store(wire, client_certificate=str(pem)).try_password(TENANT, GLOBAL, "admin@contoso.example", "p&w=ü")
        form = wire.token_forms[0]
        assert part_of_token(form["client_assertion"], 0)["alg"] == "PS256"
        assert form["password"] == "p&w=ü"

    def test_a_session_is_handed_over_only_where_it_is_asked_for_and_given(self, wire):
        wire.signs_in_with(
            said(200, {"access_token": "a-users-own-token", "refresh_token": "a-session"}), sign_in_fault(50076)
        )
        tokens = store(wire)
        opened = tokens.sign_in(TENANT, GLOBAL, "admin@contoso.example", "pw", keep_session=True)
        assert (opened.accepted, opened.session) == (True, "a-session")
        assert "a-session" not in repr(opened)
        assert wire.token_forms[0]["scope"].endswith(" offline_access")
        asked_more = tokens.sign_in(TENANT, GLOBAL, "admin@contoso.example", "pw", keep_session=True)
        assert (asked_more.accepted, asked_more.session, asked_more.code) == (True, "", "AADSTS50076")

    @pytest.mark.parametrize(
        ("answer", "accepted", "refused"),
        [
            (sign_in_fault(50173), False, True),
            (sign_in_fault(50133), False, True),
            (sign_in_fault(70008), False, False),
            (sign_in_fault(700082), False, False),
            (sign_in_fault(50076), False, False),
            (said(200, {"access_token": "goes-on"}), True, False),
        ],
    )
    def test_a_session_counts_as_refused_only_when_it_was_ended(self, wire, answer, accepted, refused):
        wire.signs_in_with(answer)
        told = store(wire).go_on(TENANT, GLOBAL, "a-session")
        assert (told.accepted, told.refused) == (accepted, refused)
        assert wire.token_forms[0]["refresh_token"] == "a-session"

    def test_a_lost_answer_is_told_and_not_guessed(self, wire):
        wire.signs_in_with(httpx.ReadTimeout("slow"))
        with pytest.raises(Unreachable):
            store(wire).try_password(TENANT, GLOBAL, "admin@contoso.example", "pw")


class TheSecrets:
    def test_are_in_no_log_line_and_no_message_whatever_happens(self, wire, pem, caplog):
        caplog.set_level(logging.DEBUG)
        password = "Pl4nted-pass!"
        wire.signs_in_with(
            said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "planted-token"}),
            sign_in_fault(7000215, "invalid_client", 401),
            httpx.Response(200, text=f'access_token="planted-token" {CLIENT_SECRET} {password}'),
            httpx.ReadError(f"planted-token {CLIENT_SECRET} {password}"),
            said(400, {"error": CLIENT_SECRET, "error_codes": ["planted-token"]}),
        )
        told = []
        for tokens in (store(wire), store(wire), store(wire), store(wire, client_certificate=str(pem))):
            try:
                tokens.token(TENANT, GLOBAL)
                tokens.try_password(TENANT, GLOBAL, "admin@contoso.example", password)
            except (NoConnection, Busy, Unreachable) as trouble:
                told.append(f"{trouble} {trouble!r} {trouble.__cause__!r}")
            told.append(repr(tokens._connection) + repr(tokens._doors))
        words = caplog.text + " ".join(told)
        assertions = [form["client_assertion"] for form in wire.token_forms if "client_assertion" in form]
        assert assertions
        for secret in (password, "planted-token", CLIENT_SECRET, *assertions):
            assert secret not in words


def _base64url(raw: bytes) -> str:

    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
