"""The simulated cloud as an HTTP server: what any client may expect of one, whatever it asks."""

from __future__ import annotations

import datetime as dt
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from msp.simulator import bodies, certificates, hosts
from tests.support.simulated import PASSWORD, Microsoft, microsoft

NEW = "New-Password-2"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path, seed=3) as made:
        yield made


@contextmanager
def connection(cloud: Microsoft) -> Iterator[http.client.HTTPSConnection]:
    """A client that says on the wire exactly what it is told to."""
    trusted = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
    made = http.client.HTTPSConnection("127.0.0.1", cloud.simulator.port, context=trusted, timeout=30)
    try:
        yield made
    finally:
        made.close()


def sent_raw(cloud: Microsoft, raw: bytes) -> tuple[int, str]:
    """(status, header Connection) of the answer to these bytes."""
    with connection(cloud) as way:
        way.connect()
        way.send(raw)
        answer = http.client.HTTPResponse(way.sock)
        answer.begin()
        answer.read()
        return answer.status, answer.getheader("Connection", "")


class EveryAnswer:
    @pytest.mark.parametrize("path", ["/", "/v1.0/users", "/nowhere/oauth2/v2.0/token", "/_control/state"])
    def test_says_when_it_was_given(self, cloud: Microsoft, path: str) -> None:
        told = parsedate_to_datetime(cloud.http.get(path).headers["Date"])
        assert abs(told - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)

    def test_tells_a_wrong_time_when_the_clock_is_wrong(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(clock_error=-600)
        told = parsedate_to_datetime(cloud.graph("GET", "/users").headers["Date"])
        assert dt.timedelta(minutes=9) < dt.datetime.now(dt.UTC) - told < dt.timedelta(minutes=11)

    def test_to_head_is_that_to_get_without_its_body(self, cloud: Microsoft) -> None:
        path = f"/users/{cloud.shared.id}"
        head, get = (cloud.graph(method, path) for method in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.content))

    def test_to_options_names_the_methods(self, cloud: Microsoft) -> None:
        answer = cloud.http.options("/v1.0/users")
        assert (answer.status_code, answer.content) == (204, b"")
        assert {"GET", "POST", "PATCH", "DELETE"} <= {word.strip() for word in answer.headers["Allow"].split(",")}

    def test_may_be_long(self, cloud: Microsoft) -> None:
        for number in range(900):
            cloud.cloud.add_user(cloud.contoso.id, f"user-{number:04d}", "Somebody with a long name " * 20)
        answer = cloud.graph("GET", "/users?$top=999")
        assert len(answer.content) > 500_000
        assert len(answer.json()["value"]) == 901


class ABodyInChunks:
    def test_is_read_like_one_with_a_length(self, cloud: Microsoft) -> None:
        sent = b'{"passwordProfile": {"password": "%s"}}' % NEW.encode()
        pieces = (sent[start : start + 7] for start in range(0, len(sent), 7))
        headers = {"Content-Type": "application/json"}
        assert cloud.graph("PATCH", f"/users/{cloud.shared.id}", content=pieces, headers=headers).status_code == 204
        assert cloud.shared.password == NEW

    def test_leaves_the_connection_ready_for_the_next_request(self, cloud: Microsoft) -> None:
        token = f"/{cloud.contoso.id}/oauth2/v2.0/token"
        with connection(cloud) as way:
            statuses = []
            for _ in range(3):
                way.request("POST", token, body=iter([b"grant_type=", b"password"]), encode_chunked=True)
                answer = way.getresponse()
                statuses.append((answer.status, "AADSTS900144" in answer.read().decode()))
        assert statuses == [(400, True)] * 3

    def test_may_have_extensions_and_trailers(self, cloud: Microsoft) -> None:
        with connection(cloud) as way:
            way.connect()
            head = f"POST /{cloud.contoso.id}/session HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
            way.send(head.encode() + b'b;note=1\r\n{"session":\r\n4\r\n"x"}\r\n0\r\nChecksum: none\r\n\r\n')
            answer = http.client.HTTPResponse(way.sock)
            answer.begin()
            assert (answer.status, answer.read()) == (401, b'{"result": "ended"}')

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"zz\r\n", 400),
            (b"\r\n", 400),
            (b"-1\r\n", 400),
            (b"3\r\nabcdef\r\n0\r\n\r\n", 400),
            (b"7fffffff\r\n", 413),
            (b"1;" + b"x" * 9000, 400),
        ],
        ids=["no number", "no size", "negative", "longer than it says", "too long", "endless line"],
    )
    def test_that_is_malformed_ends_the_connection(self, cloud: Microsoft, body: bytes, status: int) -> None:
        head = b"POST /x/session HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert sent_raw(cloud, head + body) == (status, "close")


