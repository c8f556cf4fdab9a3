"""A plan of faults: which requests go wrong, how, and how often. Rules are tried in the order they were planned."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .operations import OPERATIONS

STATUS_KINDS = frozenset({"500", "503", "429", "status"})
BEFORE = frozenset({"timeout_before", "reset_before"})
AFTER = frozenset({"timeout_after_effect", "reset_after_effect", "slow_body", "truncated_body"})
HARMLESS = frozenset({*STATUS_KINDS, *BEFORE, "html", "lie"})
"""Kinds that keep a request from having any effect."""

ALL_KINDS = HARMLESS | AFTER | {"delay", "wrong_json", "empty_body", "twice", "item_missing"}


@dataclass
class Fault:
    """One planned fault.

    What it strikes: `method`, `path` (regular expression, searched in the path with its query), `operation` (a name
    of OPERATIONS) and `tenant` (id or domain); what is empty fits everything. An item inside a $batch is matched by
    its own method and url, the batch itself by operation "batch".

    When: `skip` matches pass unharmed first, then `times` are struck (0: all that follow). `occurrence` is short for
    one match only, the first being 1. A match that an earlier rule struck is not seen by a later one.

    kind, before any effect:
      500, 503, 429, status: an error answer; `status` (400 to 599), `code` and `message` say which.
      html: 200 with a page of HTML, as a proxy between would send; so a whole request, never an item of a batch.
      lie: the answer of success, and nothing happens.
      timeout_before, reset_before: no answer.
    kind, the effect happens:
      timeout_after_effect, reset_after_effect: no answer.
      slow_body, delay: the answer comes in pieces, or late as a whole (the effect late too).
      truncated_body: the connection ends inside the body. wrong_json: the body is no JSON.
      empty_body: the body is left out. item_missing: an item of a batch is left out of its answer.
      twice: the request is carried out a second time, as by a proxy that repeats it; the first answer is sent.

    `delay`: seconds that a time-out holds the connection (0 is 60), that a slow body or a delay takes, or that
    Retry-After asks for. `retry_after`: "" as Microsoft does (429 always, 503 and 504 when there is a delay; whole
    seconds, inside a $batch with a fraction when the delay has one), "seconds", "decimal" (always with three places),
    "date", "missing", or any other text, sent as it is.

    A status strikes a batch item alone. A lost connection is lost for the whole batch: with a *before* kind none of
    its items has an effect, with an *after* kind all have.
    """

    kind: str
    method: str = ""
    path: str = ""
    tenant: str = ""
    operation: str = ""
    skip: int = 0
    times: int = 1
    occurrence: int = 0
    delay: float = 0.0
    status: int = 0
    code: str = ""
    message: str = ""
    retry_after: str = ""
    seen: int = 0
    struck: int = 0
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in ALL_KINDS:
            raise ValueError(f"{self.kind!r} is no kind of fault; there are {', '.join(sorted(ALL_KINDS))}.")
        if self.operation and self.operation not in OPERATIONS:
            raise ValueError(f"{self.operation!r} is no operation; there are {', '.join(sorted(OPERATIONS))}.")
        if (self.kind == "status") != bool(self.status) or (self.status and not 400 <= self.status <= 599):
            raise ValueError("A fault of kind 'status', and no other, has a status from 400 to 599.")
        if self.occurrence:
            self.skip, self.times = self.occurrence - 1, 1
        if min(self.skip, self.times, self.occurrence, self.delay) < 0:
            raise ValueError("skip, times, occurrence and delay of a fault are not below 0.")
        try:
            self._pattern = re.compile(self.path, re.IGNORECASE)
        except re.error as wrong:
            raise ValueError(f"The path {self.path!r} of a fault is no regular expression: {wrong}.") from None

    def matches(self, method: str, path: str, tenants: tuple[str, ...], *, in_batch: bool = False) -> bool:
        return (
            self.method.upper() in ("", method)
            and (not self.tenant or self.tenant.lower() in tenants)
            and (not self.operation or OPERATIONS[self.operation].is_this(method, path))
            and self.kind != ("html" if in_batch else "item_missing")
            and bool(self._pattern.search(path))
        )

    def strikes(self) -> bool:
        """Count one match and say whether it is struck."""
        if self.times and self.struck >= self.times:
            return False
        self.seen += 1
        if self.seen <= self.skip:
            return False
        self.struck += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """The rule with its counts, as JSON values; `Fault(**them)` goes on where it stood."""
        return {name: value for name, value in asdict(self).items() if name != "_pattern"}


NAMES = frozenset(one.name for one in fields(Fault) if one.init)


class FaultPlan:
    """The rules in force. `faults.plan(kind="reset_after_effect", operation="method.delete", occurrence=2)`."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = threading.Lock()

    def plan(self, *rules: dict[str, Any], **rule: Any) -> list[Fault]:
        """Add rules and return them, so that a test can ask `struck`. Raises ValueError, and then adds none.

        A rule has the names of Fault; method, path, tenant and operation may also stand in an inner `match`.
        """
        made = [_read(one) for one in ([*rules, rule] if rule else rules)]
        with self._lock:
            self._rules += made
        return made

    def restore(self, rules: Iterable[Fault]) -> None:
        """Put rules of a former run in force again, with their counts."""
        with self._lock:
            self._rules = list(rules)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def rules(self) -> list[Fault]:
        with self._lock:
            return list(self._rules)

    def next_for(self, method: str, path: str, tenants: tuple[str, ...], *, in_batch: bool = False) -> Fault | None:
        """The fault that strikes this request, if any. Asking counts: ask once per request.

        `tenants` are the lower-case names of the tenant: its id and its domain. `in_batch`: it is an item of one.
        """
        with self._lock:
            for rule in self._rules:
                if rule.matches(method, path, tenants, in_batch=in_batch) and rule.strikes():
                    return rule
        return None


