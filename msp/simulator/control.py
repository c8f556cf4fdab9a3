"""The control API, `POST /_control/{verb}` with a JSON object: what happens at Microsoft past Latchkey.

Guarded by the bearer token of `control.token`. Every verb answers a JSON object; `VERBS` lists them. A wrong request
is 400 with one sentence. The time line of a scenario uses the same verbs, those of CHANGES.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from . import administration, delegation, seeding, totp
from .answers import Answer, Request
from .applications import NotThere
from .cloud import Cloud, NoRoom
from .state import SimMethod, SimTenant, SimUser, stamp
from .timeline import Planned

SHOWN_OF_A_TENANT = ("id", "name", "domain", "cloud", "condition", "plans", "federated")
SHOWN_OF_A_USER = (
    "upn", "display_name", "enabled", "synced", "user_type", "roles", "default", "system_preferred", "mfa_state",
)  # fmt: skip

Verb = Callable[[Cloud, dict[str, Any]], dict[str, Any]]


class Wrong(Exception):
    """A verb that cannot be done as it was asked for; the sentence says why. Nothing was changed."""


def answer(cloud: Cloud, request: Request, parts: tuple[str, ...], token: str) -> Answer:
    """Do one verb."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not hmac.compare_digest(given.encode(), token.encode()):
        return Answer(401, {"error": "The control token is missing or wrong."})
    verb = "/".join(parts)
    if verb not in VERBS or request.method != "POST":
        return Answer(404, {"error": f"There is no such verb; there are: {', '.join(VERBS)}. All are sent with POST."})
    try:
        asked = request.json() or {}
    except ValueError as wrong:
        return Answer(400, {"error": f"The body is no JSON: {wrong}."})
    try:
        return Answer(200, do(cloud, verb, asked))
    except Wrong as wrong:
        return Answer(400, {"error": str(wrong)})


def do(cloud: Cloud, verb: str, asked: Any) -> dict[str, Any]:
    """Do one verb of VERBS. Raises Wrong."""
    if not isinstance(asked, dict):
        raise Wrong("What a verb is given must be a JSON object.")
    try:
        return VERBS[verb](cloud, dict(asked))
    except KeyError as missing:
        raise Wrong(f"{missing} is missing or unknown.") from None
    except (ValueError, TypeError, AttributeError, NoRoom, NotThere) as wrong:
        raise Wrong(str(wrong)) from None


def attend(cloud: Cloud) -> None:
    """Let the time line of this cloud happen, by the verbs of CHANGES."""

    def perform(event: Planned) -> None:
        if event.verb not in CHANGES:
            raise Wrong(f"{event.verb} is not for a time line; there are {', '.join(CHANGES)}.")
        do(cloud, event.verb, event.given)

    cloud.timeline.perform = perform


