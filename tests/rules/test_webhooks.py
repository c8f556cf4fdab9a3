"""Where an event may be sent, and what its receiver can check."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from msp.errors import BadInput
from msp.evidence import signed_bytes, verify
from msp.webhooks import PAYLOAD_TYPE, WebhookTrouble, checked, envelope, is_public, post
from tests.support.webhook_server import webhook_server

TRUSTED = ssl.create_default_context()


class TheAddress:
    @pytest.mark.parametrize("inside", [False, True])
    def test_is_taken_when_it_is_https(self, inside):
        assert checked("https://hooks.example/latchkey?x=1", inside=inside).host == "hooks.example"

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "hooks.example",
            "http://hooks.example/",
            "http://localhost/",
            "ftp://hooks.example/",
            "file:///etc/passwd",
            "https://",
            "https://user:word@hooks.example/",
            "https://[::1",
        ],
    )
    def test_is_refused_when_it_is_not(self, url):
        with pytest.raises(WebhookTrouble, match="nothing was sent"):
            checked(url, inside=False)

    def test_on_this_machine_may_do_without_tls_when_inside_is_allowed(self):
        assert checked("http://127.0.0.1:8080/", inside=True).port == 8080
        with pytest.raises(WebhookTrouble, match="https"):
            checked("http://hooks.example/", inside=True)


class APlaceOfThisHouse:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
        ],
    )
    def test_is_known_in_every_disguise(self, address):
        assert not is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
    def test_is_not_seen_where_there_is_none(self, address):
        assert is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1"])
    def test_gets_no_event(self, host):
        with pytest.raises(WebhookTrouble, match="nothing was sent"):
            post(f"https://{host}/", b"{}", headers={}, trusted=TRUSTED, inside=False)

    def test_gets_none_either_when_one_of_several_answers_of_the_name_server_leads_there(self, monkeypatch):
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("8.8.8.8", "10.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: answers)
        with pytest.raises(WebhookTrouble, match="private network"):
            post("https://hooks.example/", b"{}", headers={}, trusted=TRUSTED, inside=False)


class WhenAnEventIsPosted:
    def test_success_is_a_2xx(self):
        with webhook_server() as server:
            post(server.url, b'{"payload": ""}', headers={"Latchkey-Event": "x"}, trusted=TRUSTED, inside=True)
            [received] = server.received
        assert received.path == "/hook"
        assert received.headers["Latchkey-Event"] == "x"

    @pytest.mark.parametrize("status", [400, 404, 500])
    def test_another_answer_is_trouble_that_names_it(self, status):
        with webhook_server() as server:
            server.answers = status
            with pytest.raises(WebhookTrouble, match=str(status)):
                post(server.url, b"{}", headers={}, trusted=TRUSTED, inside=True)

    def test_a_redirect_is_not_followed(self):
        with webhook_server() as server, webhook_server() as other:
            server.answers, server.redirect_to = 307, other.url
            with pytest.raises(WebhookTrouble, match="redirect"):
                post(server.url, b"{}", headers={}, trusted=TRUSTED, inside=True)
            assert other.received == []

    def test_nobody_at_home_is_said(self):
        with webhook_server() as server:
            url = server.url
        with pytest.raises(WebhookTrouble, match="nothing arrived"):
            post(url, b"{}", headers={}, trusted=TRUSTED, inside=True)


class TheEnvelope:
    def test_is_signed_so_that_its_receiver_can_check_it(self):
        key = Ed25519PrivateKey.generate()
        made = json.loads(envelope({"event": "run.finished"}, key))
        payload, signature = base64.b64decode(made["payload"]), base64.b64decode(made["signatures"][0]["sig"])
        key.public_key().verify(signature, signed_bytes(PAYLOAD_TYPE, payload))
        with pytest.raises(InvalidSignature):
            key.public_key().verify(signature, signed_bytes(PAYLOAD_TYPE, payload + b" "))
        assert json.loads(payload) == {"event": "run.finished"}

    def test_cannot_be_shown_as_evidence(self):
        key = Ed25519PrivateKey.generate()
        made = json.loads(envelope({"event": "run.finished"}, key))
        with pytest.raises(BadInput):
            verify(made, key.public_key())
        with pytest.raises(BadInput):
            verify(made | {"payloadType": "application/vnd.latchkey.evidence+json"}, key.public_key())
