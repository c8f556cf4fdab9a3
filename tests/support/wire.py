"""The network between Latchkey and Microsoft, for tests that decide what comes back."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

Answering = Callable[[httpx.Request], httpx.Response]


class Wire(httpx.BaseTransport):
    """Grants a new token whenever one is asked for, and gives Graph's answers in the order they were laid down.

    An answer is a response, an error to raise, or a function of the request. The last one is given for ever.
    """

    def __init__(self) -> None:
        self.graph_requests: list[httpx.Request] = []
        self.token_forms: list[dict[str, str]] = []
        self.seconds_for_a_token = 0.0
        self.token_answers: deque[httpx.Response | Exception] = deque()
        self._answers: deque[httpx.Response | Exception | Answering] = deque()
        self._lock = threading.Lock()

    def answers(self, *answers: httpx.Response | Exception | Answering) -> None:
        self._answers.extend(answers)

    def signs_in_with(self, *answers: httpx.Response | Exception) -> None:
        self.token_answers.extend(answers)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        is_sign_in = request.url.path.endswith("/oauth2/v2.0/token")
        with self._lock:
            answer = self._token(request) if is_sign_in else self._graph(request)
        if is_sign_in:
            time.sleep(self.seconds_for_a_token)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _token(self, request: httpx.Request) -> httpx.Response | Exception:
        fields = parse_qs(request.content.decode(), keep_blank_values=True)
        self.token_forms.append({name: values[0] for name, values in fields.items()})
        if self.token_answers:
            return self.token_answers.popleft()
        return said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": f"t0ken-{len(self.token_forms)}"})

    def _graph(self, request: httpx.Request) -> httpx.Response | Exception:
        self.graph_requests.append(request)
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        return answer(request) if callable(answer) else answer


class BreaksOff(httpx.SyncByteStream):
    """A body that ends in the middle."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"val'
        raise httpx.ReadError("connection reset")


def said(status: int, body: Any = None, **headers: str) -> httpx.Response:
    """Graph's answer: a JSON body or none, and headers with `_` for `-`."""
    named = {"request-id": "r-1"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return httpx.Response(status, headers=named)
    return httpx.Response(status, headers=named, json=body)


def fault(status: int, code: str, message: str = "", **headers: str) -> httpx.Response:
    return said(status, {"error": {"code": code, "message": message}}, **headers)


def sign_in_fault(code: int, error: str = "invalid_grant", status: int = 400) -> httpx.Response:
    text = f"AADSTS{code}: words that nobody should read.\r\nTrace ID: 0"
    return said(
        status,
        {
            "error": error,
            "error_description": text,
            "error_codes": [code],
            "trace_id": "00000000-0000-4000-8000-000000000001",
        },
    )


def write_certificate(path: Path, *, with_key: bool = True) -> Path:
    """A fresh self-signed certificate with its RSA key, in one PEM file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "latchkey test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    content = certificate.public_bytes(serialization.Encoding.PEM)
    if with_key:
        content += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    path.write_bytes(content)
    return path


def part_of_token(token: str, which: int) -> dict[str, Any]:
    """Header (0) or claims (1) of a signed token, unverified."""
    part = token.split(".")[which]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
