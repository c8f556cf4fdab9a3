"""Latchkey's own export of passwords, once it is decrypted (docs/exporting.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.importing.sources.export import Export
from msp.importing.sources.items import numbered, text_of
from msp.importing.sources.record import Found, PassedOver, Record
from technicians.actions.export_passwords import FORMAT, VERSION

UNVERIFIED = "unverified"
"""The status of a version that was sent to the directory, and not proven to be in force."""


@dataclass(frozen=True)
class Latchkey:
    name: str = "latchkey-json"
    title: str = "Latchkey"

    def recognises(self, export: Export) -> int:
        return 10 * int(export.is_json and isinstance(export.json, dict) and export.json.get("format") == FORMAT)

    def read(self, export: Export) -> Found:
        """Raises BadInput."""
        if not self.recognises(export):
            raise BadInput(_("This is no export of Latchkey. Nothing was imported."))
        if export.json.get("version") != VERSION:
            raise BadInput(_("Another version of Latchkey wrote this file; this one cannot read it."))
        return numbered(export.json, "accounts", _of_item)


def _of_item(at: int, item: dict[str, Any]) -> Record:
    user_name, customer = text_of(item, "user_principal_name"), text_of(item, "customer")
    return Record(
        at,
        title=customer,
        user_name=user_name,
        password=text_of(item, "password"),
        places=(customer,) if customer else (),
        tenant=text_of(item, "tenant"),
        source_id=text_of(item, "object_id"),
        passed_over=PassedOver.UNPROVEN if text_of(item, "status") == UNVERIFIED else None,
    )


LATCHKEY = Latchkey()
