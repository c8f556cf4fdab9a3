"""What can be turned while the cloud runs: for all tenants, and for one tenant over that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Knobs:
    """The settings of the cloud's behaviour.

    latency_ms: median of the delay before every answer, with jitter from the seed. 0 is off.
    read_lag: seconds until a change is visible to GETs of users and methods.
    throttle: method calls per 10 s, app and tenant, before 429 with Retry-After. 0 is off; Microsoft says 5.
    lies: "yes" to changes that then do not happen.
    dead: "" alive, "503" always unavailable, "reset" cuts every connection, "hang" never answers. It strikes the
        token endpoint and Graph; the sign-in page stays up, so that tests can still ask who gets in.
    hang_seconds: how long a hanging connection is held before it is cut.
    token_life: seconds that an access token lives from its issue.
    clock_error: seconds by which the header Date of every answer is ahead of this machine's clock; for all tenants
        alone, since a header belongs to the server.
    """

    latency_ms: float = 0.0
    read_lag: float = 0.0
    throttle: int = 0
    lies: bool = False
    dead: str = ""
    hang_seconds: float = 120.0
    token_life: float = 3599.0
    clock_error: float = 0.0

    def __post_init__(self) -> None:
        if self.dead not in ("", "503", "reset", "hang"):
            raise ValueError(f'dead is "", "503", "reset" or "hang", not {self.dead!r}.')


NAMES = frozenset(field.name for field in fields(Knobs))


class KnobBoard:
    """The global knobs and each tenant's own. `board.set(tenant_id=None, **changes)` turns them."""

    def __init__(self) -> None:
        self.everywhere = Knobs()
        self.by_tenant: dict[str, dict[str, Any]] = {}
        self._here = threading.local()

    def set(self, tenant_id: str | None = None, **changes: Any) -> None:
        """Turn knobs for one tenant, or for all (a tenant's own setting wins). Unknown names raise ValueError."""
        unknown = sorted(changes.keys() - NAMES)
        if unknown:
            raise ValueError(f"There is no knob called {', '.join(unknown)}; there are {', '.join(sorted(NAMES))}.")
        if tenant_id is None:
            self.everywhere = replace(self.everywhere, **changes)
            return
        own = self.by_tenant.get(tenant_id, {}) | changes
        replace(self.everywhere, **own)
        self.by_tenant[tenant_id] = own

    def reset(self, tenant_id: str | None = None) -> None:
        """Forget one tenant's own settings, or everything."""
        if tenant_id is None:
            self.everywhere = Knobs()
            self.by_tenant.clear()
        else:
            self.by_tenant.pop(tenant_id, None)

    def of(self, tenant_id: str | None) -> Knobs:
        """What counts for this tenant now."""
        own = self.by_tenant.get(tenant_id) if tenant_id else None
        found = replace(self.everywhere, **own) if own else self.everywhere
        return replace(found, lies=True) if getattr(self._here, "lies", False) else found

    @contextmanager
    def lying(self) -> Iterator[None]:
        """The knob `lies` for what this thread does meanwhile: one request."""
        self._here.lies = True
        try:
            yield
        finally:
            self._here.lies = False
