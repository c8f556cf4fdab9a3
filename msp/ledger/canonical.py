"""Facts as bytes: one value has exactly one canonical JSON (RFC 8785), whoever writes it, on whatever machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import rfc8785

from msp.errors import BadInput


def canonical(value: object) -> bytes:
    """The RFC 8785 bytes of `value`; raises BadInput, naming the spot and never the value, for what cannot be written.

    Text, booleans, None, whole numbers within 2^53, lists and dictionaries go in as they are; a time becomes RFC 3339
    text in UTC, a UUID its text. Fractions are refused: no two programs need agree on how to print them.
    """
    try:
        return rfc8785.dumps(plain(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise BadInput("A fact holds a number beyond 2^53 or text that is not Unicode; nothing was written.") from None


def plain(value: object, spot: str = "facts") -> Any:
    """The same value in nothing but JSON's own types."""
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case str():
            return str.__str__(value)
        case UUID():
            return str(value)
        case dt.datetime() if value.utcoffset() is not None:
            return rfc3339(value)
        case list() | tuple():
            return [plain(item, f"{spot}[{place}]") for place, item in enumerate(value)]
        case Mapping():
            return {_name(key, spot): plain(item, f"{spot}.{key}") for key, item in value.items()}
    raise BadInput(f"{spot} is {type(value).__name__}, which has no canonical form; nothing was written.")


def rfc3339(moment: dt.datetime) -> str:
    """A moment as RFC 3339 text in UTC, always with six digits after the second."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _name(key: object, spot: str) -> str:
    if not isinstance(key, str):
        raise BadInput(f"{spot} has a name that is {type(key).__name__} instead of text; nothing was written.")
    return str.__str__(key)
