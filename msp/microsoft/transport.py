"""The one way out to Microsoft: kept connections, one place for time-outs, an id on every call.

Whether a failure came before or after the request was written decides everything that follows, so this is the
only place that reads httpx's errors.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import ssl
import threading
import time
import uuid
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx

from msp.errors import BadInput, DirectoryError, Unreachable
from msp.microsoft.answers import Call, Reply, lost
from msp.microsoft.connection import Connection

log = logging.getLogger(__name__)

CONNECTION_WORN = frozenset({429, 503, 504})
"""After these the next try belongs on a new connection: it may reach a machine that can ("best practices")."""
CHATTY = frozenset({"httpx", "httpcore", "msal"})
"""Libraries whose DEBUG lines hold headers, addresses and assertions; httpx logs every address at INFO."""

MOST_CONNECTIONS = 4
"""For each thread, which asks one thing at a time; login and Graph are two hosts."""
IDLE_SECONDS = 15.0
CONNECT_SECONDS = 10.0
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Transport:
    """Sends requests from any thread, for as long as the process lives. Do not fork with it."""

    def __init__(self, connection: Connection, *, wire: httpx.BaseTransport | None = None) -> None:
        """`wire` replaces the network (for tests). Raises BadInput when CA bundle or proxy cannot be used."""
        self._total_seconds = float(connection.timeout_seconds)
        self._trusted = trusted_authorities(connection.ca_bundle, "LATCHKEY_CA_BUNDLE")
        self._proxy = _proxy(connection.https_proxy) if wire is None else None
        self._wire = wire
        self._of_thread = threading.local()

    @property
    def _client(self) -> httpx.Client:
        """This thread's own connections.

        One pool for all looks at each of its connections under one lock at every request, and with 64 threads they
        waited for it (bench/offboarding.py, 500 accounts: 33.3 s with one pool, 29.8 s with these).
        """
        found: httpx.Client | None = getattr(self._of_thread, "client", None)
        if found is None:
            found = self._of_thread.client = self._new_client()
        return found

    def _new_client(self) -> httpx.Client:
        client = httpx.Client(
            verify=self._trusted,
            # The environment must decide neither whom we trust nor through whom a token travels.
            trust_env=False,
            timeout=httpx.Timeout(self._total_seconds, connect=min(CONNECT_SECONDS, self._total_seconds)),
            limits=httpx.Limits(
                max_connections=MOST_CONNECTIONS,
                max_keepalive_connections=MOST_CONNECTIONS,
                keepalive_expiry=IDLE_SECONDS,
            ),
            follow_redirects=False,
            proxy=self._proxy,
            transport=self._wire,
        )
        # Only now: httpx brings its lower layers, and their loggers, with the first client.
        hush()
        # Sign-in hosts set cookies; one tenant's must not travel with another's request.
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client

    def _drop_connections(self) -> None:
        """Close this thread's connections; the next request opens new ones."""
        self._client.close()
        self._of_thread.client = None

    def ask_graph(self, base_url: str, call: Call, token: str) -> Reply:
        """Send one call to Graph and read its answer, whatever its status.

        Raises Unreachable when nothing was sent, or when a read was not answered by Graph; AnswerLost when a change
        was sent and not answered.
        """
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", **call.headers}
        request = self._client.build_request(call.method, base_url + call.path, headers=headers, json=call.body)
        reply, content = self._exchange(request, call)
        if reply.said_yes and not call.changes and content.strip() and reply.body is None:
            raise _somebody_else(reply, call)
        return reply

    def ask_login(self, url: str, form: Mapping[str, str], headers: Mapping[str, str], doing: str) -> Reply:
        """Post a form to the token endpoint. It changes nothing, so every silence is Unreachable."""
        call = Call("POST", url, doing, stands="Nothing was changed.", needs="", changes=False)
        request = self._client.build_request("POST", url, headers=dict(headers), data=dict(form))
        return self._exchange(request, call)[0]

    def _exchange(self, request: httpx.Request, call: Call) -> tuple[Reply, bytes]:
        """The answer, and its body as it came."""
        client_request_id = request.headers.setdefault("client-request-id", str(uuid.uuid4()))
        began = time.monotonic()
        response = self._answered(request, call)
        try:
            content = self._content(response, until=began + self._total_seconds)
        finally:
            response.close()
        if response.status_code in CONNECTION_WORN:
            self._drop_connections()
        # A status line is an answer: a change that was accepted stays accepted when its body never comes.
        if content is None and not call.changes:
            raise _unread(call, "the answer broke off or took too long")
        took = time.monotonic() - began
        log.debug("%s %s: %s in %.2f s, client-request-id %s", request.method, request.url.path,
                  response.status_code, took, client_request_id)  # fmt: skip
        body = _json_object(content)
        reply = Reply(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            client_request_id=client_request_id,
            answered_at=dt.datetime.now(dt.UTC),
            strange=bool(content) and body is None,
        )
        return reply, content or b""

    def _answered(self, request: httpx.Request, call: Call) -> httpx.Response:
        """The status line and headers. Raises what their absence means.

        A read whose connection broke is asked once more on a new one: most often the far end had closed it just
        before. After a time-out it is not, since the caller has waited long enough, nor is a change, ever.
        """
        try:
            return self._client.send(request, stream=True)
        except httpx.TransportError as wrong:
            if call.changes or isinstance(wrong, (*NEVER_SENT, httpx.TimeoutException)):
                raise _silence(wrong, call) from None
        self._drop_connections()
        try:
            return self._client.send(request, stream=True)
        except httpx.TransportError as wrong:
            raise _silence(wrong, call) from None

    def _content(self, response: httpx.Response, *, until: float) -> bytes | None:
        """The whole body, or None when it broke off. httpx limits each wait, not their sum; this does."""
        pieces = []
        try:
            for piece in response.iter_bytes():
                pieces.append(piece)
                if time.monotonic() > until:
                    return None
        except (httpx.TransportError, httpx.DecodingError):
            return None
        return b"".join(pieces)


