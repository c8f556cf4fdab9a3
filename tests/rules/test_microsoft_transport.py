"""The way out: what it means that no answer came, and what an answer is."""

from __future__ import annotations

import base64
import contextlib
import http.server
import logging
import selectors
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import cast

import httpx
import pytest

from msp.errors import AnswerLost, BadInput, Unreachable
from msp.microsoft.answers import Call, Reply
from msp.microsoft.connection import Connection
from msp.microsoft.transport import Transport
from msp.simulator.server import Simulator
from tests.support.wire import BreaksOff, Wire, said

GRAPH = "https://graph.example"
CHANGE = Call("DELETE", "/v1.0/x", "removing a method of a in tenant t", "It is still there.", "P", changes=True)
READ = Call("GET", "/v1.0/x", "reading a in tenant t", "Nothing was changed.", "P", changes=False)


class Drips(httpx.SyncByteStream):
    """A body that comes byte by byte and never ends by itself."""

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(200):
            time.sleep(0.01)
            yield b" "


def ask(call: Call, answer, **settings):
    wire = Wire()
    wire.answers(answer)
    return Transport(Connection("c", **settings), wire=wire).ask_graph(GRAPH, call, "token")


class WhenNoConnectionOpens:
    @pytest.mark.parametrize("call", [CHANGE, READ])
    @pytest.mark.parametrize("wrong", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
    def test_nothing_was_sent_and_that_is_said(self, call, wrong):
        with pytest.raises(Unreachable, match="Nothing was sent"):
            ask(call, wrong("refused"))

    def test_an_untrusted_certificate_is_named_as_the_reason(self):
        with pytest.raises(Unreachable, match="not one we trust"):
            ask(READ, httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"))


class WhenARequestWasSentAndNoAnswerCame:
    WRONGS = (httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)

    @pytest.mark.parametrize("wrong", WRONGS)
    def test_a_change_may_have_happened(self, wrong):
        with pytest.raises(AnswerLost, match="It may have happened"):
            ask(CHANGE, wrong("x"))

    @pytest.mark.parametrize("wrong", WRONGS)
    def test_a_read_may_simply_be_repeated(self, wrong):
        with pytest.raises(Unreachable, match="Reading is safe"):
            ask(READ, wrong("x"))

    @pytest.mark.parametrize("wrong", [httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError])
    def test_a_read_whose_connection_broke_is_asked_once_more(self, wrong):
        wire = Wire()
        wire.answers(wrong("broken"), said(200, {"value": 1}), said(500))
        assert Transport(Connection("c"), wire=wire).ask_graph(GRAPH, READ, "token").body == {"value": 1}

    def test_and_no_more_than_once(self):
        wire = Wire()
        wire.answers(httpx.ReadError("broken"), httpx.ReadError("again"), said(200, {}))
        with pytest.raises(Unreachable):
            Transport(Connection("c"), wire=wire).ask_graph(GRAPH, READ, "token")

    @pytest.mark.parametrize("wrong", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ConnectError])
    def test_a_read_that_ran_out_of_time_or_never_left_is_not(self, wrong):
        wire = Wire()
        wire.answers(wrong("x"), said(200, {}))
        with pytest.raises(Unreachable):
            Transport(Connection("c"), wire=wire).ask_graph(GRAPH, READ, "token")

    @pytest.mark.parametrize("wrong", WRONGS)
    def test_a_change_is_never_sent_twice(self, wrong):
        wire = Wire()
        wire.answers(wrong("x"), said(204))
        with pytest.raises(AnswerLost):
            Transport(Connection("c"), wire=wire).ask_graph(GRAPH, CHANGE, "token")
        assert len(wire.graph_requests) == 1

    def test_the_words_of_the_network_are_not_repeated(self):
        with pytest.raises(AnswerLost) as caught:
            ask(CHANGE, httpx.ReadError("Bearer token"))
        assert "Bearer" not in f"{caught.value} {caught.value.__cause__}"


class WhenTheBodyOfAnAnswerBreaksOff:
    def test_the_status_of_a_change_still_counts(self):
        assert ask(CHANGE, httpx.Response(200, stream=BreaksOff())).said_yes
        assert ask(CHANGE, httpx.Response(403, stream=BreaksOff())).status == 403

    def test_a_read_is_not_believed(self):
        with pytest.raises(Unreachable, match="broke off"):
            ask(READ, httpx.Response(200, stream=BreaksOff()))

    def test_a_body_that_drips_ends_when_the_time_is_up(self):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="took too long"):
            ask(READ, httpx.Response(200, stream=Drips()), timeout_seconds=0.1)
        assert time.monotonic() - began < 1


