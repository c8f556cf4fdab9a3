"""Requests of ours held against Microsoft's published contract. Unlike OpenAPI, a name that it lacks does not fit."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.reference import operations, permissions, plain

Schema = dict[str, Any]

TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "number": int, "array": list, "object": dict}
PARAMETERS = {"top": "$top", "filter": "$filter", "count": "$count", "search": "$search", "skip": "$skip"}
NAMES_IN_A_FILTER = re.compile(r"\b([a-z]\w*)(?=\s+(?:eq|ge|le|gt|lt|ne)\b|,)")


def find(method: str, path: str) -> tuple[Schema, dict[str, Schema], str]:
    """(operation, schemas of its file, plain path) of a request to `/version/path`. Raises LookupError."""
    _, version, rest = path.split("/", 2)
    rest = f"/{rest}".lower()
    for place, (methods, schemas) in operations(version).items():
        if re.fullmatch(re.escape(place).replace(r"\{\}", "[^/]+"), rest) and method.lower() in methods:
            # A path of fixed words goes before one that has a parameter in their place.
            if "{}" in place.rsplit("/", 1)[1] and rest in operations(version):
                continue
            return methods[method.lower()], schemas, place
    raise LookupError(f"{method} {path} is not published.")


def misfits(request: httpx.Request) -> list[str]:
    """What in a request the contract does not know: its path, its options, the names in them, its body."""
    operation, schemas, _ = find(request.method, request.url.path)
    wrong = []
    allowed = {_parameter(one) for one in operation.get("parameters", ())}
    options = {name: values[0] for name, values in parse_qs(urlsplit(str(request.url)).query).items()}
    wrong += [f"option {name}" for name in options if name not in allowed]
    known = _names_of_the_answer(operation, schemas)
    for name in [*options.get("$select", "").split(","), *options.get("$expand", "").split(",")]:
        if name and name not in known:
            wrong.append(f"property {name}")
    condition = re.sub(r"'(?:[^']|'')*'", "''", options.get("$filter", ""))
    condition = re.sub(r"(\w+)/any\(.*?\)", r"\1 eq ''", condition)
    wrong += [f"property {name}" for name in NAMES_IN_A_FILTER.findall(condition) if name not in known]
    if request.content:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        wrong += _strange(json.loads(request.content), schema, schemas, "body")
    elif "requestBody" in operation:
        wrong.append("a body is missing")
    return wrong


def may_be_asked_by(permission: str, method: str, path: str) -> bool:
    """Whether an application with this permission alone may send it, by Microsoft's list."""
    return permission in permissions()[plain(path)][method]["application"]


def _parameter(one: Schema) -> str:
    name = one.get("name") or PARAMETERS.get(one["$ref"].rsplit("/", 1)[1], "")
    return str(name)


def _names_of_the_answer(operation: Schema, schemas: dict[str, Schema]) -> set[str]:
    """The properties of what is read: of one object, or of the elements of a list."""
    answers = operation.get("responses", {})
    answer = answers.get("2XX") or answers.get("200") or {}
    if "$ref" in answer:
        # A list's answer is called as the schema that it holds.
        found = _properties({"$ref": answer["$ref"]}, schemas)
    elif "content" in answer:
        found = _properties(next(iter(answer["content"].values()))["schema"], schemas)
    else:
        return set()
    if "items" in found.get("value", {}):
        found = _properties(found["value"]["items"], schemas)
    return set(found)


def _properties(schema: Schema, schemas: dict[str, Schema]) -> dict[str, Schema]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    found: dict[str, Schema] = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found |= _properties(part, schemas)
    return found


def _strange(value: Any, schema: Schema, schemas: dict[str, Schema], where: str) -> list[str]:
    if isinstance(value, dict):
        known = _properties(schema, schemas)
        return [
            fault
            for name, inner in value.items()
            for fault in (
                _strange(inner, known[name], schemas, f"{where}.{name}") if name in known else [f"{where}.{name}"]
            )
        ]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where} = {value}"]
    return [] if type(value) is TYPES[schema["type"]] else [f"{where} is no {schema['type']}"]
