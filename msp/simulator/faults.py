"""A plan of faults: which requests go wrong, how, and how often. Rules are tried in the order they were planned."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any

STATUS_KINDS = frozenset({"500", "503", "429"})
BEFORE = frozenset({"timeout_before", "reset_before"})
AFTER = frozenset({"timeout_after_effect", "reset_after_effect", "slow_body"})
ALL_KINDS = STATUS_KINDS | BEFORE | AFTER


@dataclass
class Fault:
    """One planned fault.

    method, path (regular expression, searched in the path with its query), tenant ("" is any): what it strikes;
    an item inside a $batch is matched by its own method and url. kind: see ALL_KINDS. `skip` matches pass unharmed
    first, then `times` are struck (0: all that follow). delay: seconds that a time-out holds the connection, that a
    slow body takes, or that Retry-After asks for (429, 503).

    A status strikes a batch item alone. A lost connection is lost for the whole batch: with a *before* kind none of
    its items has an effect, with an *after* kind all have.
    """

    kind: str
    method: str = ""
    path: str = ""
    tenant: str = ""
    skip: int = 0
    times: int = 1
    delay: float = 0.0
    seen: int = 0
    struck: int = 0
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in ALL_KINDS:
            raise ValueError(f"{self.kind!r} is no kind of fault; there are {', '.join(sorted(ALL_KINDS))}.")
        self._pattern = re.compile(self.path, re.IGNORECASE)

    def matches(self, method: str, path: str, tenants: tuple[str, ...]) -> bool:
        return (
            self.method.upper() in ("", method)
            and (not self.tenant or self.tenant.lower() in tenants)
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


class FaultPlan:
    """The rules in force. `faults.plan(kind="reset_after_effect", method="DELETE", path="softwareOath", times=1)`."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = threading.Lock()

    def plan(self, *rules: dict[str, Any], **rule: Any) -> list[Fault]:
        """Add rules and return them, so that a test can ask `struck`.

        A rule has the names of Fault; method, path and tenant may also stand in an inner `match`.
        """
        asked = [*rules, rule] if rule else list(rules)
        made = [Fault(**(one.get("match", {}) | {k: v for k, v in one.items() if k != "match"})) for one in asked]
        with self._lock:
            self._rules += made
        return made

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def rules(self) -> list[Fault]:
        with self._lock:
            return list(self._rules)

    def next_for(self, method: str, path: str, tenants: tuple[str, ...]) -> Fault | None:
        """The fault that strikes this request, if any. Asking counts: ask once per request.

        `tenants` are the lower-case names of the tenant: its id and its domain.
        """
        with self._lock:
            for rule in self._rules:
                if rule.matches(method, path, tenants) and rule.strikes():
                    return rule
        return None
