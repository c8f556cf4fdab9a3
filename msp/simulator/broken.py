"""What a planned fault makes of one request: another answer, no effect, a second effect, a broken connection."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from email.utils import format_datetime

from .answers import Answer, Ids, Reply, graph_error
from .faults import STATUS_KINDS, Fault
from .knobs import KnobBoard

USUAL_HANG = 60.0
PROXY_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Network sign-in</title></head>"
    "<body><h1>Please sign in to the network first.</h1></body></html>\n"
)
HALF_JSON = '{"value": [{"id": "'

_ERRORS = {
    400: ("BadRequest", "The request is malformed or incorrect."),
    401: ("InvalidAuthenticationToken", "Access token has expired or is not yet valid."),
    403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    404: ("Request_ResourceNotFound", "The resource does not exist."),
    409: ("Conflict", "The current state conflicts with what the request expects."),
    423: ("Locked", "The resource that is being accessed is locked."),
    429: ("TooManyRequests", "Too many requests"),
    500: ("InternalServerError", "The server encountered an internal error."),
    502: ("BadGateway", "The server received an invalid response from an upstream server."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The server did not get an answer from an upstream server in time."),
}
"""Status -> code and text. Assumption: both, where no published sample shows them (400, 404, 409, 423, 5xx)."""

_CUTS = {
    "slow_body": "slow",
    "truncated_body": "truncated",
    "reset_before": "reset",
    "reset_after_effect": "reset",
    "timeout_before": "hang",
    "timeout_after_effect": "hang",
}


def answered(
    fault: Fault | None, ids: Ids, act: Callable[[], Answer], knobs: KnobBoard, *, in_batch: bool = False
) -> Answer:
    """Carry a request out as far as its fault lets it, and answer as the fault says."""
    if fault is None:
        return act()
    if fault.kind in STATUS_KINDS:
        return _error(fault, ids, in_batch=in_batch)
    match fault.kind:
        case "html":
            return Answer(200, PROXY_PAGE.encode(), {"Content-Type": "text/html; charset=utf-8"})
        case "lie":
            with knobs.lying():
                return act()
        case "twice":
            first = act()
            act()
            return first
        case "wrong_json":
            done = act()
            status = 200 if done.status == 204 else done.status
            # Inside a batch the body of an item is a JSON value in any case: there it is a text.
            return Answer(status, HALF_JSON if in_batch else HALF_JSON.encode(), {"Content-Type": "application/json"})
        case "empty_body":
            done = act()
            return Answer(200 if done.status == 204 else done.status, None, done.headers)
    return act()


def reply(fault: Fault | None, answer: Answer | None) -> Reply:
    """How the answer leaves the house under this fault."""
    if fault is None:
        return Reply(answer)
    cut = _CUTS.get(fault.kind, "")
    return Reply(answer, cut, fault.delay or (USUAL_HANG if cut == "hang" else 0.0), fault.kind)


def _error(fault: Fault, ids: Ids, *, in_batch: bool) -> Answer:
    status = fault.status or int(fault.kind)
    usual_code, usual_text = _ERRORS.get(status, ("UnknownError", ""))
    answer = graph_error(ids, status, fault.code or usual_code, fault.message or usual_text)
    wait = _retry_after(fault, status, in_batch=in_batch)
    if wait:
        answer.headers["Retry-After"] = wait
    return answer


def _retry_after(fault: Fault, status: int, *, in_batch: bool) -> str:
    """The header's text, "" for none."""
    form, seconds = fault.retry_after, fault.delay or 1.0
    if not form:
        asks = status == 429 or (status in (503, 504) and fault.delay > 0)
        if asks and in_batch:
            return f"{seconds:.3f}".rstrip("0").rstrip(".")
        form = "seconds" if asks else "missing"
    match form:
        case "missing":
            return ""
        case "seconds":
            return str(math.ceil(seconds))
        case "decimal":
            return f"{seconds:.3f}"
        case "date":
            # Up to the next whole second: the form has no fraction, and too early would be a second refusal.
            moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds + 1)
            return format_datetime(moment.replace(microsecond=0), usegmt=True)
    return form