def _read(rule: dict[str, Any]) -> Fault:
    given = rule.get("match", {}) | {name: value for name, value in rule.items() if name != "match"}
    unknown = sorted(given.keys() - NAMES)
    if unknown:
        raise ValueError(f"A fault has no {', '.join(unknown)}; it has {', '.join(sorted(NAMES))}.")
    if "kind" not in given:
        raise ValueError(f"A fault needs a kind; there are {', '.join(sorted(ALL_KINDS))}.")
    return Fault(**given)


_RANDOM_STATUSES = (400, 409, 423, 502, 504)
"""Without 404: to a deletion that is the truth "already gone", which a plan must not tell by chance."""


def random_plan(seed: int, *, operations: Sequence[str], most: int = 4, longest: float = 0.3) -> list[dict[str, Any]]:
    """Up to `most` rules for `FaultPlan.plan`, the same for the same seed.

    Every rule strikes some of the `operations`, at most twice, and holds nobody up for more than `longest` seconds.
    """
    chance = random.Random(f"{seed}/faults")  # noqa: S311 - a repeatable plan, not secrets
    kinds = sorted(ALL_KINDS)
    return [_random_rule(chance, kinds, operations, longest) for _ in range(chance.randint(1, most))]


def _random_rule(chance: random.Random, kinds: list[str], operations: Sequence[str], longest: float) -> dict[str, Any]:
    rule = {
        "kind": chance.choice(kinds),
        "operation": chance.choice(operations),
        "skip": chance.choice((0, 0, 1, 2)),
        "times": chance.randint(1, 2),
        # Never 0, which would hold a connection for a minute; rounded down, so that the promise holds.
        "delay": int(1000 * longest * chance.uniform(0.2, 1)) / 1000 or longest,
    }
    if rule["kind"] in STATUS_KINDS:
        rule["retry_after"] = chance.choice(("decimal", "missing", "0"))
    return rule | ({"status": chance.choice(_RANDOM_STATUSES)} if rule["kind"] == "status" else {})
