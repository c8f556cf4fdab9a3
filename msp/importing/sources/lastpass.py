"""LastPass, CSV. Columns: LastPass exports and the importers of bitwarden/clients and passbolt."""

from __future__ import annotations

from dataclasses import replace

from msp.importing.sources.columns import Cells, TableSource
from msp.importing.sources.record import PassedOver, Record

NOTE_ADDRESS = "http://sn"


def _finish(record: Record, cells: Cells) -> Record:
    return replace(record, passed_over=PassedOver.NOTE) if cells.text("url") == NOTE_ADDRESS else record


COLUMNS = frozenset({"url", "username", "password", "extra", "name", "grouping", "fav"})
LASTPASS = TableSource(
    "lastpass",
    "LastPass (CSV)",
    known_by=(COLUMNS, COLUMNS | {"totp"}),
    title_in=("name",),
    user_name_in=("username",),
    seed_in=("totp",),
    places_in=("grouping",),
    finish=_finish,
)
