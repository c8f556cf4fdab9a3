"""Bytes in, rows with line numbers out. No database; the file is never written anywhere.

The rules come from files that people really have: a byte-order mark in the first header, UTF-16 and `sep=` from Excel,
Windows-1252, semicolons, line ends of three kinds, line breaks inside quotes.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.importing.sheet import Column, Line, Sheet, Table, Trouble

MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 50_000
MAX_COLUMNS = 100
MAX_CELL = 10_000
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?(\r\n|\n|\r|\Z)', re.IGNORECASE)
GUESS = "Windows-1252"
ZIP_START = b"PK\x03\x04"


def read(data: bytes, columns: Sequence[Column]) -> Sheet:
    """Raises BadInput when the file as a whole cannot be used; a row that cannot be read becomes a Trouble."""
    text, encoding, guessed = decode(data)
    table = read_table(text)
    header_at, header = table.rows[0] if table.rows else (1, [])
    places, ignored = _places(header, header_at, columns)
    lines: list[Line] = []
    broken = list(table.broken)
    for at, row in table.rows[1:]:
        trouble = trouble_of_length(at, row, header)
        if trouble:
            broken.append(trouble)
        else:
            lines.append(Line(at, {name: row[place] for name, place in places.items()}))
    return Sheet(lines, broken, ignored, encoding, guessed, table.delimiter)


def read_table(text: str, *, delimiter: str = "", backslash: bool = False, headed: bool = True) -> Table:
    """The rows, the header among them, each with the line it begins on.

    Without a `delimiter` the header row decides. With `backslash` a quote inside quotes has a backslash before it and
    is not doubled. Without `headed` the first row may be data, which no message may quote.
    Raises BadInput when there are too many rows or columns.
    """
    text, line, delimiter = _begun(text, delimiter)
    rows: list[tuple[int, list[str]]] = []
    broken: list[Trouble] = []
    for at, row in _rows(text, delimiter, line, backslash=backslash):
        if len(rows) + len(broken) > MAX_ROWS:
            raise BadInput(
                _("The file has more than %(rows)d rows; split it. Nothing was imported.") % {"rows": MAX_ROWS}
            )
        trouble = _trouble(at, row, rows[0][1] if headed and rows else [])
        if trouble:
            broken.append(trouble)
        elif isinstance(row, list):
            rows.append((at, row))
    return Table(rows, broken, delimiter)


def first_row(text: str) -> list[str]:
    """The first row that can be read: the header, where there is one."""
    text, line, delimiter = _begun(text, "")
    return next((row for _at, row in _rows(text, delimiter, line, backslash=False) if isinstance(row, list)), [])


def _begun(text: str, delimiter: str) -> tuple[str, int, str]:
    """The text after a line that names the separator, the number of its first line, and the separator."""
    named = SEPARATOR_LINE.match(text)
    if not named:
        return text, 1, delimiter or delimiter_of(text)
    if named[1] not in DELIMITERS:
        raise BadInput(_("Line 1 names a separator that is none of: comma, semicolon, tab, bar."))
    return text[named.end() :], 2, named[1]


def decode(data: bytes) -> tuple[str, str, bool]:
    """The text, the name of its encoding, and whether that was a guess. Raises BadInput."""
    if len(data) > MAX_BYTES:
        raise BadInput(
            _("The file is larger than %(size)d MB; split it. Nothing was imported.") % {"size": MAX_BYTES // 1024**2}
        )
    if data.startswith(ZIP_START):
        raise BadInput(_("This is a workbook or an archive. Save the sheet as CSV (UTF-8) and import that."))
    text, encoding = _decoded(data)
    if "\0" in text:
        raise BadInput(_("This is no text file that can be read. Save it as CSV (UTF-8). Nothing was imported."))
    if not text.strip():
        raise BadInput(_("The file is empty. Nothing was imported."))
    return text, encoding, encoding == GUESS


def _decoded(data: bytes) -> tuple[str, str]:
    """A text with NUL in it when it is none."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tries = [("utf-16", "UTF-16")]
    else:
        tries = [("utf-8-sig", "UTF-8"), ("cp1252", GUESS)]
    for codec, name in tries:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(codec), name
    return "\0", ""


def delimiter_of(text: str) -> str:
    """Chosen by the header row, outside quotes; data rows may hold any of the four."""
    counts = dict.fromkeys(DELIMITERS, 0)
    quoted = False
    for letter in text.lstrip("\r\n"):
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "\r\n":
            break
        elif not quoted and letter in counts:
            counts[letter] += 1
    return max(counts, key=lambda delimiter: counts[delimiter])


def fold(name: str) -> str:
    """`User Principal-Name` and `user_principal_name` are one header."""
    return re.sub(r"[\s_-]+", "", name.strip().casefold())


def _rows(text: str, delimiter: str, line: int, *, backslash: bool) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each row that says anything, with the line it begins on; a row that breaks the quoting comes as its error."""
    # newline="" keeps line breaks inside quotes as they are.
    escaping: dict[str, Any] = {"escapechar": "\\", "doublequote": False} if backslash else {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, **escaping)
    before = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield line + before, wrong
        else:
            if any(row):
                yield line + before, row
        before = reader.line_num


def _places(header: list[str], at: int, columns: Sequence[Column]) -> tuple[dict[str, int], list[str]]:
    """Where each column of ours stands, and the headers nobody asked for. Raises BadInput."""
    known = {fold(spelling): column.name for column in columns for spelling in (column.name, *column.also)}
    places: dict[str, int] = {}
    ignored: list[str] = []
    seen: dict[str, int] = {}
    for place, name in enumerate(header):
        key = known.get(fold(name), fold(name))
        if key and key in seen:
            raise BadInput(
                _(
                    "Line %(line)d names the column %(name)s twice (columns %(first)d and %(second)d). "
                    "Remove or rename one of them, so that it is clear which one counts. Nothing was imported."
                )
                % {"line": at, "name": name.strip(), "first": seen[key] + 1, "second": place + 1}
            )
        seen[key] = place
        if fold(name) in known:
            places[key] = place
        elif name.strip():
            ignored.append(name.strip()[:100])
    missing = [column.name for column in columns if column.required and column.name not in places]
    if missing:
        raise BadInput(
            _(
                "Line %(line)d should name the columns, and this is missing there: %(missing)s. "
                "Columns of this kind of file: %(columns)s. Nothing was imported."
            )
            % {"line": at, "missing": ", ".join(missing), "columns": ", ".join(column.name for column in columns)}
        )
    return places, ignored


def _trouble(at: int, row: list[str] | csv.Error, header: list[str]) -> Trouble | None:
    if isinstance(row, csv.Error):
        return Trouble(at, "", _("The quotes of this row do not match, or a cell is too long, so it cannot be read."))
    if len(row) > MAX_COLUMNS:
        raise BadInput(
            _("Line %(line)d has more than %(count)d columns. Nothing was imported.")
            % {"line": at, "count": MAX_COLUMNS}
        )
    for place, cell in enumerate(row):
        if len(cell) > MAX_CELL:
            name = header[place].strip() if place < len(header) else ""
            return Trouble(at, name, _("This cell has more than %(most)d characters.") % {"most": MAX_CELL})
    return None


def trouble_of_length(at: int, row: list[str], header: list[str]) -> Trouble | None:
    if len(row) == len(header):
        return None
    return Trouble(
        at,
        "",
        _("This row has %(found)d cells where the header has %(wanted)d.") % {"found": len(row), "wanted": len(header)},
    )