class ABodyWithALength:
    @pytest.mark.parametrize(
        ("header", "status"),
        [
            ("Content-Length: many", 400),
            ("Content-Length: -1", 400),
            (f"Content-Length: {bodies.LONGEST + 1}", 413),
            ("Transfer-Encoding: gzip, chunked", 501),
        ],
    )
    def test_that_cannot_be_taken_ends_the_connection(self, cloud: Microsoft, header: str, status: int) -> None:
        raw = f"POST /x/session HTTP/1.1\r\nHost: here\r\n{header}\r\n\r\n"
        assert sent_raw(cloud, raw.encode()) == (status, "close")

    def test_that_never_ends_has_no_effect(self, cloud: Microsoft) -> None:
        sent = b'{"passwordProfile": {"password": "%s"}}' % NEW.encode()
        with connection(cloud) as way:
            way.putrequest("PATCH", f"/v1.0/users/{cloud.shared.id}")
            for name, value in (cloud.bearer | {"Content-Length": str(len(sent) + 10)}).items():
                way.putheader(name, value)
            way.endheaders()
            way.send(sent)
        assert cloud.graph("GET", f"/users/{cloud.shared.id}").status_code == 200
        assert cloud.shared.password == PASSWORD


class TheCertificate:
    def names(self, place: Path) -> set[str]:
        found = x509.load_pem_x509_certificate((place / "server.pem").read_bytes())
        carried = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return {str(name) for name in [*carried.get_values_for_type(x509.DNSName)]}

    def test_is_for_the_hosts_of_every_cloud(self, tmp_path: Path) -> None:
        certificates.ensure(tmp_path)
        assert self.names(tmp_path) >= {
            "localhost",
            "login.microsoftonline.com",
            "graph.microsoft.com",
            "login.microsoftonline.us",
            "graph.microsoft.us",
            "dod-graph.microsoft.us",
            "login.chinacloudapi.cn",
            "login.partner.microsoftonline.cn",
            "microsoftgraph.chinacloudapi.cn",
        }

    def test_lets_a_client_in_that_finds_the_cloud_under_microsofts_name(self, cloud: Microsoft) -> None:
        trusted = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
        for host in hosts.LOGIN_HOSTS | hosts.GRAPH_HOSTS:
            with (
                socket.create_connection(("127.0.0.1", cloud.simulator.port), timeout=30) as raw,
                trusted.wrap_socket(raw, server_hostname=host) as secured,
            ):
                assert secured.version()

    def test_that_lacks_a_name_is_made_anew(self, tmp_path: Path) -> None:
        certificates.ensure(tmp_path)
        before = (tmp_path / "server.pem").read_bytes()
        certificates.ensure(tmp_path)
        assert (tmp_path / "server.pem").read_bytes() == before
        certificates.ensure(tmp_path, "cloud.example")
        assert "cloud.example" in self.names(tmp_path)

    def test_that_cannot_be_read_is_made_anew(self, tmp_path: Path) -> None:
        certificates.ensure(tmp_path)
        (tmp_path / "server.pem").write_text("nothing")
        certificates.ensure(tmp_path)
        assert "graph.microsoft.com" in self.names(tmp_path)


class TheServer:
    def test_serves_sixty_four_callers_at_once(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(latency_ms=200)
        path, headers = f"{cloud.url}/v1.0/users/{cloud.shared.id}", cloud.bearer
        trusted = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        statuses: list[int] = []
        with httpx.Client(verify=trusted, limits=limits, trust_env=False, timeout=30) as client:

            def call() -> None:
                statuses.extend(client.get(path, headers=headers).status_code for _ in range(3))

            callers = [threading.Thread(target=call) for _ in range(64)]
            began = time.monotonic()
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
        assert statuses == [200] * 192
        # One after another they would take 38 s.
        assert time.monotonic() - began < 15

    def test_is_not_held_up_by_a_caller_who_never_shakes_hands(self, cloud: Microsoft) -> None:
        with socket.create_connection(("127.0.0.1", cloud.simulator.port)):
            assert cloud.ask_token().status_code == 200

    def test_keeps_a_connection_for_many_requests(self, cloud: Microsoft) -> None:
        context = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
        path = f"/{cloud.contoso.id}/v2.0/.well-known/openid-configuration"
        with (
            socket.create_connection(("127.0.0.1", cloud.simulator.port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
            secured.makefile("rb") as answers,
        ):
            for _ in range(3):
                secured.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
                assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
                length = 0
                while (line := answers.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                assert len(answers.read(length)) == length > 0

    def test_stops_although_a_request_hangs(self, tmp_path: Path) -> None:
        with microsoft(tmp_path / "other") as other:
            other.cloud.faults.plan(kind="timeout_before", delay=300)
            with pytest.raises(httpx.ReadTimeout):
                other.graph("GET", "/users", timeout=0.2)
            began = time.monotonic()
        assert time.monotonic() - began < 5