def trusted_authorities(ca_bundle: str, setting: str) -> ssl.SSLContext:
    """Whom to trust: the authorities in a PEM file, or the usual ones for "". One context for every thread's client:
    reading the authorities takes longer than a request. Raises BadInput, naming the setting.
    """
    if not ca_bundle:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError):
        raise BadInput(
            f"The file {ca_bundle} (setting {setting}) cannot be read as certificates in PEM form. "
            "Nothing was sent to Microsoft. Name the right file, or leave the setting empty for the usual authorities."
        ) from None


def hush() -> None:
    """Keep what the libraries below us say about single requests out of every log, at whatever level it runs."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.split(".")[0] in CHATTY and isinstance(logger, logging.Logger):
            logger.addFilter(_only_warnings)
    for name in CHATTY:
        # For their loggers that are not there yet.
        if logging.getLogger(name).level < logging.WARNING:
            logging.getLogger(name).setLevel(logging.WARNING)


def _only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _proxy(address: str) -> httpx.Proxy | None:
    """The proxy of a setting that may hold a password, so its value is never repeated."""
    if not address:
        return None
    try:
        found = httpx.Proxy(address)
    except (ValueError, httpx.InvalidURL):
        found = None
    if found is None or found.url.scheme not in ("http", "https") or not found.url.host:
        raise BadInput(
            "LATCHKEY_HTTPS_PROXY must be the address of an HTTP proxy, like http://proxy.example:3128. "
            "Nothing was sent to Microsoft."
        )
    return found


def _silence(wrong: httpx.TransportError, call: Call) -> DirectoryError:
    """What it means that no status line came."""
    if isinstance(wrong, httpx.ProxyError):
        return Unreachable(
            f"The proxy did not let us through while {call.doing}. {call.stands} Nothing was sent. "
            "Check LATCHKEY_HTTPS_PROXY, its user and password, and what the proxy allows; it is tried again.",
            code="proxy_refused",
        )
    if isinstance(wrong, NEVER_SENT):
        how = "its certificate is not one we trust" if "CERTIFICATE_VERIFY" in str(wrong) else "no connection opened"
        return Unreachable(
            f"Microsoft could not be reached while {call.doing}: {how}. {call.stands} Nothing was sent. Check the "
            "network, LATCHKEY_LOGIN_URL, LATCHKEY_GRAPH_URL, LATCHKEY_CA_BUNDLE and LATCHKEY_HTTPS_PROXY; it is "
            "tried again.",
            code="no_connection_opened",
        )
    how = "the time ran out" if isinstance(wrong, httpx.TimeoutException) else "the connection broke"
    # A kept-alive connection that the server closed just before our request looks exactly like an answer that
    # was lost on its way. For a change the worse of the two is assumed.
    return lost(call, how) if call.changes else _unread(call, how)


def _unread(call: Call, how: str) -> Unreachable:
    return Unreachable(
        f"Microsoft gave no answer while {call.doing}: {how}. {call.stands} Reading is safe; it is tried again.",
        code="no_answer",
    )


def _somebody_else(reply: Reply, call: Call) -> Unreachable:
    """A yes that is no JSON object comes from a sign-in page of the network, a proxy or a wrong address."""
    return Unreachable(
        f"What answered while {call.doing} is not Microsoft Graph (status {reply.status}, no JSON object). "
        f"{call.stands} Check the network, LATCHKEY_GRAPH_URL and LATCHKEY_HTTPS_PROXY; it is tried again.",
        code="not_graph",
        request_id=reply.request_id,
    )


def _json_object(content: bytes | None) -> Mapping[str, Any] | None:
    try:
        found = json.loads(content or b"null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
