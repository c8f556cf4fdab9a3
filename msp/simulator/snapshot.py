"""The cloud on disk: `cloud.json` in the state directory, written whole, read at the next start.

Kept are tenants with everything in them, applications, knobs, faults with their counts, the time line, the clock and
the effects. Access tokens and the request log are not: a restarted cloud has forgotten them, and what was still
invisible to lagging readings is visible after it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import certificates, records
from .cloud import Cloud
from .delegation import RefreshToken
from .faults import Fault
from .journal import Effect
from .state import AppRegistration, SimTenant
from .timeline import Planned

FORMAT = 2
NAME = "cloud.json"
SHARE_OF_TIME = 20
"""A snapshot that takes t seconds is followed by at least this many times t without one."""

_BY_HAND = frozenset({"seed", "generation", "changes", "tenants", "apps", "refresh_tokens"})


class Keeper:
    """Writes a snapshot at most once a second, and only after a change."""

    def __init__(self, cloud: Cloud, state_dir: Path) -> None:
        self._cloud, self._state_dir = cloud, state_dir
        self._kept = cloud.changes

    def run(self) -> None:
        pause = 1.0
        while not self._cloud.stopping.wait(pause):
            began = time.monotonic()
            self.keep()
            pause = max(1.0, SHARE_OF_TIME * (time.monotonic() - began))

    def keep(self) -> None:
        changes = self._cloud.changes
        if changes == self._kept and (self._state_dir / NAME).exists():
            return
        save(self._cloud, self._state_dir)
        self._kept = changes


def save(cloud: Cloud, state_dir: Path) -> None:
    """Write the whole cloud; the file is replaced at once or not at all."""
    certificates.write_private(state_dir / NAME, json.dumps(dump(cloud)).encode())


def load(state_dir: Path) -> Cloud | None:
    """The cloud that was kept here, or None when there is none. Raises ValueError when it cannot be read."""
    place = state_dir / NAME
    return restore(json.loads(place.read_text())) if place.exists() else None


def dump(cloud: Cloud) -> dict[str, Any]:
    """The whole cloud as JSON values."""
    return {
        "format": FORMAT,
        "seed": cloud.seed,
        "generation": cloud.generation,
        "settings": records.plain(_settings(cloud)),
        "knobs": {"everywhere": asdict(cloud.knobs.everywhere), "by_tenant": dict(cloud.knobs.by_tenant)},
        "consented_everywhere": records.plain(cloud.consented_everywhere()),
        "apps": records.plain(list(cloud.apps.values())),
        "refresh_tokens": records.plain(dict(cloud.refresh_tokens)),
        "tenants": [_plain_tenant(tenant) for tenant in list(cloud.tenants.values())],
        "faults": [rule.as_dict() for rule in cloud.faults.rules()],
        "time_line": records.plain(cloud.timeline.events()),
        "effects": cloud.effects.as_dicts(),
    }


def restore(kept: dict[str, Any]) -> Cloud:
    """A cloud from what `dump` made. Chance starts anew, so that no id is given twice."""
    if kept.get("format") == 1:
        kept = _from_format_1(kept)
    if kept.get("format") != FORMAT:
        raise ValueError(
            f"{NAME} has format {kept.get('format')!r}; this version reads 1 and {FORMAT}. Delete it to start anew."
        )
    cloud = Cloud(kept["seed"])
    usual = _settings(cloud)
    for name, value in kept["settings"].items():
        if name in usual:
            setattr(cloud, name, type(usual[name])(records.valued(value)))
    cloud.generation = kept["generation"] + 1
    cloud.knobs.set(**kept["knobs"]["everywhere"])
    cloud.knobs.by_tenant.update(kept["knobs"]["by_tenant"])
    cloud.apps = {one["client_id"]: records.whole(AppRegistration, one) for one in kept["apps"]}
    for one in kept["tenants"]:
        cloud.place(_whole_tenant(one))
    for client_id, permissions, roles in kept["consented_everywhere"]:
        cloud.remember_consent(client_id, tuple(permissions), tuple(roles))
    # A snapshot of before they were kept has none.
    tokens = kept.get("refresh_tokens", {})
    cloud.refresh_tokens = {text: records.whole(RefreshToken, one) for text, one in tokens.items()}
    cloud.faults.restore(records.whole(Fault, one) for one in kept["faults"])
    cloud.timeline.plan(records.whole(Planned, one) for one in kept["time_line"])
    for one in kept["effects"]:
        cloud.effects.add(records.whole(Effect, one))
    return cloud


def _settings(cloud: Cloud) -> dict[str, Any]:
    """The cloud's own plain values: its clock, and whatever else it has of this sort."""
    found = {name: value for name, value in vars(cloud).items() if not name.startswith("_") and name not in _BY_HAND}
    return {name: value for name, value in found.items() if isinstance(value, int | float | str | tuple | list | dict)}


def _plain_tenant(tenant: SimTenant) -> dict[str, Any]:
    with tenant.lock:
        kept: dict[str, Any] = records.plain(tenant)
    kept["sessions"] = {token: session for token, session in kept["sessions"].items() if not session["ended"]}
    return kept


def _whole_tenant(kept: dict[str, Any]) -> SimTenant:
    tenant = records.whole(SimTenant, kept)
    for user in list(tenant.users.values()):
        tenant.place(user)
    return tenant


def _from_format_1(kept: dict[str, Any]) -> dict[str, Any]:
    """The first format had lists for users and methods, times as bare texts, and fewer things."""
    tenants = [_tenant_of_format_1(one) for one in kept["tenants"]]
    later = {"settings": {"clock_offset": kept["clock_offset"]}, "faults": [], "time_line": []}
    return kept | {"format": FORMAT, "tenants": tenants} | later


def _tenant_of_format_1(kept: dict[str, Any]) -> dict[str, Any]:
    users = {}
    for user in kept["users"]:
        methods = {method["id"]: _timed(method, "created_at") for method in user["methods"]}
        users[user["id"]] = _timed(user, "password_changed_at", "sessions_valid_from", "locked_until") | {
            "methods": methods
        }
    sessions = {token: _timed(session, "issued_at") for token, session in kept["sessions"].items()}
    return kept | {"users": users, "sessions": sessions}


def _timed(kept: dict[str, Any], *names: str) -> dict[str, Any]:
    return kept | {name: records.moment(kept[name]) for name in names}
