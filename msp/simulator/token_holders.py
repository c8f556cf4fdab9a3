"""The hardware OATH tokens of a user: assigned, activated by a code, deactivated, unassigned.

Assumptions: every text and code of a refusal; a token that is assigned and not activated is in the list of
hardwareOathMethods and not among all methods; the policy stands against assigning as against activating.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import inventory, kinds, organisation, rules, shapes
from .answers import Answer, Refusal
from .graph import Call
from .state import SimToken, SimUser, stamp

CONFIGURATION = "HardwareOath"


def answer(call: Call, rest: list[str]) -> Answer | None:
    """None for what the room of all methods answers: a token that is a method already."""
    match call.method, rest:
        case "GET", []:
            return _listed_of_user(call)
        case "POST", []:
            return _assign(call)
        case "POST", ["assignandactivate"]:
            return _assign_and_activate(call, _token_named)
        case "POST", ["assignandactivatebyserialnumber"]:
            return _assign_and_activate(call, _token_of_serial)
        case "POST", [token_id, "activate"]:
            return _activate_own(call, token_id)
        case "POST", [token_id, "deactivate"]:
            return _deactivate(call, token_id)
        case "GET" | "DELETE", [token_id]:
            return _waiting(call, token_id)
    return None


def _context(call: Call) -> str:
    return call.context(f"users('{call.parts[1]}')/authentication/hardwareOathMethods")


def _listed_of_user(call: Call) -> Answer:
    now = call.cloud.now()
    user = call.user(call.parts[1]).as_read_at(now)
    shown = [shapes.method(call.tenant, user, m, now) for m in user.methods.values() if m.kind == inventory.KIND]
    seen = {one["id"] for one in shown}
    shown += [shapes.waiting(t, user) for t in inventory.waiting_for(call.tenant, user) if t.id not in seen]
    return Answer(200, {"@odata.context": _context(call), "value": shown})


def _waiting(call: Call, token_id: str) -> Answer | None:
    """Read or unassign a token that is not activated."""
    user = call.user(call.parts[1])
    found = next((token for token in inventory.waiting_for(call.tenant, user) if token.id == token_id), None)
    if found is None:
        return None
    if call.method == "GET":
        return Answer(200, {"@odata.context": f"{_context(call)}/$entity"} | shapes.waiting(found, user))
    if not call.lies:
        with call.cloud.changing(call.tenant, user):
            inventory.release(found)
    return Answer(204)


def _assign(call: Call) -> Answer:
    user = call.user(call.parts[1])
    token = _token_named(call)
    demand_welcome(call, user)
    _demand_free(call, token)
    if not call.lies:
        with call.cloud.changing(call.tenant, user):
            token.status, token.assigned_to = inventory.ASSIGNED, user.id
    made = shapes.typed(inventory.KIND, token.id) | {"createdDateTime": stamp(call.cloud.now())}
    return Answer(201, {"@odata.context": f"{_context(call)}/$entity"} | made)


def _assign_and_activate(call: Call, named: Callable[[Call], SimToken]) -> Answer:
    user = call.user(call.parts[1])
    token = named(call)
    demand_welcome(call, user)
    _demand_free(call, token)
    return _judge_code(call, user, token)


def _activate_own(call: Call, token_id: str) -> Answer:
    user = call.user(call.parts[1])
    token = _token(call, token_id)
    if token.assigned_to != user.id:
        raise _no_token(call, token_id)
    demand_welcome(call, user)
    if token.status == inventory.ACTIVATED:
        raise refused(call, "The hardware OATH token is already activated.")
    return _judge_code(call, user, token)


def _judge_code(call: Call, user: SimUser, token: SimToken) -> Answer:
    """Activate by a right code. A wrong one leaves the token assigned, and marked as failed."""
    asked = given(call)
    label = asked.get("displayName")
    if label is not None and not isinstance(label, str):
        raise refused(call, "Invalid value specified for property 'displayName'.")
    now = call.cloud.now()
    step = inventory.step_of(token, asked.get("verificationCode"), now)
    if step is None:
        if not call.lies:
            with call.cloud.changing(call.tenant, user):
                token.status, token.assigned_to = inventory.FAILED, user.id
        raise refused(call, "The verification code is invalid, expired or has been used already.")
    if not call.lies:
        inventory.use_up(token, step)
        token.status, token.assigned_to = inventory.ACTIVATED, user.id
        token.display_name = label or token.display_name
        method = inventory.as_method(token, now)
        call.cloud.admit(call.tenant, user, method, by="graph", request_id=call.ids.request_id)
    return Answer(204)


def _deactivate(call: Call, token_id: str) -> Answer:
    """Assumption: the rule of the default method does not stand against it; another kind becomes the default."""
    user = call.user(call.parts[1])
    token = _token(call, token_id)
    if token.assigned_to != user.id:
        raise _no_token(call, token_id)
    method = user.methods.get(token.id)
    if method is None:
        raise refused(call, "The hardware OATH token is not activated.")
    if not call.lies:
        call.cloud.drop_method(call.tenant, user, method, by="graph", request_id=call.ids.request_id)
        token.status, token.assigned_to = inventory.ASSIGNED, user.id
    return Answer(204)


# What is asked of every assignment


def demand_welcome(call: Call, user: SimUser) -> None:
    """400 for a user who may not have a token, or not one more.

    Assumption: five authenticators in use stand against an assignment as against an activation.
    """
    if rules.is_guest(user):
        raise refused(call, "Hardware OATH tokens are not supported for guest users.")
    if not organisation.policy_allows(call.tenant, CONFIGURATION):
        raise refused(call, kinds.refused_by_policy(CONFIGURATION))
    if not inventory.has_room(user):
        raise refused(call, "The user has reached the maximum number of authenticator apps and OATH tokens.")


def _demand_free(call: Call, token: SimToken) -> None:
    """Assumption: an assigned token is not assigned again, not even to the same user."""
    if token.assigned_to:
        raise refused(call, "The hardware OATH token is already assigned to a user.")


def given(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict) or not call.body:
        raise refused(call, "A non-empty request body is required.")
    return call.body


def id_in(call: Call, asked: Any, name: str) -> str:
    found = asked.get("id") if isinstance(asked, dict) else None
    if not isinstance(found, str) or not found:
        raise refused(call, f"The property '{name}' must have an id.")
    return found


def _token(call: Call, token_id: str) -> SimToken:
    found = call.tenant.tokens.get(token_id.lower())
    if found is None:
        raise _no_token(call, token_id)
    return found


def _token_named(call: Call) -> SimToken:
    return _token(call, id_in(call, given(call).get("device"), "device"))


def _token_of_serial(call: Call) -> SimToken:
    """Assumption: with two tokens of one serial, which a person can make, the free one is meant."""
    serial = given(call).get("serialNumber")
    if not isinstance(serial, str) or not serial:
        raise refused(call, "The property 'serialNumber' is required.")
    found = inventory.with_serial(call.tenant, serial)
    if not found:
        raise _no_token(call, serial)
    return min(found, key=lambda token: bool(token.assigned_to))


def _no_token(call: Call, key: str) -> Refusal:
    return call.methods_error(404, "resourceNotFound", f"The hardware OATH token [{key}] was not found.")


def refused(call: Call, sentence: str) -> Refusal:
    """400 in the dialect of the service that is asked."""
    if call.asks_methods_service:
        return call.methods_error(400, "badRequest", sentence)
    return call.error(400, "Request_BadRequest", sentence)
