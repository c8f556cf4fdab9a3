"""Records (dataclasses) as JSON values and back, by their fields: a new field of a record needs no change here."""

from __future__ import annotations

import datetime as dt
import functools
import types
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

LEFT_OUT = frozenset({"lock", "past", "ids_by_name"})
"""Fields that are no state of their own: a lock, what lagging readings still see, an index."""

_MOMENT = "$at"

Record = TypeVar("Record")


def plain(value: Any) -> Any:
    """JSON values of a record, or of anything made of records, times, lists and mappings with text keys."""
    if isinstance(value, dt.datetime):
        return {_MOMENT: value.isoformat()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


def whole(kind: type[Record], kept: dict[str, Any]) -> Record:
    """The record that `plain` was given; a field that is missing has its usual value. Raises ValueError."""
    known: type = kind
    hints, names = _hints(known), _names(known)
    unknown = sorted(kept.keys() - set(names))
    if unknown:
        raise ValueError(f"A kept {kind.__name__} has {', '.join(unknown)}, which this version does not know.")
    try:
        return kind(**{name: _valued(hints[name], value) for name, value in kept.items()})
    except TypeError:
        missing = ", ".join(sorted(set(names) - kept.keys()))
        raise ValueError(f"A kept {kind.__name__} is not complete; not there: {missing}.") from None


def valued(kept: Any) -> Any:
    """What `plain` was given, when that had no records in it; lists come back for tuples and sets."""
    return _valued(Any, kept)


def moment(text: str | None) -> dict[str, str] | None:
    """A time as `plain` writes it, from its text in ISO 8601."""
    return {_MOMENT: text} if text else None


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.init and one.name not in LEFT_OUT)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _valued(hint: Any, kept: Any) -> Any:
    if isinstance(kept, dict) and kept.keys() == {_MOMENT}:
        return dt.datetime.fromisoformat(kept[_MOMENT])
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if kept is None else _valued(next(one for one in inner if one is not types.NoneType), kept)
    if isinstance(hint, type) and is_dataclass(hint):
        return whole(hint, kept)
    if isinstance(kept, dict):
        of_values = inner[1] if origin is dict else Any
        return {key: _valued(of_values, one) for key, one in kept.items()}
    if isinstance(kept, list):
        return _gathered(origin, inner, kept)
    return kept


def _gathered(origin: Any, inner: tuple[Any, ...], kept: list[Any]) -> Any:
    """A list, tuple or set of values, as its type says."""
    if origin is tuple and Ellipsis not in inner:
        return tuple(_valued(hint, one) for hint, one in zip(inner, kept, strict=True))
    values = [_valued(inner[0] if inner else Any, one) for one in kept]
    return origin(values) if origin in (tuple, set, frozenset) else values
