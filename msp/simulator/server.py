"""The HTTPS server: one port for the login host, Graph, the sign-in page and the control API.

In tests: `with Simulator(state_dir, seed=1) as simulator:` gives `simulator.url`, `simulator.ca_path` and
`simulator.cloud`. As a process: `python -m msp.simulator`.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from . import bodies, certificates, control, scenario, snapshot
from .answers import Answer, Reply, Request
from .cloud import Cloud
from .doors import Doors

HANDSHAKE_SECONDS = 10.0
SLOW_PIECES = 10
TICK = 0.2
"""Seconds by which an event of the time line may be late."""

NEVER_SENT = 512
"""Bytes by which a truncated body falls short of its Content-Length."""

JSON = "application/json; charset=utf-8"
METHODS = "GET, HEAD, OPTIONS, POST, PATCH, PUT, DELETE"


class Simulator:
    """A cloud with its HTTPS server in threads of this process.

    `persist` keeps the cloud in `state_dir/cloud.json`, at most every second after a change and when it stops; what
    was kept there goes on, and then `scenario_file` is not loaded again (`goes_on`). The control token for
    `/_control/...` lies in `state_dir/control.token`. Raises ScenarioWrong, or OSError when the port is taken.
    """

    def __init__(
        self,
        state_dir: Path | str,
        port: int = 0,
        seed: int = 1,
        *,
        host: str = "127.0.0.1",
        persist: bool = False,
        scenario_file: Path | None = None,
    ) -> None:
        self.state_dir = Path(state_dir)
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state_dir.chmod(0o700)
        kept = snapshot.load(self.state_dir) if persist else None
        self.goes_on = kept is not None
        self.cloud = kept or (scenario.cloud_of(scenario_file, seed) if scenario_file else Cloud(seed))
        control.attend(self.cloud)
        self.ca_path, context = certificates.ensure(self.state_dir, host)
        self.control_token = _control_token(self.state_dir)
        self._server = _Server((host, port), Doors(self.cloud, self.control_token), context)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="simulator"),
            threading.Thread(target=self._play, daemon=True, name="simulator-time-line"),
        ]
        self._keeper = snapshot.Keeper(self.cloud, self.state_dir) if persist else None
        if self._keeper:
            self._threads.append(threading.Thread(target=self._keeper.run, daemon=True, name="simulator-snapshots"))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The base of both hosts, without a slash at its end."""
        return f"https://{self._server.server_address[0]!s}:{self.port}"

    def start(self) -> Simulator:
        for thread in self._threads:
            thread.start()
        return self

    def _play(self) -> None:
        """Let the time line happen by the running clock."""
        while not self.cloud.stopping.wait(TICK):
            self.cloud.timeline.play(self.cloud.now())

    def stop(self) -> None:
        """Close the port and every connection, wake whatever hangs, keep a last snapshot."""
        self.cloud.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        for thread in self._threads:
            thread.join(timeout=10)
        if self._keeper:
            self._keeper.keep()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _bytes_of(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _control_token(state_dir: Path) -> str:
    place = state_dir / "control.token"
    if not place.exists():
        certificates.write_private(place, secrets.token_urlsafe(32).encode())
    return place.read_text().strip()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], doors: Doors, context: ssl.SSLContext) -> None:
        self.doors, self.context = doors, context
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the resolver for this machine's name here, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def opened(self, connection: socket.socket) -> None:
        with self._connections_lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._connections_lock:
            self._connections.discard(connection)

    def close_connections(self) -> None:
        with self._connections_lock:
            still_open = list(self._connections)
        for connection in still_open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away in mid-sentence is no news; anything else is shown by the standard library."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection: TLS, then requests until the caller leaves or a fault cuts it."""

    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-in-a-box"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        # Here and not in the accept loop: a slow handshake must hold up nobody else.
        raw = cast(socket.socket, self.request)
        raw.settimeout(HANDSHAKE_SECONDS)
        secured = self.server.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        self.request = secured
        self.server.opened(secured)
        try:
            secured.do_handshake()
            secured.settimeout(None)
            super().setup()
        except OSError:
            self._close()
            raise

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            pass
        finally:
            self._close()

    def _close(self) -> None:
        self.server.closed(self.request)
        self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error: the cloud keeps its own log."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The header Date: this machine's clock, put wrong by the knob."""
        error = self.server.doors.cloud.knobs.everywhere.clock_error
        return super().date_time_string((time.time() if timestamp is None else timestamp) + error)

    def _serve(self) -> None:
        try:
            body = bodies.read(self.rfile, self.headers)
        except bodies.Refused as refused:
            # What follows on this connection can no longer be told from the rest of that body.
            self.close_connection = True
            self._send(Reply(Answer(refused.status, {"error": {"code": "BadRequest", "message": str(refused)}})))
            return
        except EOFError:
            self.close_connection = True
            return
        reply = self.server.doors.reply(self._request(body))
        if reply.cut in ("reset", "hang"):
            if reply.cut == "hang":
                self.server.doors.cloud.stopping.wait(reply.delay)
            self._cut(gently=reply.cut == "hang")
        elif reply.answer:
            self._send(reply)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = _serve

    def do_OPTIONS(self) -> None:
        """What can be sent at all; the same at every address."""
        self._send(Reply(Answer(204, None, {"Allow": METHODS})))

    def _request(self, body: bytes) -> Request:
        """The request as the doors judge it: HEAD is a GET whose body is kept back."""
        split = urlsplit(self.path)
        target = f"{split.path}?{split.query}" if split.query else split.path
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        base = f"https://{headers.get('host', '')}"
        method = "GET" if self.command == "HEAD" else self.command
        return Request(method, split.path, query, headers, body, base, target)

    def _send(self, reply: Reply) -> None:
        answer = cast(Answer, reply.answer)
        body = _bytes_of(answer.body)
        if reply.cut == "truncated" and not body:
            self.wfile.write(f"{self.protocol_version} {answer.status} \r\nDate: ".encode())
            self._cut(gently=True)
            return
        self.send_response(answer.status)
        if body:
            self.send_header("Content-Type", answer.headers.pop("Content-Type", JSON))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body) + (NEVER_SENT if reply.cut == "truncated" else 0)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(body, reply)

    def _send_body(self, body: bytes, reply: Reply) -> None:
        if reply.cut != "slow":
            self.wfile.write(body)
        else:
            size = max(1, -(-len(body) // SLOW_PIECES))
            for start in range(0, len(body), size):
                self.wfile.flush()
                self.server.doors.cloud.stopping.wait(reply.delay / SLOW_PIECES)
                self.wfile.write(body[start : start + size])
        if reply.cut == "truncated":
            self._cut(gently=True)

    def _cut(self, *, gently: bool) -> None:
        """End the connection after what was written: with a reset (SO_LINGER 0), or by closing it."""
        self.close_connection = True
        self.wfile.flush()
        if not gently:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.closed(self.request)
        os.close(self.request.detach())
