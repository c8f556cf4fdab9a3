"""Somebody else's server that takes events: it keeps what came, and answers as it is told."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """One request. `event` is what its envelope holds, unchecked."""

    path: str
    headers: dict[str, str]
    envelope: dict[str, Any]

    @property
    def event(self) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(base64.b64decode(self.envelope["payload"]))
        return opened


class WebhookServer(ThreadingHTTPServer):
    """`answers` is the status of the next answers; `redirect_to` is where a 3xx points."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.answers = 204
        self.redirect_to = ""
        self.received: list[Received] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Door(BaseHTTPRequestHandler):
    server: WebhookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.answers)
        if self.server.redirect_to:
            self.send_header("Location", self.server.redirect_to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests say what they have to say themselves."""


@contextmanager
def webhook_server() -> Iterator[WebhookServer]:
    with WebhookServer() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join(timeout=20)
