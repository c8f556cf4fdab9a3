"""The simulated cloud in a process of its own, with two more verbs: build a scene, and tell the whole truth.

`python -m tests.faults.harness.cloud_process STATE_DIR PORT`.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from msp.simulator import control
from msp.simulator.cloud import Cloud
from msp.simulator.server import Simulator
from msp.simulator.state import SimMethod, SimUser


def scene(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """`tenants`: [{name, accounts: [{name, methods: [{kind, label, ...}]}]}]; answers them with their ids and seeds."""
    return {"tenants": [_tenant(cloud, wanted) for wanted in asked["tenants"]]}


def _tenant(cloud: Cloud, wanted: dict[str, Any]) -> dict[str, Any]:
    tenant = cloud.add_tenant(wanted["name"])
    accounts = []
    for account in wanted["accounts"]:
        user = cloud.add_user(tenant.id, account["name"])
        methods = [cloud.register(tenant.id, user.upn, **method) for method in account["methods"]]
        accounts.append(
            {"upn": user.upn, "object_id": user.id, "password": user.password, "methods": [_method(m) for m in methods]}
        )
    return {"id": tenant.id, "name": tenant.name, "domain": tenant.domain, "accounts": accounts}


def _method(method: SimMethod) -> dict[str, str]:
    return {"id": method.id, "kind": method.kind, "label": method.label, "seed": method.seed}


def truth(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Of these `tenants` (ids): every user with password, methods and lockout, and every change that happened."""
    users: dict[str, Any] = {}
    for tenant_id in asked["tenants"]:
        tenant = cloud.tenant(tenant_id)
        with tenant.lock:
            users |= {user.id: _user(user) for user in tenant.users.values()}
    changes = [effect for effect in cloud.effects.as_dicts() if effect["tenant_id"] in asked["tenants"]]
    return {"users": users, "effects": changes}


def _user(user: SimUser) -> dict[str, Any]:
    return {
        "password": user.password,
        "methods": {m.id: m.kind for m in user.methods.values() if m.kind != "password"},
        "wrong_tries": len(user.wrong_passwords),
        "lockouts": user.lockouts,
    }


def asked_of(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Every request in these `tenants`, for the trace of a run that broke a law."""
    return {"entries": [entry for entry in cloud.log.as_dicts() if entry["tenant_id"] in asked["tenants"]]}


def main() -> None:
    control.VERBS |= {"scene": scene, "truth": truth, "asked": asked_of}
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with Simulator(Path(sys.argv[1]), int(sys.argv[2])):
        signal.sigwait(stops)


if __name__ == "__main__":
    main()
