"""Directory audits and sign-ins as Graph lists them: what is visible by now, filtered, newest first, page by page."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from . import rules
from .answers import Answer
from .graph import Call
from .state import SimEvent

MOST = 1000
RETENTION = {False: dt.timedelta(days=7), True: dt.timedelta(days=30)}
"""Without and with a licence (entra-docs reference-reports-data-retention)."""

_ONLY_BETA = ("authenticationDetails", "authenticationRequirement", "signInEventTypes")
_TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"
_TEXT = r"'((?:[^']|'')*)'"
_CLAUSES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Callable[[dict[str, Any]], bool]]], ...] = (
    (
        re.compile(rf"(activityDateTime|createdDateTime)\s+(ge|gt|le|lt)\s+{_TIME}", re.IGNORECASE),
        lambda found: _in_time(found[1], found[2].lower(), found[3]),
    ),
    (
        re.compile(
            r"(id|loggedByService|activityDisplayName|category|result|userId|userPrincipalName|correlationId|appId)"
            rf"\s+eq\s+{_TEXT}",
            re.IGNORECASE,
        ),
        lambda found: _equal(found[1], found[2].replace("''", "'")),
    ),
    (
        re.compile(rf"targetResources/any\(\s*\w+\s*:\s*\w+/id\s+eq\s+{_TEXT}\s*\)", re.IGNORECASE),
        lambda found: lambda body: any(one["id"] == found[1].lower() for one in body.get("targetResources", ())),
    ),
    (
        re.compile(r"signInEventTypes/any\(\s*(\w+)\s*:\s*(.+)\)", re.IGNORECASE),
        lambda found: _of_types(re.findall(rf"{found[1]}\s+eq\s+{_TEXT}", found[2])),
    ),
)


def answer(call: Call) -> Answer | None:
    """`/auditLogs/directoryAudits[/{id}]` and `/auditLogs/signIns[/{id}]`."""
    match call.lower:
        case ["auditlogs", "directoryaudits", *rest] if len(rest) <= 1:
            call.only("GET")
            return _read(call, call.tenant.audits, "directoryAudits", "activityDateTime", *rest)
        case ["auditlogs", "signins", *rest] if len(rest) <= 1:
            call.only("GET")
            call.need_premium()
            return _read(call, call.tenant.sign_ins, "signIns", "createdDateTime", *rest)
    return None


def _read(call: Call, log: list[SimEvent], name: str, time: str, event_id: str = "") -> Answer:
    now = call.cloud.now()
    oldest = now - RETENTION[rules.is_premium(call.tenant)]
    visible = [event for event in log if event.visible_at <= now and event.at >= oldest]
    if event_id:
        for event in visible:
            if event.body["id"].lower() == event_id:
                where = call.context(f"auditLogs/{name}/$entity")
                return Answer(200, {"@odata.context": where} | _shown(call, event.body))
        raise call.absent(event_id)
    tests = [_test(call, clause) for clause in _clauses(call.query.get("$filter", ""))]
    found = [event for event in visible if all(test(event.body) for test in tests)]
    found.sort(key=lambda event: event.at, reverse=not _oldest_first(call, time))
    page, link = _page(call, found)
    body: dict[str, Any] = {"@odata.context": call.context(f"auditLogs/{name}")}
    if link:
        body["@odata.nextLink"] = link
    return Answer(200, body | {"value": [_shown(call, event.body) for event in page]})


def _shown(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    return body if call.version == "beta" else {name: v for name, v in body.items() if name not in _ONLY_BETA}


def _oldest_first(call: Call, time: str) -> bool:
    asked = call.query.get("$orderby", f"{time} desc").split()
    if not asked or asked[0] != time or asked[1:] not in ([], ["asc"], ["desc"]):
        raise call.unsupported("Unsupported or invalid orderby clause specified.")
    return asked[1:] != ["desc"]


def _page(call: Call, events: list[SimEvent]) -> tuple[list[SimEvent], str]:
    """One page and the link to the next. The token says how many were shown, as an opaque text."""
    try:
        top = int(call.query.get("$top", MOST))
        start = int(base64.urlsafe_b64decode(call.query.get("$skiptoken", "MA==").encode()).decode())
    except (ValueError, binascii.Error):
        top, start = 0, -1
    if start < 0:
        raise call.error(400, "Request_BadRequest", "Invalid page size or skip token specified.")
    if not 1 <= top <= MOST:
        raise call.error(400, "Request_BadRequest", f"Invalid page size specified: must be between 1 and {MOST}.")
    end = start + top
    if end >= len(events):
        return events[start:], ""
    skip = base64.urlsafe_b64encode(str(end).encode()).decode()
    query = {name: value for name, value in call.query.items() if name != "$skiptoken"} | {"$skiptoken": skip}
    return events[start:end], f"{call.base}/{call.version}/{'/'.join(call.parts)}?{urlencode(query)}"


def _clauses(text: str) -> list[str]:
    """What `and` joins, outside of brackets and quotes."""
    pieces, depth, quoted, begin = [], 0, False, 0
    for at, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif not quoted and letter in "()":
            depth += 1 if letter == "(" else -1
        elif not quoted and not depth and text[at : at + 5].lower() == " and ":
            pieces.append(text[begin:at])
            begin = at + 5
    return [piece.strip() for piece in (*pieces, text[begin:]) if piece.strip()]


def _test(call: Call, clause: str) -> Callable[[dict[str, Any]], bool]:
    for pattern, make in _CLAUSES:
        if found := pattern.fullmatch(clause):
            try:
                return make(found)
            except ValueError:  # a time that no calendar has
                break
    raise call.unsupported("Unsupported or invalid query filter clause specified.")


def _in_time(name: str, operator: str, text: str) -> Callable[[dict[str, Any]], bool]:
    limit = dt.datetime.fromisoformat(text)

    def passes(body: dict[str, Any]) -> bool:
        at = dt.datetime.fromisoformat(_value(body, name))
        return {"ge": at >= limit, "gt": at > limit, "le": at <= limit, "lt": at < limit}[operator]

    return passes


def _equal(name: str, wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda body: str(_value(body, name)).lower() == wanted.lower()


def _of_types(types: list[str]) -> Callable[[dict[str, Any]], bool]:
    return lambda body: bool(set(types) & set(body.get("signInEventTypes", ())))


def _value(body: dict[str, Any], name: str) -> Any:
    return next((value for key, value in body.items() if key.lower() == name.lower()), "")
