"""What was asked of the cloud, and what really changed in it. Neither ever holds a body, a token or a password."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar


@dataclass(frozen=True)
class Entry:
    """One request, or one item inside a $batch (`in_batch`). `status` 0: no whole answer left. `at` is UTC."""

    at: str
    method: str
    path: str
    tenant_id: str
    status: int
    request_id: str
    client_request_id: str
    in_batch: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Effect:
    """One change that really happened.

    kind: method_added, method_removed, password_changed, sessions_revoked, default_moved, user_enabled, user_disabled,
    user_changed, user_removed, mfa_demanded.
    by: "graph" (an application) or "person" (somebody at Microsoft's own pages).
    """

    kind: str
    tenant_id: str
    user_id: str
    upn: str
    by: str
    at: str
    method_id: str = ""
    method_kind: str = ""
    request_id: str = ""


Item = TypeVar("Item", Entry, Effect)


class Journal(Generic[Item]):
    """A list that many threads may write; `count` and `find` take the names of the item's fields."""

    def __init__(self, limit: int = 200_000) -> None:
        self._items: deque[Item] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def add(self, item: Item) -> None:
        with self._lock:
            self._items.append(item)

    def clear(self) -> None:
        with self._lock:
            self._items.clear()

    def find(self, **wanted: Any) -> list[Item]:
        return [item for item in self if all(getattr(item, name) == value for name, value in wanted.items())]

    def count(self, **wanted: Any) -> int:
        return len(self.find(**wanted))

    def last(self, count: int) -> list[Item]:
        """The newest ones, the oldest of them first."""
        return list(self)[-count:]

    def as_dicts(self) -> list[dict[str, Any]]:
        return [asdict(item) for item in self]

    def __iter__(self) -> Iterator[Item]:
        with self._lock:
            return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)
