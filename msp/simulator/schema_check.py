"""Checks a JSON value against a JSON Schema, as far as the schemas here go, and says what is wrong in one sentence.

KEYWORDS are the keywords of draft 2020-12 that count; the schemas here use no others. Written out by hand because the
simulator runs without the libraries of the tests, which check the same files with the usual one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "object": (lambda value: isinstance(value, dict), "an object"),
    "array": (lambda value: isinstance(value, list), "a list"),
    "string": (lambda value: isinstance(value, str), "a text"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "integer": (lambda v: not isinstance(v, bool) and (isinstance(v, int) or _is_round(v)), "a whole number"),
    "number": (lambda value: isinstance(value, int | float) and not isinstance(value, bool), "a number"),
}
NOTES = frozenset({"$schema", "$id", "$defs", "title", "description", "default", "examples"})
KEYWORDS = NOTES | {
    "$ref", "type", "enum", "pattern", "minLength", "minimum", "maximum",
    "items", "minItems", "properties", "required", "additionalProperties",
}  # fmt: skip
_LONGEST_SHOWN = 60


class DoesNotFit(ValueError):
    """`path` is the JSON path of what is wrong, `sentence` says what it is."""

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(f"{path}: {sentence}")
        self.path, self.sentence = path, sentence


def check(value: Any, schema: dict[str, Any]) -> None:
    """Raises DoesNotFit for the first thing that is wrong, in the order of the file."""
    _Checker(schema).check(value, schema, "$")


def _is_round(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def shown(value: Any) -> str:
    """A value as it stands in a sentence, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


class _Checker:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root

    def check(self, value: Any, schema: dict[str, Any], path: str) -> None:
        if "$ref" in schema:
            self.check(value, self._root["$defs"][schema["$ref"].removeprefix("#/$defs/")], path)
        if "type" in schema and not TYPES[schema["type"]][0](value):
            raise DoesNotFit(path, f"{shown(value)} is not {TYPES[schema['type']][1]}.")
        if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
            raise DoesNotFit(path, f"{shown(value)} is none of {', '.join(shown(one) for one in schema['enum'])}.")
        if isinstance(value, str):
            self._text(value, schema, path)
        elif isinstance(value, list):
            self._list(value, schema, path)
        elif isinstance(value, dict):
            self._object(value, schema, path)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._number(value, schema, path)

    def _text(self, value: str, schema: dict[str, Any], path: str) -> None:
        if len(value) < schema.get("minLength", 0):
            raise DoesNotFit(path, f"{shown(value)} is too short; it needs {schema['minLength']} character(s).")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            raise DoesNotFit(path, f"{shown(value)} does not fit {schema['pattern']}.")

    def _number(self, value: float, schema: dict[str, Any], path: str) -> None:
        if value < schema.get("minimum", value):
            raise DoesNotFit(path, f"{shown(value)} is less than {schema['minimum']}.")
        if value > schema.get("maximum", value):
            raise DoesNotFit(path, f"{shown(value)} is more than {schema['maximum']}.")

    def _list(self, value: list[Any], schema: dict[str, Any], path: str) -> None:
        if len(value) < schema.get("minItems", 0):
            raise DoesNotFit(path, f"there must be {schema['minItems']} or more, not {len(value)}.")
        for number, one in enumerate(value):
            self.check(one, schema.get("items", {}), f"{path}[{number}]")

    def _object(self, value: dict[str, Any], schema: dict[str, Any], path: str) -> None:
        known = schema.get("properties", {})
        missing = [name for name in schema.get("required", []) if name not in value]
        if missing:
            raise DoesNotFit(path, f"{missing[0]} is missing.")
        for name, one in value.items():
            further = schema.get("additionalProperties", {})
            if name not in known and further is False:
                raise DoesNotFit(path, f"{shown(name)} is not known here; there are {', '.join(sorted(known))}.")
            self.check(one, known.get(name, further), f"{path}.{name}")


def _same(value: Any, other: Any) -> bool:
    """Equal in JSON's sense: true is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)
