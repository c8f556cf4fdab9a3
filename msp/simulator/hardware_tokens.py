"""Hardware OATH tokens at Graph, beta only: the tenant's inventory here, a user's tokens in token_holders.py.

Assumptions: every text and code of a refusal; the policy stands against assigning and activating, not against the
inventory; a change of the inventory is seen at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import inventory, rules, shapes, token_holders
from .answers import Answer, Refusal
from .graph import Call
from .pages import page
from .state import SimToken, SimUser

PLACE = "directory/authenticationMethodDevices/hardwareOathDevices"

_FIELDS = {
    "displayName": "display_name",
    "serialNumber": "serial",
    "manufacturer": "manufacturer",
    "model": "model",
    "secretKey": "seed",
    "timeIntervalInSeconds": "interval",
    "hashFunction": "digest",
}
"""Graph's name of what a token is made of -> ours."""

_NEEDED = ("serialNumber", "manufacturer", "model", "secretKey", "timeIntervalInSeconds")
_CONDITION = r"([\w/]+)\s+eq\s+(?:'((?:[^']|'')*)'|(\d+))"
_FILTER = re.compile(rf"\s*{_CONDITION}(?:\s+and\s+{_CONDITION})*\s*", re.IGNORECASE)
_FILTERABLE = (
    "serialNumber",
    "status",
    "manufacturer",
    "model",
    "hashFunction",
    "timeIntervalInSeconds",
    "assignedTo/id",
)
_LONGEST_TEXT = 256


def answer(call: Call) -> Answer | None:
    """None for a call that is not known here."""
    if call.version != "beta":
        return None
    match call.lower:
        case ["directory", "authenticationmethoddevices", "hardwareoathdevices"]:
            return _collection(call)
        case ["directory", "authenticationmethoddevices", "hardwareoathdevices", token_id]:
            return _one(call, token_id)
        case ["users", _, "authentication", "hardwareoathmethods", *rest]:
            return token_holders.answer(call, [part.removeprefix("microsoft.graph.") for part in rest])
    return None


# The inventory


def _collection(call: Call) -> Answer:
    call.only("GET", "POST", "PATCH")
    if call.method == "GET":
        return _listed(call)
    if call.method == "PATCH":
        return _many_created(call)
    made = _created(call, token_holders.given(call))
    return Answer(201, {"@odata.context": call.context(f"{PLACE}/$entity")} | shapes.device(call.tenant, made))


def _listed(call: Call) -> Answer:
    tokens, wanted = call.tenant.tokens, _conditions(call)

    def passes(key: str) -> bool:
        body = shapes.device(call.tenant, tokens[key])
        facts = body | {"assignedTo/id": tokens[key].assigned_to}
        return all(str(facts[name]).lower() == value for name, value in wanted)

    keys, link = page(call, sorted(tokens), passes)
    body: dict[str, Any] = {"@odata.context": call.context(PLACE)} | ({"@odata.nextLink": link} if link else {})
    return Answer(200, body | {"value": [call.chosen(shapes.device(call.tenant, tokens[key])) for key in keys]})


def _conditions(call: Call) -> list[tuple[str, str]]:
    """What $filter asks for: names of properties, each with its value in lower case. Only eq is offered."""
    text = call.query.get("$filter")
    if text is None:
        return []
    names = {name.lower(): name for name in _FILTERABLE}
    found = re.findall(_CONDITION, text, re.IGNORECASE)
    if not _FILTER.fullmatch(text) or any(name.lower() not in names for name, *_ in found):
        raise call.unsupported()
    return [(names[name.lower()], (number or quoted.replace("''", "'")).lower()) for name, quoted, number in found]


def _one(call: Call, token_id: str) -> Answer:
    call.only("GET", "PATCH", "DELETE")
    token = call.tenant.tokens.get(token_id)
    if token is None:
        raise call.absent(token_id)
    if call.method == "GET":
        shown = call.chosen(shapes.device(call.tenant, token))
        return Answer(200, {"@odata.context": call.context(f"{PLACE}/$entity")} | shown)
    if token.assigned_to:
        raise token_holders.refused(call, "The hardware OATH token is assigned to a user. Unassign it first.")
    if call.method == "PATCH":
        return _updated(call, token)
    if not call.lies:
        del call.tenant.tokens[token.id]
        call.cloud.changed()
    return Answer(204)


