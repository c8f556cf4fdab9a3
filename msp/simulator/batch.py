"""JSON batching: up to twenty calls in one, each judged and throttled alone, answered in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

MOST_ITEMS = 20


class Malformed(Exception):
    """The batch itself cannot be read; the sentence says why."""


@dataclass(frozen=True)
class Item:
    """One call inside a batch. `url` is relative to the version and starts with "/"."""

    id: str
    method: str
    url: str
    headers: dict[str, str]
    body: Any
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class ItemAnswer:
    status: int
    headers: dict[str, str]
    body: Any


def read(body: Any) -> list[Item]:
    """The items of a batch, checked as a whole. Raises Malformed."""
    asked = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(asked, list) or not asked:
        raise Malformed("Invalid batch payload format.")
    if len(asked) > MOST_ITEMS:
        raise Malformed(f"Number of batch request steps exceeds the maximum value of {MOST_ITEMS}.")
    items = [_item(one) for one in asked]
    ids = [item.id.lower() for item in items]
    if len(set(ids)) < len(ids):
        raise Malformed("Request Id should be unique within the batch.")
    known = set(ids)
    for item in items:
        if not {one.lower() for one in item.depends_on} <= known - {item.id.lower()}:
            raise Malformed(f"dependsOn of request {item.id} names a request that is not in the batch.")
    _refuse_circles(items)
    return items


def _refuse_circles(items: list[Item]) -> None:
    placed: set[str] = set()
    while len(placed) < len(items):
        ready = {i.id.lower() for i in items if {d.lower() for d in i.depends_on} <= placed}
        if ready <= placed:
            raise Malformed("The dependencies of the batch form a circle.")
        placed |= ready


def _item(one: Any) -> Item:
    if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in ("id", "method", "url")):
        raise Malformed("Every request needs an id, a method and a url.")
    url, headers, depends = one["url"], one.get("headers") or {}, one.get("dependsOn") or []
    if "://" in url.partition("?")[0]:
        raise Malformed("The url of a request must be relative.")
    if not isinstance(headers, dict) or not isinstance(depends, list):
        raise Malformed("headers must be an object and dependsOn a list.")
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    if one.get("body") is not None and "content-type" not in lower:
        raise Malformed(f"Request {one['id']} has a body but no Content-Type header.")
    depends_on = tuple(str(name) for name in depends)
    return Item(one["id"], one["method"].upper(), "/" + url.lstrip("/"), lower, one.get("body"), depends_on)


def run(items: list[Item], act: Callable[[Item], ItemAnswer], chance: Random) -> list[dict[str, Any]]:
    """Do every item whose dependencies went well, and answer in shuffled order.

    Items that do not depend on each other run in any order, as they would at Microsoft.
    """
    waiting = list(items)
    done: dict[str, ItemAnswer] = {}
    failed: set[str] = set()
    while waiting:
        ready = [i for i in waiting if {d.lower() for d in i.depends_on} <= done.keys()]
        item = chance.choice(ready)
        waiting.remove(item)
        key = item.id.lower()
        if any(d.lower() in failed for d in item.depends_on):
            error = {"code": "FailedDependency", "message": "A request this one depends on has failed."}
            done[key] = ItemAnswer(424, {"Content-Type": "application/json"}, {"error": error})
        else:
            done[key] = act(item)
        if done[key].status >= 400:
            failed.add(key)
    answers = [
        {"id": i.id, "status": done[i.id.lower()].status, "headers": done[i.id.lower()].headers}
        | ({"body": done[i.id.lower()].body} if done[i.id.lower()].body is not None else {})
        for i in items
    ]
    chance.shuffle(answers)
    return answers
