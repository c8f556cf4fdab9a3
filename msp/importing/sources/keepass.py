"""KeePass and its kin: KeePass 1 and 2, KeePassXC, and passbolt, which writes a table for KeePass.

Columns: KeePass `CsvStream`/`KeePassCsv1x`, KeePassXC `CsvExporter`, passbolt_api `CsvKdbx`. KeePass escapes with a
backslash; the others double the quotes.
"""

from __future__ import annotations

from dataclasses import replace

from msp.importing.sources.columns import Cells, TableSource
from msp.importing.sources.record import PassedOver, Record

BINS = frozenset(
    {"recycle bin", "papierkorb", "corbeille", "papelera de reciclaje", "cestino", "prullenbak", "lixeira", "kosz"}
)
"""KeePassXC names its recycle bin in the language of whoever made the database."""


def _without_bin(record: Record, cells: Cells) -> Record:
    """The bin is the first group, or the first below the root."""
    if BINS & {place.casefold() for place in record.places[:2]}:
        return replace(record, passed_over=PassedOver.BIN)
    return record


KEEPASS = TableSource(
    "keepass",
    "KeePass 1 and 2 (CSV)",
    known_by=(frozenset({"account", "loginname", "password", "website", "comments"}),),
    title_in=("account",),
    user_name_in=("loginname",),
    url_in=("website",),
    backslash=True,
)
GROUPED = frozenset({"group", "title", "username", "password", "url", "notes"})
KEEPASSXC = TableSource(
    "keepassxc",
    "KeePassXC (CSV)",
    known_by=(GROUPED, GROUPED | {"totp", "icon", "lastmodified", "created"}),
    begins_with="group",
    title_in=("title",),
    user_name_in=("username",),
    seed_in=("totp",),
    places_in=("group",),
    finish=_without_bin,
)
PASSBOLT = TableSource(
    "passbolt",
    "passbolt (CSV)",
    known_by=(GROUPED, GROUPED | {"totp"}),
    begins_with="title",
    title_in=("title",),
    user_name_in=("username",),
    seed_in=("totp",),
    places_in=("group",),
    finish=_without_bin,
)
