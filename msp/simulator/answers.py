"""What a request is and what an answer is, and the error bodies of the services behind Microsoft's two hosts."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One HTTP request. `path` starts with "/" and has no query; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    base: str
    target: str

    def json(self) -> Any:
        """The body read as JSON, None when it is empty. Raises ValueError."""
        return json.loads(self.body) if self.body else None


@dataclass
class Answer:
    """One HTTP answer; `body` None sends none, bytes go out as they are, anything else as JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What the server does with the connection.

    `cut`: "" sends the answer; "reset" cuts at once; "hang" holds for `delay` seconds and cuts; "slow" sends the
    body in pieces over `delay` seconds; "truncated" promises more than it sends. `fault` names the reason for the log.
    """

    answer: Answer | None
    cut: str = ""
    delay: float = 0.0
    fault: str = ""


@dataclass(frozen=True)
class Ids:
    """The two ids of a call: Microsoft's and the caller's."""

    request_id: str
    client_request_id: str

    @classmethod
    def of(cls, headers: dict[str, str]) -> Ids:
        request_id = str(uuid.uuid4())
        return cls(request_id, headers.get("client-request-id", "") or request_id)

    def as_headers(self) -> dict[str, str]:
        return {"request-id": self.request_id, "client-request-id": self.client_request_id}


class Refusal(Exception):
    """An answer that ends the call early."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"answered {answer.status}")
        self.answer = answer


def graph_error(ids: Ids, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """The directory service's dialect."""
    return Answer(status, {"error": {"code": code, "message": message, "innerError": _inner(ids)}}, headers or {})


def methods_error(ids: Ids, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """The methods service's dialect: its inner error repeats the message."""
    inner = {"message": message} | _inner(ids)
    return Answer(status, {"error": {"code": code, "message": message, "innerError": inner}}, headers or {})


def no_such_resource(url: str, method: str) -> Answer:
    """What the methods service says to a path it does not know: no OData error at all."""
    return Answer(
        404,
        {
            "Message": f"No HTTP resource was found that matches the request URI '{url}'.",
            "MessageDetail": f"No route was found for the {method} request.",
        },
    )


def _inner(ids: Ids) -> dict[str, str]:
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": ids.request_id,
        "client-request-id": ids.client_request_id,
    }


def login_error(status: int, error: str, code: int, text: str, base: str) -> Answer:
    """The token endpoint's body (entra-docs reference-error-codes)."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    return Answer(
        status,
        {
            "error": error,
            "error_description": f"AADSTS{code}: {text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}"
            f"\r\nTimestamp: {now}",
            "error_codes": [code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{base}/error?code={code}",
        },
    )
