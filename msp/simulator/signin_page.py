"""Microsoft's sign-in page as a person meets it, for whoever asks the only question that matters: who gets in?

`POST /{tenant}/sign-in` {username, password, code?, push?} and `POST /{tenant}/session` {session}. No token, no
latency, no faults: it is the measuring instrument, not the thing measured.
"""

from __future__ import annotations

from typing import Any

from .answers import Answer, Request
from .cloud import Cloud


def is_for(request: Request, parts: tuple[str, ...]) -> bool:
    return request.method == "POST" and len(parts) == 2 and parts[1] in ("sign-in", "session")


def answer(cloud: Cloud, request: Request, parts: tuple[str, ...]) -> Answer:
    tenant = cloud.find_tenant(parts[0])
    if tenant is None:
        return Answer(404, {"result": "no_such_tenant"})
    try:
        asked = request.json()
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        return Answer(400, {"result": "malformed"})
    if parts[1] == "session":
        alive = cloud.session_alive(tenant.id, _text(asked, "session") or "")
        return Answer(200, {"result": "alive"}) if alive else Answer(401, {"result": "ended"})
    username, password = _text(asked, "username"), _text(asked, "password")
    if username is None or password is None:
        return Answer(400, {"result": "malformed"})
    found = cloud.sign_in(tenant.id, username, password, code=_text(asked, "code"), push=_text(asked, "push"))
    if found.let_in:
        return Answer(200, {"result": found.result, "session": found.session})
    return Answer(401, {"result": found.result})


def _text(asked: dict[str, Any], name: str) -> str | None:
    """One text of the request; None when it is missing, no text, or half a character (a lone surrogate)."""
    value = asked.get(name)
    return value if isinstance(value, str) and value == value.encode(errors="ignore").decode() else None
