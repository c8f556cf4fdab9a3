"""The bucket of the methods service: so many calls per 10 seconds for one app in one tenant."""

from __future__ import annotations

import math
import threading

WINDOW = 10.0


class Throttle:
    """Counts calls in fixed windows that open with the first call. Calls turned away count too, as Microsoft warns."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def wait_for(self, app: str, tenant: str, limit: int, at: float) -> int:
        """0 if this call may pass, otherwise the whole seconds to wait. `limit` 0 lets everything pass."""
        if not limit:
            return 0
        with self._lock:
            opened, count = self._windows.get((app, tenant), (at, 0))
            if at - opened >= WINDOW:
                opened, count = at, 0
            self._windows[app, tenant] = (opened, count + 1)
        return 0 if count < limit else max(1, math.ceil(opened + WINDOW - at))