def _updated(call: Call, token: SimToken) -> Answer:
    asked = token_holders.given(call)
    if "secretKey" in asked:
        raise token_holders.refused(call, "The property 'secretKey' cannot be updated.")
    values = _values(call, asked)
    if "serial" in values and any(other is not token for other in inventory.with_serial(call.tenant, values["serial"])):
        raise _duplicate(call)
    if not call.lies:
        for name, value in values.items():
            setattr(token, name, value)
        call.cloud.changed()
    return Answer(204)


def _many_created(call: Call) -> Answer:
    """The bulk form, a delta of new tokens.

    Assumption: each is judged by itself, and the answer has them in their order, with a device or with an error.
    """
    asked = call.body if isinstance(call.body, dict) else {}
    rows = asked.get("value")
    if asked.get("@context") != "#$delta" or not isinstance(rows, list) or not rows:
        raise token_holders.refused(
            call, "The request body must be a delta payload with at least one hardware OATH token."
        )
    return Answer(
        200, {"@odata.context": call.context(f"{PLACE}/$delta"), "value": [_created_or_not(call, row) for row in rows]}
    )


def _created_or_not(call: Call, row: Any) -> dict[str, Any]:
    asked = dict(row) if isinstance(row, dict) else {}
    content_id = asked.pop("@contentId", None)
    marked = {} if content_id is None else {"@contentId": content_id}
    try:
        return marked | shapes.device(call.tenant, _created(call, asked))
    except Refusal as refusal:
        return marked | {"error": refusal.answer.body["error"]}


def _created(call: Call, asked: Mapping[str, Any]) -> SimToken:
    """A new token in the inventory, assigned at once when a user is named."""
    rest = dict(asked)
    holder = _holder(call, rest.pop("assignTo")) if rest.get("assignTo") is not None else None
    rest.pop("assignTo", None)
    missing = [name for name in _NEEDED if name not in rest]
    if missing:
        raise token_holders.refused(call, f"The property '{missing[0]}' is required.")
    values = _values(call, rest)
    if inventory.with_serial(call.tenant, values["serial"]):
        raise _duplicate(call)
    token = SimToken(id=call.cloud.new_id(), **values)
    if holder:
        token.status, token.assigned_to = inventory.ASSIGNED, holder.id
    if not call.lies:
        call.tenant.tokens[token.id] = token
        call.cloud.changed()
    return token


def _holder(call: Call, asked: Any) -> SimUser:
    """The user that a new token goes to; it takes what assigning takes beside what creating takes."""
    call.need(rules.WRITE_METHODS)
    user = call.user(token_holders.id_in(call, asked, "assignTo"))
    if call.is_delegated and not rules.may_manage_methods(call.roles, user.roles):
        raise call.denied()
    token_holders.demand_welcome(call, user)
    return user


def _values(call: Call, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A token's fields in our names. A refusal never repeats a value: it may be the seed."""
    values: dict[str, Any] = {}
    for name, value in asked.items():
        if name == "@odata.type":
            continue
        if name not in _FIELDS:
            raise token_holders.refused(call, f"The property '{name}' does not exist or cannot be set.")
        if not _fits(name, value):
            raise token_holders.refused(call, f"Invalid value specified for property '{name}'.")
        values[_FIELDS[name]] = inventory.DIGESTS[value] if name == "hashFunction" else value
    if values.get("display_name", "") is None:
        values["display_name"] = ""
    return values


def _fits(name: str, value: Any) -> bool:
    match name:
        case "secretKey":
            return inventory.is_seed(value)
        case "timeIntervalInSeconds":
            return value in inventory.INTERVALS and not isinstance(value, bool | float)
        case "hashFunction":
            return isinstance(value, str) and value in inventory.DIGESTS
        case "displayName" if value is None:
            return True
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT


def _duplicate(call: Call) -> Refusal:
    return token_holders.refused(call, "Another object with the same value for property serialNumber already exists.")
