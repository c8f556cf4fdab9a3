"""Rows as CSV for a spreadsheet, one line at a time."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msp.ledger.canonical import rfc3339

BYTE_ORDER_MARK = "\ufeff"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet would compute a cell that begins with one of these (OWASP, CSV injection)."""


def lines(header: Sequence[str], rows: Iterable[Sequence[Any]], *, byte_order_mark: bool = False) -> Iterator[str]:
    """Comma, CRLF, quotes where needed (RFC 4180). Excel reads UTF-8 only behind a byte order mark."""
    writer = csv.writer(_Line())
    first = writer.writerow([cell(name) for name in header])
    yield (BYTE_ORDER_MARK if byte_order_mark else "") + first
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def cell(value: Any) -> str:
    """One value as text. Numbers stay numbers; text that would be computed gets an apostrophe in front."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case dt.datetime():
            return rfc3339(value)
        case dt.timedelta():
            return str(round(value.total_seconds()))
    text = str(value).replace("\x00", "")
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class _Line:
    """What csv.writer writes to; it hands the line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line
