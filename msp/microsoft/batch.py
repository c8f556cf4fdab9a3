"""Several calls in one request: `$batch` of Microsoft Graph ("JSON batching").

The answers come back in any order and each has a status of its own; the outer 200 says only that the
envelope was understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msp.microsoft.answers import Call, Reply

MOST = 20


def envelope(paths: Mapping[str, str]) -> dict[str, Any]:
    """The body for reading `paths` (our id -> path without version) in one go; at most 20 of them."""
    if len(paths) > MOST:
        raise ValueError(f"A batch holds at most {MOST} requests, not {len(paths)}.")
    return {"requests": [{"id": name, "method": "GET", "url": path} for name, path in paths.items()]}


def in_turn(calls: Mapping[str, Call]) -> tuple[str, dict[str, Any]]:
    """(version, body) for doing `calls` (our id -> call) one after another; at most 20 of them.

    One version holds for a whole batch. Whatever v1.0 can do beta can do as well, and not the other way round.
    Serial by `dependsOn`, because deletes of one user that run side by side race with the default-method rule.
    """
    if len(calls) > MOST:
        raise ValueError(f"A batch holds at most {MOST} requests, not {len(calls)}.")
    version = "beta" if any(call.path.startswith("/beta/") for call in calls.values()) else "v1.0"
    items: list[dict[str, Any]] = []
    for name, call in calls.items():
        item: dict[str, Any] = {"id": name, "method": call.method, "url": "/" + call.path.split("/", 2)[2]}
        if call.body is not None:
            item |= {"headers": {"Content-Type": "application/json"}, "body": call.body}
        if items:
            item["dependsOn"] = [items[-1]["id"]]
        items.append(item)
    return version, {"requests": items}


def opened(outer: Reply) -> dict[str, Reply]:
    """The inner replies by our ids. One that is absent, or cannot be read, is simply not there."""
    answers = outer.body.get("responses") if outer.body else None
    return {
        str(item.get("id")): _inner(item, outer)
        for item in (answers if isinstance(answers, list) else [])
        if isinstance(item, dict) and isinstance(item.get("status"), int)
    }


def _inner(item: Mapping[str, Any], outer: Reply) -> Reply:
    headers = {str(name).lower(): str(value) for name, value in (item.get("headers") or {}).items()}
    body = item.get("body")
    return Reply(
        status=item["status"],
        headers={"request-id": outer.request_id} | headers,
        body=body if isinstance(body, dict) else None,
        client_request_id=outer.client_request_id,
        answered_at=outer.answered_at,
        strange=body is not None and not isinstance(body, dict),
    )
