"""From a request to a reply: which tenant, is it alive, which fault strikes, may the call pass, what is logged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from . import batch, control, graph, hardware_tokens, logs, methods, organisation, partner, signin_page, tokens
from .answers import Answer, Ids, Refusal, Reply, Request, busy, graph_error
from .cloud import Cloud
from .faults import AFTER, BEFORE, STATUS_KINDS, Fault
from .graph import Call, split_path
from .journal import Entry
from .knobs import Knobs
from .state import SimTenant, stamp

VERSIONS = ("v1.0", "beta")
ROOMS: tuple[graph.Room, ...] = (
    hardware_tokens.answer,
    methods.answer,
    organisation.answer,
    partner.answer,
    logs.answer,
)
JITTER = 0.25


class Lost(Exception):
    """The connection will break over this fault, before (`answer` None) or after the effect."""

    def __init__(self, fault: Fault, answer: Answer | None = None) -> None:
        super().__init__(fault.kind)
        self.fault, self.answer = fault, answer


class Doors:
    """All ways into one cloud over HTTP."""

    def __init__(self, cloud: Cloud, control_token: str) -> None:
        self.cloud = cloud
        self.control_token = control_token

    def reply(self, request: Request) -> Reply:
        """Judge one request; never raises."""
        parts = split_path(request.path)
        head = parts[0].lower() if parts else ""
        if head == "_control":
            return Reply(control.answer(self.cloud, request, parts[1:], self.control_token))
        if signin_page.is_for(request, parts):
            return Reply(signin_page.answer(self.cloud, request, parts))
        if head in VERSIONS:
            return self._judged(request, self._tenant_of_token(request), lambda ids: self._graph(request, ids))
        tenant = self.cloud.find_tenant(head)
        return self._judged(request, tenant, lambda ids: self._login(request, parts))

    def _tenant_of_token(self, request: Request) -> SimTenant | None:
        grant = self.cloud.grant_of(_bearer(request))
        return self.cloud.tenants.get(grant.tenant_id) if grant else None

    def _judged(self, request: Request, tenant: SimTenant | None, act: Callable[[Ids], Answer]) -> Reply:
        """Latency, a dead tenant and planned faults around one act, and the log entry behind it."""
        ids = Ids.of(request.headers)
        knobs = self.cloud.knobs.of(tenant.id if tenant else None)
        self._wait(knobs)
        answer: Answer | None = None
        try:
            fault = self._dead(ids, knobs) or self._fault(request.method, request.target, tenant)
            answer = _status_fault(fault, ids) if fault else None
            answer = answer or act(ids)
            reply = _cut(fault, answer) if fault and fault.kind in AFTER else Reply(answer)
            name = fault.kind if fault else ""
        except Lost as lost:
            answer, name = lost.answer, lost.fault.kind
            reply = _cut(lost.fault, lost.answer)
        if reply.answer:
            reply.answer.headers |= ids.as_headers()
        status = reply.answer.status if reply.answer and reply.cut in ("", "slow") else 0
        self._note(ids, request.method, request.target, tenant, status, fault=name)
        return reply

    def _wait(self, knobs: Knobs) -> None:
        if knobs.latency_ms > 0:
            factor = math.exp(self.cloud.chance("latency").gauss(0, JITTER))
            self.cloud.stopping.wait(knobs.latency_ms * factor / 1000)

    def _dead(self, ids: Ids, knobs: Knobs) -> Fault | None:
        """What the knob `dead` does, as a fault."""
        if knobs.dead == "reset":
            raise Lost(Fault("reset_before"))
        if knobs.dead == "hang":
            raise Lost(Fault("timeout_before", delay=knobs.hang_seconds))
        return Fault("503", delay=5) if knobs.dead == "503" else None

    def _fault(self, method: str, target: str, tenant: SimTenant | None) -> Fault | None:
        """The planned fault of this request. Raises Lost when it strikes before the effect."""
        fault = self.cloud.faults.next_for(method, target, tenant.names if tenant else ())
        if fault and fault.kind in BEFORE:
            raise Lost(fault)
        return fault

    def _note(
        self, ids: Ids, method: str, path: str, tenant: SimTenant | None, status: int, *, fault: str, item: bool = False
    ) -> None:
        at, tenant_id = stamp(self.cloud.now()), tenant.id if tenant else ""
        entry = Entry(at, method, path, tenant_id, status, ids.request_id, ids.client_request_id, item, fault)
        self.cloud.log.add(entry)

    # The login host

    def _login(self, request: Request, parts: tuple[str, ...]) -> Answer:
        try:
            match (request.method, [part.lower() for part in parts]):
                case ("GET", ["common", "discovery", "instance"]):
                    return tokens.instance(request)
                case ("GET", [key, "v2.0", ".well-known", "openid-configuration"]):
                    return tokens.discovery(self.cloud, request, key)
                case ("POST", [key, "oauth2", "v2.0", "token"]):
                    return tokens.token(self.cloud, request, key)
        except Refusal as refusal:
            return refusal.answer
        return Answer(404, {"error": "not_found", "error_description": "There is nothing at this address."})

    # Graph

    def _graph(self, request: Request, ids: Ids) -> Answer:
        grant = self.cloud.grant_of(_bearer(request))
        tenant = self.cloud.tenants.get(grant.tenant_id) if grant else None
        consent = tenant.consents.get(grant.client_id) if tenant and grant else None
        if grant is None or tenant is None or consent is None:
            # Assumption: the text; the code is what clients report.
            return graph_error(ids, 401, "InvalidAuthenticationToken", "Access token is missing, unknown or expired.")
        try:
            body = request.json()
        except ValueError:
            return graph_error(ids, 400, "BadRequest", "Unable to read JSON request payload.")
        version, *rest = split_path(request.path)
        call = Call(
            cloud=self.cloud,
            tenant=tenant,
            grant=grant,
            consent=consent,
            ids=ids,
            method=request.method,
            version=version.lower(),
            parts=tuple(rest),
            query=request.query,
            body=body,
            base=request.base,
            url=f"{request.base}{request.target}",
        )
        return self._batch(call) if call.parts == ("$batch",) else self._one(call)

    def _one(self, call: Call) -> Answer:
        """One call by itself or inside a batch: the methods service's bucket, then its judgement."""
        if len(call.parts) > 2 and call.parts[2].lower() == "authentication":
            limit = self.cloud.knobs.of(call.tenant.id).throttle
            at = self.cloud.now().timestamp()
            wait = self.cloud.throttle.wait_for(call.grant.client_id, call.tenant.id, limit, at)
            if wait:
                return busy(call.ids, wait)
        return graph.answer(call, ROOMS)

    def _batch(self, call: Call) -> Answer:
        if call.method != "POST":
            return graph_error(call.ids, 405, "BadRequest", "A batch is sent with POST.")
        try:
            items = batch.read(call.body)
        except batch.Malformed as malformed:
            return graph_error(call.ids, 400, "BadRequest", str(malformed))
        # Every item's fault is drawn before the first effect, so that a connection lost before stays without one.
        faults = {i.id: self._fault(i.method, f"/{call.version}{i.url}", call.tenant) for i in items}
        answers = batch.run(items, lambda item: self._item(call, item, faults[item.id]), self.cloud.chance("batch"))
        answer = Answer(200, {"responses": answers})
        lost = next((fault for fault in faults.values() if fault and fault.kind in AFTER), None)
        if lost:
            raise Lost(lost, answer)
        return answer

    def _item(self, call: Call, item: batch.Item, fault: Fault | None) -> batch.ItemAnswer:
        ids = replace(
            Ids.of(item.headers), client_request_id=item.headers.get("client-request-id", call.ids.client_request_id)
        )
        url = urlsplit(item.url)
        inner = replace(
            call,
            ids=ids,
            method=item.method,
            parts=split_path(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            body=item.body,
            url=f"{call.base}/{call.version}{item.url}",
        )
        answer = (_status_fault(fault, ids) if fault else None) or self._one(inner)
        target = f"/{call.version}{item.url}"
        self._note(ids, item.method, target, call.tenant, answer.status, fault=fault.kind if fault else "", item=True)
        headers = {"Cache-Control": "no-cache"} | ids.as_headers() | answer.headers
        if answer.body is not None:
            headers["Content-Type"] = "application/json"
        return batch.ItemAnswer(answer.status, headers, answer.body)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _status_fault(fault: Fault, ids: Ids) -> Answer | None:
    """The error answer of a fault that is one; it comes before any effect."""
    if fault.kind not in STATUS_KINDS:
        return None
    if fault.kind == "429":
        return busy(ids, max(1, math.ceil(fault.delay)))
    code, text = {
        "500": ("InternalServerError", "The server encountered an internal error."),
        "503": ("ServiceUnavailable", "The service is temporarily unavailable."),
    }[fault.kind]
    answer = graph_error(ids, int(fault.kind), code, text)
    if fault.kind == "503" and fault.delay:
        answer.headers["Retry-After"] = str(math.ceil(fault.delay))
    return answer


def _cut(fault: Fault, answer: Answer | None) -> Reply:
    if fault.kind == "slow_body":
        return Reply(answer, "slow", fault.delay, fault.kind)
    if fault.kind.startswith("reset"):
        return Reply(answer, "reset", fault.delay, fault.kind)
    return Reply(answer, "hang", fault.delay or 60.0, fault.kind)
