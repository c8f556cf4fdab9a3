"""Dashlane and Proton Pass, CSV. Columns: bitwarden/clients `dashlane-csv-importer`, ProtonMail/WebClients."""

from __future__ import annotations

from dataclasses import replace

from msp.importing.sources.columns import Cells, TableSource
from msp.importing.sources.record import PassedOver, Record

DASHLANE = TableSource(
    "dashlane",
    "Dashlane (CSV)",
    known_by=(frozenset({"username", "username2", "username3", "title", "password", "url", "category", "otpsecret"}),),
    title_in=("title",),
    user_name_in=("username", "username2", "username3"),
    seed_in=("otpsecret",),
    places_in=("category",),
)


def _finish(record: Record, cells: Cells) -> Record:
    kind = cells.text("type").casefold()
    if kind == "login":
        return record
    return replace(record, passed_over=PassedOver.NOTE if kind == "note" else PassedOver.OTHER_TYPE)


PROTON_PASS = TableSource(
    "proton-pass",
    "Proton Pass (CSV)",
    known_by=(frozenset({"type", "name", "url", "username", "password", "note", "totp", "createtime", "modifytime"}),),
    title_in=("name",),
    user_name_in=("username", "email"),
    seed_in=("totp",),
    places_in=("vault",),
    also_read=("type",),
    finish=_finish,
)
