"""Keeper: a table without a header, and JSON.

Columns: folder, title, login, password, address, notes, shared folder, then pairs of name and value; the pair of the
seed is called `TFC:Keeper` (bitwarden/clients `keeper-csv-importer`). JSON: Keeper's documentation of its import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.importing.choices import AskForColumns
from msp.importing.reader import fold
from msp.importing.sheet import Table, Trouble
from msp.importing.sources.export import Export
from msp.importing.sources.items import dicts, numbered, text_of
from msp.importing.sources.record import Found, Record, best_user_name, parts_of, tenant_named_by

FIXED = 7
NEARLY_ALL = 0.9
SEED = "TFC:Keeper"
SEED_IN_JSON = re.compile(r"\$oneTimeCode(:.*)?")
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S*|[^\s:/]+\.[^\s]+|", re.IGNORECASE)
HEADER_WORDS = frozenset({"folder", "title", "login", "username", "password", "url", "notes"})


@dataclass(frozen=True)
class KeeperCsv:
    name: str = "keeper"
    title: str = "Keeper (CSV)"

    def recognises(self, export: Export) -> int:
        """Without a header, by the shape of nearly all rows: seven cells, an address the fifth, and then pairs."""
        if export.is_json:
            return 0
        try:
            rows = [row for _line, row in _table(export).rows]
        except BadInput:
            # Read with commas, another product's table may have far too many columns.
            return 0
        if not rows or HEADER_WORDS & {fold(cell) for cell in rows[0]}:
            return 0
        shaped = [row for row in rows if _fits(row) and ADDRESS.fullmatch(row[4].strip())]
        spoken_for = any("://" in row[4] or SEED in row[FIXED::2] for row in shaped)
        return FIXED if spoken_for and len(shaped) >= NEARLY_ALL * len(rows) else 0

    def read(self, export: Export) -> Found:
        """Raises AskForColumns when no row is of Keeper's shape."""
        table = _table(export) if not export.is_json else Table([], [], ",")
        records = [_of_row(line, row) for line, row in table.rows if _fits(row)]
        if not records:
            raise AskForColumns(_("No row of this file is of the shape of Keeper (CSV). Say which column is which."))
        short = [_misshapen(line, row) for line, row in table.rows if not _fits(row)]
        return Found(records, [*table.broken, *short])


def _table(export: Export) -> Table:
    """Keeper writes commas. Its first row is data, which may hold anything, so it decides nothing."""
    return export.table(delimiter=",")


def _fits(row: list[str]) -> bool:
    return len(row) >= FIXED and len(row) % 2 == 1


def _misshapen(line: int, row: list[str]) -> Trouble:
    told = _("This row has %(found)d cells where Keeper writes seven, and then pairs.") % {"found": len(row)}
    return Trouble(line, "", told)


def _of_row(line: int, row: list[str]) -> Record:
    folder, title, login, password, address, _notes, shared = row[:FIXED]
    pairs = list(zip(row[FIXED::2], row[FIXED + 1 :: 2], strict=True))
    return Record(
        line,
        title=title.strip(),
        user_name=best_user_name(login),
        password=password,
        seed=next((value for name, value in pairs if name == SEED), ""),
        urls=(address,) if address else (),
        places=(*parts_of(folder), *parts_of(shared)),
        tenant=tenant_named_by(pairs),
    )


@dataclass(frozen=True)
class KeeperJson:
    name: str = "keeper-json"
    title: str = "Keeper (JSON)"

    def recognises(self, export: Export) -> int:
        return int(export.is_json and isinstance(export.json, dict) and isinstance(export.json.get("records"), list))

    def read(self, export: Export) -> Found:
        if not self.recognises(export):
            raise BadInput(_("This is no JSON export of Keeper. Nothing was imported."))
        return numbered(export.json, "records", _of_item)


def _of_item(at: int, item: dict[str, Any]) -> Record:
    fields = item.get("custom_fields")
    fields = fields if isinstance(fields, dict) else {}
    pairs = [(name, value) for name, value in fields.items() if isinstance(value, str)]
    address = text_of(item, "login_url")
    return Record(
        at,
        title=text_of(item, "title").strip(),
        user_name=best_user_name(text_of(item, "login")),
        password=text_of(item, "password"),
        seed=next((value for name, value in pairs if SEED_IN_JSON.fullmatch(name)), ""),
        urls=(address,) if address else (),
        places=tuple(_places(item)),
        tenant=tenant_named_by(pairs),
        source_id=str(item.get("uid") or ""),
    )


def _places(item: dict[str, Any]) -> Iterator[str]:
    for folder in dicts(item, "folders"):
        yield from parts_of(text_of(folder, "shared_folder"))
        yield from parts_of(text_of(folder, "folder"))


KEEPER_CSV, KEEPER_JSON = KeeperCsv(), KeeperJson()
