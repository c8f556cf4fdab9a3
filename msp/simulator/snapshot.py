"""The cloud on disk: `cloud.json` in the state directory, written whole, read at the next start.

Access tokens, the request log and planned faults are not kept: a restarted cloud has forgotten them.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from . import certificates
from .cloud import Cloud
from .journal import Effect
from .state import AppRegistration, Consent, SimMethod, SimSession, SimTenant, SimUser

FORMAT = 1
NAME = "cloud.json"
SHARE_OF_TIME = 20
"""A snapshot that takes t seconds is followed by at least this many times t without one."""

Record = TypeVar("Record", SimMethod, SimSession)


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
    """The cloud that was kept here, or None when there is none."""
    place = state_dir / NAME
    return restore(json.loads(place.read_text())) if place.exists() else None


def dump(cloud: Cloud) -> dict[str, Any]:
    """The whole cloud as JSON values."""
    return {
        "format": FORMAT,
        "seed": cloud.seed,
        "generation": cloud.generation,
        "clock_offset": cloud.clock_offset,
        "knobs": {"everywhere": asdict(cloud.knobs.everywhere), "by_tenant": dict(cloud.knobs.by_tenant)},
        "consented_everywhere": cloud.consented_everywhere(),
        "apps": [asdict(app) for app in list(cloud.apps.values())],
        "tenants": [_dump_tenant(tenant) for tenant in list(cloud.tenants.values())],
        "effects": cloud.effects.as_dicts(),
    }


def restore(kept: dict[str, Any]) -> Cloud:
    """A cloud from what `dump` made. Chance starts anew, so that no id is given twice."""
    if kept.get("format") != FORMAT:
        raise ValueError(
            f"{NAME} has format {kept.get('format')!r}; this version reads {FORMAT}. Delete it to start anew."
        )
    cloud = Cloud(kept["seed"])
    cloud.generation = kept["generation"] + 1
    cloud.clock_offset = kept["clock_offset"]
    cloud.knobs.set(**kept["knobs"]["everywhere"])
    cloud.knobs.by_tenant.update(kept["knobs"]["by_tenant"])
    cloud.apps = {one["client_id"]: AppRegistration(**one) for one in kept["apps"]}
    for one in kept["tenants"]:
        cloud.place(_restore_tenant(one))
    for client_id, permissions, roles in kept["consented_everywhere"]:
        cloud.remember_consent(client_id, tuple(permissions), tuple(roles))
    for one in kept["effects"]:
        cloud.effects.add(Effect(**one))
    return cloud


def _dump_tenant(tenant: SimTenant) -> dict[str, Any]:
    with tenant.lock:
        return {
            "id": tenant.id,
            "name": tenant.name,
            "domain": tenant.domain,
            "users": [_dump_user(user) for user in tenant.users.values()],
            "sessions": {token: _plain(session) for token, session in tenant.sessions.items() if not session.ended},
            "consents": {client: _plain(consent) for client, consent in tenant.consents.items()},
        }


def _restore_tenant(kept: dict[str, Any]) -> SimTenant:
    tenant = SimTenant(kept["id"], kept["name"], kept["domain"])
    for one in kept["users"]:
        methods = [_timed(SimMethod, method) for method in one.pop("methods")]
        times = ("password_changed_at", "sessions_valid_from", "locked_until")
        user = SimUser(**one | {name: _moment(one[name]) for name in times})
        user.methods = {method.id: method for method in methods}
        tenant.place(user)
    tenant.sessions = {token: _timed(SimSession, one) for token, one in kept["sessions"].items()}
    tenant.consents = {
        client: Consent(**one | {"permissions": tuple(one["permissions"]), "roles": tuple(one["roles"])})
        for client, one in kept["consents"].items()
    }
    return tenant


def _dump_user(user: SimUser) -> dict[str, Any]:
    """Without the states that lagging reads see: after a restart everything is visible."""
    kept = _plain(user)
    del kept["past"]
    return kept | {"methods": [_plain(method) for method in user.methods.values()]}


def _plain(record: Any) -> dict[str, Any]:
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in values.items()}


def _timed(kind: type[Record], kept: dict[str, Any]) -> Record:
    values: dict[str, Any] = {n: _moment(value) if n.endswith("_at") else value for n, value in kept.items()}
    return kind(**values)


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
