"""1Password 8, CSV. Columns: bitwarden/clients and KeePassXC importers' samples."""

from __future__ import annotations

from dataclasses import replace

from msp.importing.sources.columns import Cells, TableSource
from msp.importing.sources.record import TRUE, PassedOver, Record, parts_of


def _finish(record: Record, cells: Cells) -> Record:
    record = replace(record, places=parts_of(cells.text("tags"), at=";"))
    if cells.text("archived").casefold() in TRUE:
        return replace(record, passed_over=PassedOver.ARCHIVED)
    return record


ONEPASSWORD = TableSource(
    "1password",
    "1Password (CSV)",
    known_by=(frozenset({"title", "url", "username", "password", "otpauth", "favorite", "archived", "tags", "notes"}),),
    title_in=("title",),
    user_name_in=("username",),
    seed_in=("otpauth",),
    also_read=("archived", "tags"),
    finish=_finish,
)
