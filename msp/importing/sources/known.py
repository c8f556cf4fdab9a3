"""Every product whose exports are known here, and which of them wrote a file."""

from __future__ import annotations

from typing import Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.errors import BadInput
from msp.importing.choices import MAPPED, AskForColumns, Choices
from msp.importing.sources.bitwarden import BITWARDEN_CSV, BITWARDEN_JSON
from msp.importing.sources.documentation import HUDU, IT_GLUE, IT_PORTAL, ITBOOST, PASSPORTAL
from msp.importing.sources.export import Export
from msp.importing.sources.keepass import KEEPASS, KEEPASSXC, PASSBOLT
from msp.importing.sources.keeper import KEEPER_CSV, KEEPER_JSON
from msp.importing.sources.lastpass import LASTPASS
from msp.importing.sources.latchkey import LATCHKEY
from msp.importing.sources.mapped import read_mapped, shown
from msp.importing.sources.onepassword import ONEPASSWORD
from msp.importing.sources.personal import DASHLANE, PROTON_PASS
from msp.importing.sources.record import Found

OTHER = gettext_lazy("Another table: I say which column is which")
CHOSEN = gettext_lazy("a table whose columns were chosen")


class Source(Protocol):
    """A product's way of writing passwords down."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def recognises(self, export: Export) -> int:
        """How much speaks for this product; 0 when the file is another's."""
        ...

    def read(self, export: Export) -> Found:
        """Raises BadInput, or AskForColumns when a person can help."""
        ...


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        BITWARDEN_CSV, BITWARDEN_JSON, ONEPASSWORD, KEEPASS, KEEPASSXC, KEEPER_CSV, KEEPER_JSON, LASTPASS, DASHLANE,
        PROTON_PASS, PASSBOLT, IT_GLUE, HUDU, IT_PORTAL, PASSPORTAL, ITBOOST, LATCHKEY,
    )
}  # fmt: skip


def read_export(export: Export, choices: Choices) -> tuple[str, Found]:
    """The title of what wrote it, and what is in it. Raises BadInput, AskForColumns."""
    if choices.source == MAPPED:
        return str(CHOSEN), read_mapped(export, choices)
    if choices.source and choices.source not in SOURCES:
        raise BadInput(
            _("%(source)s is no product that is known here; known are: %(sources)s.")
            % {"source": choices.source, "sources": ", ".join([*SOURCES, MAPPED])}
        )
    source = SOURCES[choices.source] if choices.source else recognised(export)
    return source.title, source.read(export)


def recognised(export: Export) -> Source:
    """The product for which most speaks. Raises BadInput, or AskForColumns for a table of nobody we know."""
    rated = [(source.recognises(export), source) for source in SOURCES.values()]
    best, source = max(rated, key=lambda rating: rating[0])
    if best:
        return source
    if export.is_json:
        raise BadInput(_("This JSON file is none of Bitwarden, Keeper or Latchkey. Nothing was imported."))
    doubles = shown(export).doubles
    if doubles:
        raise AskForColumns(
            _("The header names these columns twice: %(names)s. Say which one counts. Nothing was imported.")
            % {"names": ", ".join(dict.fromkeys(doubles))}
        )
    raise AskForColumns(
        _("No product that is known here writes such a file. Say which column is which. Nothing was imported.")
    )
