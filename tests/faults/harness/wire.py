"""The simulated cloud in this process: what is sent to Microsoft is answered at once, without a socket or a wait."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import httpx

from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.simulator.answers import Request
from msp.simulator.cloud import Cloud
from msp.simulator.doors import Doors

ADDRESS = "https://127.0.0.1"


class Wire(httpx.BaseTransport):
    """Carries requests to the doors of a cloud. A connection that hangs is a time-out now, one that is cut a reset."""

    def __init__(self, cloud: Cloud) -> None:
        self.doors = Doors(cloud, "nobody has this token")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        path, _, query = target.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        given = dict(parse_qsl(query, keep_blank_values=True))
        reply = self.doors.reply(Request(request.method, path, given, headers, request.read(), ADDRESS, target))
        if reply.cut == "hang":
            raise httpx.ReadTimeout("held and never answered", request=request)
        if reply.cut == "reset" or reply.answer is None:
            raise httpx.ReadError("reset by the other side", request=request)
        content = _bytes(reply.answer.body)
        if reply.cut == "truncated":
            content = content[: len(content) // 2]
        return httpx.Response(reply.answer.status, headers=reply.answer.headers, content=content, request=request)


def graph_of(cloud: Cloud) -> Graph:
    """Latchkey's way to this cloud, by an application that every tenant consents to."""
    client_id = cloud.register_app(secret="an-application-secret")
    cloud.consent(client_id)
    connection = Connection(
        client_id=client_id, client_secret="an-application-secret", login_url=ADDRESS, graph_url=ADDRESS
    )
    return Graph(connection, wire=Wire(cloud))


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()
