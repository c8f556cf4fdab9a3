"""The control API, `POST /_control/{verb}` with a JSON object: what happens at Microsoft past Latchkey.

Guarded by the bearer token of `control.token`. Every verb answers a JSON object; `VERBS` lists them. A wrong request
is 400 with one sentence.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from . import seeding, totp
from .answers import Answer, Request
from .cloud import Cloud, NoRoom, NotThere
from .state import SimMethod, SimUser, stamp

Verb = Callable[[Cloud, dict[str, Any]], dict[str, Any]]


def answer(cloud: Cloud, request: Request, parts: tuple[str, ...], token: str) -> Answer:
    """Do one verb."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not hmac.compare_digest(given.encode(), token.encode()):
        return Answer(401, {"error": "The control token is missing or wrong."})
    verb = VERBS.get("/".join(parts))
    if verb is None or request.method != "POST":
        return Answer(404, {"error": f"There is no such verb; there are: {', '.join(VERBS)}. All are sent with POST."})
    try:
        asked = request.json() or {}
        if not isinstance(asked, dict):
            raise ValueError("The body must be a JSON object.")
        return Answer(200, verb(cloud, asked))
    except KeyError as missing:
        return Answer(400, {"error": f"{missing} is missing or unknown."})
    except (ValueError, TypeError, NoRoom, NotThere) as wrong:
        return Answer(400, {"error": str(wrong)})


def _build(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return seeding.build(cloud, **asked)


def _reset(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.reset(seed=asked.get("seed"))
    return {}


def _add_tenant(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    tenant = cloud.add_tenant(**asked)
    return {"id": tenant.id, "name": tenant.name, "domain": tenant.domain}


def _add_user(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    user = cloud.add_user(asked.pop("tenant"), asked.pop("upn"), **asked)
    return {"id": user.id, "upn": user.upn, "password": user.password}


def _register(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return _method(cloud.register(asked.pop("tenant"), asked.pop("upn"), asked.pop("kind"), **asked))


def _remove(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.remove_method_as_person(asked["tenant"], asked["upn"], asked["method_id"])
    return {}


def _password(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.change_password_as_person(asked["tenant"], asked["upn"], asked["password"])
    return {}


def _enabled(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.set_enabled(asked["tenant"], asked["upn"], bool(asked["enabled"]))
    return {}


def _code(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """The code of a method, or of a seed whose method is gone; `ahead` steps in the future."""
    ahead = int(asked.get("ahead", 0))
    if "seed" in asked:
        return {"code": totp.code(asked["seed"], cloud.now().timestamp() + 30 * ahead)}
    return {"code": cloud.code(asked["tenant"], asked["upn"], asked["method_id"], ahead=ahead)}


def _register_app(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return {"client_id": cloud.register_app(**asked)}


def _consent(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.consent(asked.pop("client_id"), asked.pop("tenant", ""), **asked)
    return {}


def _withdraw(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.withdraw_consent(asked["client_id"], asked["tenant"])
    return {}


def _knobs(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Turn knobs (all names of Knobs), for `tenant` or everywhere; answers what counts now."""
    key = asked.pop("tenant", "")
    tenant = cloud.tenant(key).id if key else None
    cloud.knobs.set(tenant, **asked)
    cloud.changed()
    return asdict(cloud.knobs.of(tenant))


def _faults(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """`plan`: rules to add; `clear`: forget the former first. Answers every rule with its counts."""
    if asked.get("clear"):
        cloud.faults.clear()
    cloud.faults.plan(*asked.get("plan", []))
    shown = ("kind", "method", "path", "tenant", "skip", "times", "delay", "seen", "struck")
    return {"rules": [{name: getattr(rule, name) for name in shown} for rule in cloud.faults.rules()]}


def _clock(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.advance(float(asked.get("advance", 0)))
    return {"now": cloud.now().isoformat()}


def _expire_tokens(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.expire_tokens(cloud.tenant(asked["tenant"]).id if asked.get("tenant") else "")
    return {}


def _state(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Every tenant and user (of one `tenant` when named), without passwords and seeds."""
    tenants = [cloud.tenant(asked["tenant"])] if asked.get("tenant") else list(cloud.tenants.values())
    shown = []
    for tenant in tenants:
        with tenant.lock:
            users = [_user(user) for user in tenant.users.values()]
            shown.append({"id": tenant.id, "name": tenant.name, "domain": tenant.domain, "users": users})
    return {"now": cloud.now().isoformat(), "tenants": shown}


def _log(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    entries = cloud.log.as_dicts()
    if asked.get("clear"):
        cloud.log.clear()
    return {"entries": entries}


def _effects(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return {"effects": cloud.effects.as_dicts()}


def _user(user: SimUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "upn": user.upn,
        "enabled": user.enabled,
        "default": user.default,
        "password_changed_at": stamp(user.password_changed_at),
        "sessions_valid_from": stamp(user.sessions_valid_from),
        "methods": [{"method_id": m.id, "kind": m.kind, "label": m.label} for m in user.methods.values()],
    }


def _method(method: SimMethod) -> dict[str, Any]:
    return {"method_id": method.id, "kind": method.kind, "label": method.label, "seed": method.seed}


VERBS: dict[str, Verb] = {
    "build": _build,
    "reset": _reset,
    "tenants": _add_tenant,
    "users": _add_user,
    "methods": _register,
    "methods/remove": _remove,
    "password": _password,
    "enabled": _enabled,
    "code": _code,
    "apps": _register_app,
    "consents": _consent,
    "consents/withdraw": _withdraw,
    "knobs": _knobs,
    "faults": _faults,
    "clock": _clock,
    "tokens/expire": _expire_tokens,
    "state": _state,
    "log": _log,
    "effects": _effects,
}
