"""The way out: what it means that no answer came, and what an answer is."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from msp.errors import AnswerLost, BadInput, Unreachable
from msp.microsoft.answers import Call
from msp.microsoft.connection import Connection
from msp.microsoft.transport import Transport
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

    @pytest.mark.parametrize("text", ["", "<html>", "[1]", "null", "\xff"])
    def test_without_a_json_object_has_no_body(self, text):
        assert ask(READ, httpx.Response(200, text=text)).body is None

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


class TheCaBundle:
    def test_that_cannot_be_read_is_told_at_once_by_its_setting(self, tmp_path):
        broken = tmp_path / "ca.pem"
        broken.write_text("no certificate")
        for path in (broken, tmp_path / "gone.pem"):
            with pytest.raises(BadInput, match="LATCHKEY_CA_BUNDLE"):
                Transport(Connection("c", ca_bundle=str(path)))