class AnAnswer:
    def test_carries_microsofts_id_and_ours(self):
        seen = {}

        def answer(request: httpx.Request) -> httpx.Response:
            seen["ours"] = request.headers["client-request-id"]
            return said(204, request_id="microsofts")

        reply = ask(CHANGE, answer)
        assert (reply.request_id, reply.client_request_id) == ("microsofts", seen["ours"])

    def test_every_call_has_an_id_of_its_own(self):
        assert ask(CHANGE, said(204)).client_request_id != ask(CHANGE, said(204)).client_request_id

    @pytest.mark.parametrize("call", [CHANGE, READ])
    def test_may_be_empty(self, call):
        assert ask(call, httpx.Response(204)).body is None
        assert ask(call, httpx.Response(200, text=" \n")).body is None

    @pytest.mark.parametrize("text", ["<html>the hotel", "[1]", "null", "\xff"])
    def test_to_a_read_that_is_no_json_object_is_somebody_elses(self, text):
        with pytest.raises(Unreachable, match="not Microsoft Graph") as caught:
            ask(READ, httpx.Response(200, text=text))
        assert caught.value.code == "not_graph"
        assert "hotel" not in str(caught.value)

    @pytest.mark.parametrize("text", ["<html>", "[1]", "null", "\xff"])
    def test_to_a_change_stays_a_yes_whatever_stands_in_it(self, text):
        reply = ask(CHANGE, httpx.Response(200, text=text))
        assert (reply.said_yes, reply.body) == (True, None)

    def test_that_is_a_no_need_not_be_json(self):
        assert ask(READ, httpx.Response(502, text="<html>")).status == 502

    def test_keeps_what_microsoft_tells_of_its_limits_and_its_machines(self):
        reply = ask(READ, said(200, {}, x_ms_throttle_limit_percentage="0.9", x_ms_ags_diagnostic='{"ServerInfo":1}'))
        assert (reply.throttle_percentage, reply.diagnostic) == (0.9, '{"ServerInfo":1}')
        silent = ask(READ, said(200, {}))
        assert (silent.throttle_percentage, silent.diagnostic) == (0.0, "")

    def test_that_redirects_is_not_followed(self):
        wire = Wire()
        wire.answers(said(302, location="https://elsewhere.example/"))
        Transport(Connection("c"), wire=wire).ask_graph(GRAPH, READ, "token")
        assert [str(request.url) for request in wire.graph_requests] == [f"{GRAPH}/v1.0/x"]

    def test_leaves_no_cookie_for_the_next_tenant(self):
        wire = Wire()
        wire.answers(said(200, {}, set_cookie="tenant=a; Path=/"))
        transport = Transport(Connection("c"), wire=wire)
        for _ in range(2):
            transport.ask_graph(GRAPH, READ, "token")
        assert "cookie" not in wire.graph_requests[1].headers