def _build(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return seeding.build(cloud, **asked)


def _reset(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.reset(seed=asked.get("seed"))
    attend(cloud)
    return {}


def _add_tenant(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    tenant = cloud.add_tenant(**asked)
    return {"id": tenant.id, "name": tenant.name, "domain": tenant.domain}


def _set_tenant(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Change settings of one `tenant`: see `administration.set_tenant`; answers what counts now."""
    return _tenant(administration.set_tenant(cloud, asked.pop("tenant"), asked))


def _add_user(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    if "roles" in asked:
        asked["roles"] = administration.role_ids(asked["roles"])
    user = cloud.add_user(asked.pop("tenant"), asked.pop("upn"), **asked)
    return {"id": user.id, "upn": user.upn, "password": user.password}


def _set_user(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Change settings of the user `upn` of a `tenant`: see `administration.set_user`; `new_upn` renames."""
    if "new_upn" in asked:
        asked["upn"], former = asked.pop("new_upn"), asked["upn"]
    else:
        former = asked.pop("upn")
    return _user(administration.set_user(cloud, asked.pop("tenant"), former, asked))


def _remove_user(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    administration.remove_user(cloud, asked["tenant"], asked["upn"])
    return {}


def _register(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return _method(cloud.register(asked.pop("tenant"), asked.pop("upn"), asked.pop("kind"), **asked))


def _remove(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """By `method_id`, or by `label` when one method of the user has it."""
    method_id = asked.get("method_id") or _labelled(cloud, asked["tenant"], asked["upn"], asked["label"])
    cloud.remove_method_as_person(asked["tenant"], asked["upn"], method_id)
    return {}


def _labelled(cloud: Cloud, tenant: str, upn: str, label: str) -> str:
    found = [method.id for method in cloud.methods(tenant, upn) if method.label == label]
    if len(found) != 1:
        raise ValueError(f"{upn} has {len(found)} methods with the label {label!r}; one is needed.")
    return found[0]


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
    if "roles" in asked:
        asked["roles"] = administration.role_ids(asked["roles"])
    cloud.consent(asked.pop("client_id"), asked.pop("tenant", ""), **asked)
    return {}


def _withdraw(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.withdraw_consent(asked["client_id"], asked["tenant"])
    return {}


def _enable_consent(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Let the service principal of `client_id` sign in or not (`enabled`), in one `tenant` or in all."""
    enabled = bool(asked["enabled"])
    return {"tenants": administration.enable_app(cloud, asked["client_id"], asked.get("tenant", ""), enabled)}


def _add_group(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return {"id": administration.add_group(cloud, asked["tenant"], asked.get("members", []))}


def _add_relationship(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """A delegated admin relationship from `partner` to `customer`: see `administration.add_relationship`."""
    made = administration.add_relationship(cloud, asked.pop("partner"), asked.pop("customer"), **asked)
    return {"id": made.id, "group": made.grants[0]["group_id"], "status": made.status}


def _knobs(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Turn knobs (all names of Knobs), for `tenant` or everywhere; answers what counts now."""
    key = asked.pop("tenant", "")
    tenant = cloud.tenant(key).id if key else None
    cloud.knobs.set(tenant, **asked)
    cloud.changed()
    return asdict(cloud.knobs.of(tenant))


def _logs(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """How audit and sign-in events arrive: see `administration.set_logs`; answers what counts now."""
    administration.set_logs(cloud, asked.get("delay"), asked.get("noise"))
    return {"delay": list(cloud.log_delay), "noise": cloud.log_noise}


def _login_trouble(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Let the token endpoint of one `tenant` refuse everybody with an AADSTS `code`; 0 ends it."""
    tenant, code = cloud.tenant(asked["tenant"]), int(asked["code"])
    if code:
        cloud.login_trouble[tenant.id] = code
    else:
        cloud.login_trouble.pop(tenant.id, None)
    cloud.changed()
    return {"trouble": dict(cloud.login_trouble)}


def _faults(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """`plan`: rules to add; `clear`: forget the former first. Answers every rule with its counts."""
    if asked.get("clear"):
        cloud.faults.clear()
    cloud.faults.plan(*asked.get("plan", []))
    cloud.changed()
    return {"rules": [rule.as_dict() for rule in cloud.faults.rules()]}


def _clock(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.advance(float(asked.get("advance", 0)))
    cloud.changed()
    return {"now": cloud.now().isoformat()}


def _expire_tokens(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    cloud.expire_tokens(cloud.tenant(asked["tenant"]).id if asked.get("tenant") else "")
    return {}


def _state(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Every tenant and user (of one `tenant` when named), without passwords and seeds, and the time line."""
    tenants = [cloud.tenant(asked["tenant"])] if asked.get("tenant") else list(cloud.tenants.values())
    events = [
        {"at": event.at.isoformat(), "do": event.verb, "outcome": event.outcome} for event in cloud.timeline.events()
    ]
    return {"now": cloud.now().isoformat(), "tenants": [_whole(tenant) for tenant in tenants], "time_line": events}


def _log(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    entries = cloud.log.as_dicts()
    if asked.get("clear"):
        cloud.log.clear()
    return {"entries": entries}


def _effects(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    return {"effects": cloud.effects.as_dicts()}


def _whole(tenant: SimTenant) -> dict[str, Any]:
    with tenant.lock:
        return _tenant(tenant) | {"users": [_user(user) for user in tenant.users.values()]}


def _tenant(tenant: SimTenant) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(tenant, name) for name in SHOWN_OF_A_TENANT}
    return shown | {"policies": asdict(tenant.policies)}


def _user(user: SimUser) -> dict[str, Any]:
    return {
        "id": user.id,
        **{name: getattr(user, name) for name in SHOWN_OF_A_USER},
        "password_changed_at": stamp(user.password_changed_at),
        "sessions_valid_from": stamp(user.sessions_valid_from),
        "methods": [{"method_id": m.id, "kind": m.kind, "label": m.label} for m in user.methods.values()],
    }


def _method(method: SimMethod) -> dict[str, Any]:
    return {"method_id": method.id, "kind": method.kind, "label": method.label, "seed": method.seed}


def _consent_delegated(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """Delegated `scopes` of an application in one `tenant`, as Partner Center's application consents give them."""
    delegation.consent_delegated(cloud, asked["client_id"], asked["tenant"], asked["scopes"])
    return {}


def _partner_sign_in(cloud: Cloud, asked: dict[str, Any]) -> dict[str, Any]:
    """What the browser sign-in of a partner's user with a second factor leaves with an application."""
    return {"refresh_token": delegation.partner_refresh_token(cloud, asked["tenant"], asked["upn"], asked["client_id"])}


VERBS: dict[str, Verb] = {
    "build": _build,
    "reset": _reset,
    "tenants": _add_tenant,
    "tenant": _set_tenant,
    "users": _add_user,
    "user": _set_user,
    "users/remove": _remove_user,
    "methods": _register,
    "methods/remove": _remove,
    "password": _password,
    "enabled": _enabled,
    "code": _code,
    "apps": _register_app,
    "consents": _consent,
    "consents/withdraw": _withdraw,
    "consents/enabled": _enable_consent,
    "consents/delegated": _consent_delegated,
    "partner/sign-in": _partner_sign_in,
    "groups": _add_group,
    "relationships": _add_relationship,
    "knobs": _knobs,
    "logs": _logs,
    "login/trouble": _login_trouble,
    "faults": _faults,
    "clock": _clock,
    "tokens/expire": _expire_tokens,
    "state": _state,
    "log": _log,
    "effects": _effects,
}

READS = frozenset({"code", "state", "log", "effects"})
CHANGES = tuple(verb for verb in VERBS if verb not in READS | {"clock", "reset", "partner/sign-in"})
"""Verbs for a time line: those that change something, and leave time and the time line itself alone."""
