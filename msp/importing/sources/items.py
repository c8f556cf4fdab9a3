"""Lists of items in JSON, read with care: what is not of the expected shape is an error of its item."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.importing import reader
from msp.importing.sheet import Trouble
from msp.importing.sources.record import Found, Record


class OddItem(ValueError):
    """This item says something in a shape that nobody expects."""


def numbered(whole: dict[str, Any], name: str, make: Callable[[int, dict[str, Any]], Record]) -> Found:
    """Each item of one list as a record; its number, from 1 on, stands in the place of a line. Raises BadInput."""
    items = whole.get(name)
    if not isinstance(items, list):
        raise BadInput(_("This file has no list %(name)s in it. Nothing was imported.") % {"name": name})
    if len(items) > reader.MAX_ROWS:
        raise BadInput(
            _("The file has more than %(rows)d rows; split it. Nothing was imported.") % {"rows": reader.MAX_ROWS}
        )
    records: list[Record] = []
    broken: list[Trouble] = []
    for at, item in enumerate(items, start=1):
        try:
            if not isinstance(item, dict):
                raise OddItem
            records.append(make(at, item))
        except OddItem:
            broken.append(Trouble(at, "", _("This item is not of the expected shape, so it cannot be read.")))
    return Found(records, broken)


def text_of(item: dict[str, Any], name: str) -> str:
    """Exactly as it stands; what is not there is empty. Raises OddItem for what is no text, or a very long one."""
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > reader.MAX_CELL:
        raise OddItem
    return value


def list_of(item: dict[str, Any], name: str) -> list[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else []


def dicts(item: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [entry for entry in list_of(item, name) if isinstance(entry, dict)]


def names_by_id(whole: dict[str, Any], name: str) -> dict[str, str]:
    return {str(entry.get("id")): str(entry.get("name") or "") for entry in dicts(whole, name)}