class Box(http.server.BaseHTTPRequestHandler):
    """A server that keeps connections, counts them, and answers with the status that stands at the end of the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.clients.append(self.client_address)
        content = b'{"access_token": "planted-in-the-body"}'
        self.send_response(int(self.path.partition("?")[0].rpartition("/")[2]))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", "planted-in-a-header=1")
        self.end_headers()
        self.wfile.write(content)

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    do_POST = do_PATCH

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def box() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Box) as server:
        server.clients = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


class AConnection:
    def connections_after(self, box, status: int) -> int:
        """How many connections three reads took, the first of which was answered so."""
        transport = Transport(Connection("c"))
        for answer in (status, 200, 200):
            call = Call("GET", f"/v1.0/{answer}", "reading a in tenant t", "", "P", changes=False)
            transport.ask_graph(f"http://127.0.0.1:{box.server_port}", call, "token")
        return len(set(box.clients))

    @pytest.mark.parametrize("status", [200, 404, 500])
    def test_is_kept_for_the_next_call(self, box, status):
        assert self.connections_after(box, status) == 1

    @pytest.mark.parametrize("status", [429, 503, 504])
    def test_is_given_up_when_whoever_answered_is_overloaded(self, box, status):
        assert self.connections_after(box, status) == 2


class TheLogs:
    THEIRS = ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "msal", "msal.token_cache")

    def test_hold_no_header_body_or_token_at_any_level(self, box, caplog, monkeypatch):
        """The libraries below write headers and whole addresses when they are asked to log everything."""
        transport = Transport(Connection("c"))
        for name in ("", "msp.microsoft.transport", *self.THEIRS):
            caplog.set_level(logging.DEBUG, logger=name)
            # Another test may have run a program that configures logging and disables every logger that there was.
            monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        base = f"http://127.0.0.1:{box.server_port}"
        call = Call(
            "PATCH", "/v1.0/planted-in-the-address/200", "changing", "", "", changes=True, body={"p": "planted-secret"}
        )
        transport.ask_graph(base, Call("GET", "/v1.0/200?$filter=planted-in-the-query", "", "", "", changes=False), "t")
        with contextlib.suppress(AnswerLost):
            transport.ask_graph(base, call, "planted-token")
        transport.ask_login(f"{base}/tenant/oauth2/v2.0/200", {"client_secret": "planted-form"}, {}, "signing in")
        ours = [record for record in caplog.records if record.name == "msp.microsoft.transport"]
        theirs = [record for record in caplog.records if record.name.split(".")[0] in ("httpx", "httpcore", "msal")]
        assert ours
        assert theirs == []
        for secret in ("planted-token", "planted-secret", "planted-form", "planted-in-the-body", "planted-in-a-header"):
            assert secret not in caplog.text
        assert "planted-in-the-query" not in caplog.text


class Tunnel(socketserver.StreamRequestHandler):
    """A tiny HTTP proxy: CONNECT alone, for whoever brings the right user and password."""

    def handle(self) -> None:
        method, target, _version = self.rfile.readline().decode().split()
        headers = dict(line.lower().split(": ", 1) for line in self._headers())
        self.server.asked.append(f"{method} {target}")
        wanted = "basic " + base64.b64encode(b"us:pa$$word").decode().lower()
        if method != "CONNECT" or headers.get("proxy-authorization") != wanted:
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._carry(self.connection, there)

    def _headers(self) -> Iterator[str]:
        while line := self.rfile.readline().decode().strip():
            yield line

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        across = {here: there, there: here}
        # Not `select`: that takes no descriptor above 1,023, and a long run of tests has more of them.
        with selectors.DefaultSelector() as sides:
            for side in across:
                sides.register(side, selectors.EVENT_READ)
            while speaking := sides.select(timeout=30):
                for key, _events in speaking:
                    side = cast("socket.socket", key.fileobj)
                    piece = side.recv(65536)
                    if not piece:
                        return
                    across[side].sendall(piece)


@pytest.fixture
def proxy() -> Iterator[socketserver.ThreadingTCPServer]:
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("cloud")) as running:
        yield running


class WhenThereIsAProxy:
    def sign_in(self, cloud: Simulator, **settings: str) -> Reply:
        transport = Transport(Connection("c", ca_bundle=str(cloud.ca_path), **settings))
        with contextlib.closing(transport._client):
            return transport.ask_login(f"{cloud.url}/nowhere/oauth2/v2.0/token", {}, {}, "signing in to tenant t")

    def test_every_request_goes_through_it_and_tls_reaches_to_microsoft(self, cloud, proxy):
        address = f"http://us:pa$$word@127.0.0.1:{proxy.server_address[1]}"
        assert self.sign_in(cloud, https_proxy=address).body["error_codes"] == [90002]
        assert proxy.asked == [f"CONNECT {cloud.url.removeprefix('https://')}"]

    def test_that_refuses_us_is_told_by_its_setting_and_nothing_was_sent(self, cloud, proxy):
        with pytest.raises(Unreachable, match="LATCHKEY_HTTPS_PROXY") as caught:
            self.sign_in(cloud, https_proxy=f"http://us:planted@127.0.0.1:{proxy.server_address[1]}")
        assert caught.value.code == "proxy_refused"
        assert "planted" not in f"{caught.value} {caught.value.__cause__}"

    def test_the_one_of_the_environment_is_ignored(self, cloud, proxy, monkeypatch):
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_address[1]}")
        assert self.sign_in(cloud).body["error_codes"] == [90002]
        assert proxy.asked == []

    @pytest.mark.parametrize(
        "wrong", ["proxy.example:3128", "socks5://planted@proxy.example", "http://", "http://a:b:c"]
    )
    def test_a_wrong_address_is_refused_by_its_setting_and_not_repeated(self, wrong):
        with pytest.raises(BadInput, match="LATCHKEY_HTTPS_PROXY") as caught:
            Transport(Connection("c", https_proxy=wrong))
        assert "planted" not in f"{caught.value} {caught.value.__cause__}"

    def test_its_password_is_not_in_the_description_of_the_connection(self):
        assert "planted" not in repr(Connection("c", https_proxy="http://us:planted@proxy.example:3128"))


class TheCaBundle:
    def test_that_cannot_be_read_is_told_at_once_by_its_setting(self, tmp_path):
        broken = tmp_path / "ca.pem"
        broken.write_text("no certificate")
        for path in (broken, tmp_path / "gone.pem"):
            with pytest.raises(BadInput, match="LATCHKEY_CA_BUNDLE"):
                Transport(Connection("c", ca_bundle=str(path)))
