"""A file that another product wrote, opened once: as a table or as JSON. Nothing is ever unpacked to a disk."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.importing import reader
from msp.importing.sheet import Table

MAX_FILES = 1000
WANTED = "passwords.csv"
WORKBOOK = "[Content_Types].xml"
KEEPASS_DATABASE = b"\x03\xd9\xa2\x9a"


class Export:
    """Raises BadInput when it is no text, too large, or an archive that is not taken."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(KEEPASS_DATABASE):
            raise BadInput(
                _("This is an encrypted KeePass database. Export it as CSV and import that. Nothing was imported.")
            )
        if len(data) <= reader.MAX_BYTES and data.startswith(reader.ZIP_START):
            data = _passwords_of(data)
        self.text, self.encoding, self.guessed = reader.decode(data)
        self._tables: dict[tuple[str, bool], Table] = {}

    @property
    def is_json(self) -> bool:
        return self.text.lstrip().startswith(("{", "["))

    @cached_property
    def json(self) -> Any:
        """Raises BadInput when it cannot be read, or when one object says one thing twice."""
        try:
            return json.loads(self.text, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            # The cause is left out: it would quote the text around the place.
            raise BadInput(
                _("This looks like JSON and cannot be read as such; export it again. Nothing was imported.")
            ) from None

    def table(self, *, delimiter: str = "", backslash: bool = False) -> Table:
        key = delimiter, backslash
        if key not in self._tables:
            self._tables[key] = reader.read_table(self.text, delimiter=delimiter, backslash=backslash, headed=False)
        return self._tables[key]

    @cached_property
    def header(self) -> list[str]:
        """The first row; whether it names the columns is for a source to say."""
        return reader.first_row(self.text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput(
            _("An entry of this file says one thing twice, so it is not clear which counts. Nothing was imported.")
        )
    return found


def _passwords_of(data: bytes) -> bytes:
    """The table of passwords in an account export of IT Glue. Raises BadInput for every other archive."""
    refused = _(
        "This archive cannot be used. Of archives, only an account export of IT Glue is taken, which has one file "
        "passwords.csv in it, unencrypted and of at most %(size)d MB. Nothing was imported."
    ) % {"size": reader.MAX_BYTES // 1024**2}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = archive.infolist()
            if any(file.filename == WORKBOOK for file in files):
                raise BadInput(_("This is a workbook. Save the sheet as CSV (UTF-8) and import that."))
            wanted = [file for file in files if file.filename.rsplit("/", 1)[-1].lower() == WANTED]
            if len(files) > MAX_FILES or len(wanted) != 1 or wanted[0].file_size > reader.MAX_BYTES:
                raise BadInput(refused)
            # Of the other methods zipfile unpacks a whole block at once, however large that becomes.
            if wanted[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadInput(refused)
            with archive.open(wanted[0]) as opened:
                # The size that the archive claims may be a lie.
                unpacked = opened.read(reader.MAX_BYTES + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error):
        raise BadInput(refused) from None
    if len(unpacked) > reader.MAX_BYTES or unpacked.startswith(reader.ZIP_START):
        raise BadInput(refused)
    return unpacked
