"""Bitwarden and Vaultwarden: CSV of a person or an organisation, and JSON.

Columns and fields: bitwarden/clients, `libs/importer` and `libs/tools/export`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.importing.sources.columns import Cells, TableSource
from msp.importing.sources.export import Export
from msp.importing.sources.items import dicts, list_of, names_by_id, numbered, text_of
from msp.importing.sources.record import Found, PassedOver, Record, parts_of, tenant_named_by

LOGIN, NOTE = 1, 2
BOTH = frozenset({"type", "name", "notes", "fields", "loginuri", "loginusername", "loginpassword", "logintotp"})


def _finish(record: Record, cells: Cells) -> Record:
    lines = [line.partition(":") for line in cells.exact("fields").splitlines()]
    record = replace(record, tenant=tenant_named_by([(name, value) for name, _colon, value in lines]))
    kind = cells.text("type").casefold()
    if kind == "login":
        return record
    return replace(record, passed_over=PassedOver.NOTE if kind == "note" else PassedOver.OTHER_TYPE)


BITWARDEN_CSV = TableSource(
    "bitwarden",
    "Bitwarden (CSV)",
    known_by=(BOTH | {"folder", "favorite"}, BOTH | {"collections"}),
    title_in=("name",),
    user_name_in=("loginusername",),
    password_in=("loginpassword",),
    seed_in=("logintotp",),
    url_in=("loginuri",),
    places_in=("folder", "collections"),
    also_read=("type", "fields"),
    finish=_finish,
)


@dataclass(frozen=True)
class BitwardenJson:
    name: str = "bitwarden-json"
    title: str = "Bitwarden (JSON)"

    def recognises(self, export: Export) -> int:
        return int(export.is_json and isinstance(export.json, dict) and "encrypted" in export.json)

    def read(self, export: Export) -> Found:
        """Raises BadInput when the export is encrypted."""
        whole = export.json if export.is_json else None
        if not isinstance(whole, dict) or "encrypted" not in whole:
            raise BadInput(_("This is no JSON export of Bitwarden. Nothing was imported."))
        if whole["encrypted"]:
            raise BadInput(
                _(
                    "This export is encrypted, and only Bitwarden can open it. Export again in the format .json or "
                    ".csv (not .json (Encrypted)). Nothing was imported."
                )
            )
        places = names_by_id(whole, "folders") | names_by_id(whole, "collections")
        return numbered(whole, "items", lambda at, item: self._record(at, item, places))

    def _record(self, at: int, item: dict[str, Any], places: dict[str, str]) -> Record:
        login = item.get("login")
        login = login if isinstance(login, dict) else {}
        ids = [item.get("folderId"), *list_of(item, "collectionIds")]
        return Record(
            at,
            title=text_of(item, "name").strip(),
            user_name=text_of(login, "username").strip(),
            password=text_of(login, "password"),
            seed=text_of(login, "totp"),
            urls=tuple(text_of(uri, "uri") for uri in dicts(login, "uris")),
            places=tuple(part for place in ids for part in parts_of(places.get(str(place), ""))),
            tenant=tenant_named_by([(text_of(f, "name"), text_of(f, "value")) for f in dicts(item, "fields")]),
            source_id=text_of(item, "id"),
            passed_over=_passed_over(item),
        )


def _passed_over(item: dict[str, Any]) -> PassedOver | None:
    if item.get("deletedDate"):
        return PassedOver.BIN
    if item.get("archivedDate"):
        return PassedOver.ARCHIVED
    if item.get("type") == LOGIN:
        return None
    return PassedOver.NOTE if item.get("type") == NOTE else PassedOver.OTHER_TYPE


BITWARDEN_JSON = BitwardenJson()
