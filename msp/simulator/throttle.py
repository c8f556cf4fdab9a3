"""Microsoft's throttling: how much of what an application may ask of a tenant in a while.

Numbers and headers from the reference page "throttling limits". Assumption: windows are fixed and open with the first
call, and calls to the methods service and the reports do not cost resource units.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

WINDOW = 10.0
WARNING_SHARE = 0.8
BUSY = ("TooManyRequests", "Too many requests")


@dataclass(frozen=True)
class Bucket:
    """What is counted together. `window` is in seconds; `information` is what its 429 says was exceeded."""

    name: str
    window: float
    information: str = ""
    names_the_wait: bool = True


METHODS = Bucket("methods and reports", WINDOW)
UNITS = Bucket("resource units", WINDOW, "ResourceUnitLimitExceeded")
WRITES = Bucket("writes", 150.0, "WriteLimitExceeded")
CONDITIONAL_ACCESS = Bucket("conditional access", 1.0, names_the_wait=False)
MOST_WRITES = 3000


@dataclass(frozen=True)
class Charge:
    """What one call costs, out of which bucket."""

    bucket: Bucket
    cost: int


@dataclass(frozen=True)
class Toll:
    """`wait` 0: the call may pass; otherwise the whole seconds to wait. `headers` go with the answer either way."""

    wait: int
    headers: dict[str, str] = field(default_factory=dict)


def units_for(users: int) -> int:
    """Resource units per 10 seconds for a tenant with so many users."""
    return 3500 if users < 50 else 5000 if users <= 500 else 8000


def charge_of(method: str, parts: tuple[str, ...], query: dict[str, str]) -> Charge:
    """The bucket and the price of one call."""
    lower = [part.lower() for part in parts]
    if lower[:1] in (["auditlogs"], ["reports"]) or lower[2:3] == ["authentication"]:
        return Charge(METHODS, 1)
    if lower[:2] == ["identity", "conditionalaccess"]:
        return Charge(CONDITIONAL_ACCESS, 1)
    if method != "GET":
        return Charge(WRITES, 1)
    price = {"users": 2, "contracts": 3}.get(lower[0], 1) if len(lower) == 1 else 1
    top = query.get("$top", "")
    price += ("$expand" in query) - ("$select" in query) - (top.isdigit() and int(top) < 20)
    return Charge(UNITS, max(1, price))


class Throttle:
    """All buckets of one cloud. Calls turned away count too, as Microsoft warns."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def take(self, charge: Charge, app: str, tenant: str, limit: int, at: float) -> Toll:
        """Pay for one call at the moment `at`, in seconds."""
        bucket = charge.bucket
        key = (bucket.name, "" if bucket is CONDITIONAL_ACCESS else app, tenant)
        with self._lock:
            opened, used = self._windows.get(key, (at, 0))
            if at - opened >= bucket.window:
                opened, used = at, 0
            used += charge.cost
            self._windows[key] = (opened, used)
        headers = {"x-ms-resource-unit": str(charge.cost)} if bucket is UNITS else {}
        if bucket.information and used > limit * WARNING_SHARE:
            headers["x-ms-throttle-limit-percentage"] = f"{min(1.8, used / limit):.1f}"
        if used <= limit:
            return Toll(0, headers)
        if bucket.information:
            headers["x-ms-throttle-scope"] = f"Tenant_Application/ReadWrite/{app}/{tenant}"
            headers["x-ms-throttle-information"] = bucket.information
        wait = max(1, math.ceil(opened + bucket.window - at))
        if bucket.names_the_wait:
            headers["Retry-After"] = str(wait)
        return Toll(wait, headers)


def limit_of(bucket: Bucket, knob: int, users: int) -> int:
    """How much fits into a bucket; `knob` is the methods service's, which a test may turn."""
    return {METHODS: knob, UNITS: units_for(users), WRITES: MOST_WRITES, CONDITIONAL_ACCESS: 1}[bucket]
