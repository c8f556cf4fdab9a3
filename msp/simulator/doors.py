"""From a request to a reply: which tenant, is it alive, which fault strikes, may the call pass, what is logged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from . import (
    batch,
    broken,
    consent_page,
    control,
    graph,
    hardware_tokens,
    hosts,
    logs,
    methods,
    organisation,
    partner,
    reports,
    roles,
    signin_page,
    state_page,
    throttle,
    tokens,
    users,
)
from .answers import Answer, Ids, Refusal, Reply, Request, graph_error
from .cloud import Cloud
from .faults import AFTER, BEFORE, Fault
from .graph import Call, split_path
from .journal import Entry
from .knobs import Knobs
from .state import SimTenant, stamp

VERSIONS = ("v1.0", "beta")
ROOMS: tuple[graph.Room, ...] = (
    hardware_tokens.answer,
    methods.answer,
    users.answer,
    organisation.answer,
    roles.answer,
    reports.answer,
    partner.answer,
    logs.answer,
)
JITTER = 0.25
DIAGNOSTIC = '{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1","ScaleUnit":"001","RoleInstance":"BOX1"}}'
"""Which machine answered, in the form of Microsoft's own header."""


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
        if state_page.is_for(request, parts):
            return Reply(state_page.answer(self.cloud, request))
        if head in VERSIONS and hosts.answers_graph(request.base):
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
        try:
            fault = self._dead(ids, knobs) or self._fault(request.method, request.target, tenant)
            reply = broken.reply(fault, broken.answered(fault, ids, lambda: act(ids), self.cloud.knobs))
        except Lost as lost:
            reply = broken.reply(lost.fault, lost.answer)
        if reply.answer:
            reply.answer.headers |= ids.as_headers()
        status = reply.answer.status if reply.answer and reply.cut in ("", "slow") else 0
        self._note(ids, request.method, request.target, tenant, status, fault=reply.fault)
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

    def _fault(self, method: str, target: str, tenant: SimTenant | None, *, in_batch: bool = False) -> Fault | None:
        """The planned fault of this request. Raises Lost when it strikes before the effect."""
        fault = self.cloud.faults.next_for(method, target, tenant.names if tenant else (), in_batch=in_batch)
        if fault and fault.kind in BEFORE:
            raise Lost(fault)
        if fault and fault.kind == "delay":
            self.cloud.stopping.wait(fault.delay)
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
            match (request.method, [part.lower() for part in parts] if hosts.answers_login(request.base) else []):
                case ("GET", ["common", "discovery", "instance"]):
                    return tokens.instance(request)
                case ("GET", ["common", "userrealm", upn]):
                    return tokens.realm(self.cloud, request, upn)
                case ("GET", [key, "v2.0", ".well-known", "openid-configuration"]):
                    return tokens.discovery(self.cloud, request, key)
                case ("GET", [key, "adminconsent"]) | ("POST", [key, "adminconsent"]):
                    return consent_page.answer(self.cloud, request, key)
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
        lives = tenant is not None and not organisation.refusal_of(tenant) and hosts.serves(request.base, tenant.cloud)
        if grant is None or tenant is None or consent is None or not lives:
            # Assumption: the text; the code is what clients report. A token is worth nothing in another cloud.
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
            headers=request.headers,
        )
        answer = self._batch(call) if call.parts == ("$batch",) else self._one(call)
        answer.headers["x-ms-ags-diagnostic"] = DIAGNOSTIC
        return answer

    def _one(self, call: Call) -> Answer:
        """One call by itself or inside a batch: its toll, then its judgement."""
        toll = self._toll(call)
        answer = graph.answer(call, ROOMS) if not toll.wait else graph_error(call.ids, 429, *throttle.BUSY)
        answer.headers |= toll.headers
        return answer

    def _toll(self, call: Call) -> throttle.Toll:
        """What the call pays, and whether it may pass; every call passes while the knob is 0."""
        knob = self.cloud.knobs.of(call.tenant.id).throttle
        if not knob or not call.parts:
            return throttle.Toll(0)
        charge = throttle.charge_of(call.method, call.parts, call.query)
        limit = throttle.limit_of(charge.bucket, knob, len(call.tenant.users))
        at = self.cloud.now().timestamp()
        return self.cloud.throttle.take(charge, call.grant.client_id, call.tenant.id, limit, at)

    def _batch(self, call: Call) -> Answer:
        if call.method != "POST":
            return graph_error(call.ids, 405, "BadRequest", "A batch is sent with POST.")
        try:
            items = batch.read(call.body)
        except batch.Malformed as malformed:
            return graph_error(call.ids, 400, "BadRequest", str(malformed))
        # Every item's fault is drawn before the first effect, so that a connection lost before stays without one.
        faults = {i.id: self._fault(i.method, f"/{call.version}{i.url}", call.tenant, in_batch=True) for i in items}
        answers = batch.run(items, lambda item: self._item(call, item, faults[item.id]), self.cloud.chance("batch"))
        missing = {key for key, fault in faults.items() if fault and fault.kind == "item_missing"}
        answer = Answer(200, {"responses": [one for one in answers if one["id"] not in missing]})
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
            headers=item.headers,
        )
        answer = broken.answered(fault, ids, lambda: self._one(inner), self.cloud.knobs, in_batch=True)
        target = f"/{call.version}{item.url}"
        self._note(ids, item.method, target, call.tenant, answer.status, fault=fault.kind if fault else "", item=True)
        headers = {"Cache-Control": "no-cache"} | ids.as_headers() | answer.headers
        if answer.body is not None:
            headers.setdefault("Content-Type", "application/json")
        return batch.ItemAnswer(answer.status, headers, answer.body)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
