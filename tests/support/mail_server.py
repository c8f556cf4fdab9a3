"""A mail server for one test: it speaks SMTP (RFC 5321) on a port of this machine and keeps what it took."""

from __future__ import annotations

import email
import email.policy
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """`mood` is its answer to a mail: `takes`, `busy` (451), `refuses` (550), or `drops`: taken, and no answer."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.mood = "takes"
        self.taken: list[EmailMessage] = []

    @property
    def reach(self) -> dict[str, Any]:
        """What Django's SMTP backend is made with."""
        return {"host": "127.0.0.1", "port": self.server_address[1], "timeout": 20}

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.taken if message["To"] == address]


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 mail.example")
        for line in self.rfile:
            verb = line.decode().split()[0].upper() if line.strip() else ""
            if verb == "QUIT":
                self._say("221 bye")
                return
            if verb != "DATA":
                self._say("250 ok")
                continue
            self._say("354 go on")
            if not self._take(b"".join(iter(self.rfile.readline, b".\r\n"))):
                return

    def _take(self, written: bytes) -> bool:
        """False when the conversation ends without an answer."""
        mood = self.server.mood
        if mood in ("busy", "refuses"):
            self._say("451 later" if mood == "busy" else "550 never")
            return True
        message = email.message_from_bytes(written, policy=email.policy.default)
        self.server.taken.append(message)
        if mood == "drops":
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        self._say("250 taken")
        return True

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join(timeout=20)
