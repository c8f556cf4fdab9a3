"""A product whose export is a table with a header: which columns it is known by, and which of them mean what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from msp.importing.choices import AskForColumns
from msp.importing.reader import fold, trouble_of_length
from msp.importing.sheet import Table, Trouble
from msp.importing.sources.export import Export
from msp.importing.sources.record import Found, Record, best_user_name, parts_of


@dataclass(frozen=True)
class Cells:
    """The cells of one row by folded header; what a column is not there is empty."""

    by_header: Mapping[str, str] = field(repr=False)

    def exact(self, header: str) -> str:
        return self.by_header.get(header, "")

    def text(self, header: str) -> str:
        return self.exact(header).strip()


def as_it_is(record: Record, cells: Cells) -> Record:
    return record


@dataclass(frozen=True)
class TableSource:
    """`known_by` are sets of folded headers, each enough to know the product by. Other fields name folded headers.

    Where several are named, the first that says something counts. `finish` adds what only this product has.
    """

    name: str
    title: str
    known_by: tuple[frozenset[str], ...]
    title_in: tuple[str, ...]
    user_name_in: tuple[str, ...]
    password_in: tuple[str, ...] = ("password",)
    seed_in: tuple[str, ...] = ()
    url_in: tuple[str, ...] = ("url",)
    places_in: tuple[str, ...] = ()
    id_in: tuple[str, ...] = ()
    also_read: tuple[str, ...] = ()
    begins_with: str = ""
    backslash: bool = False
    finish: Callable[[Record, Cells], Record] = as_it_is

    def recognises(self, export: Export) -> int:
        """How many headers speak for this product; 0 when it is another's file."""
        if export.is_json:
            return 0
        there = [fold(name) for name in export.header]
        if self.begins_with and there[:1] != [self.begins_with]:
            return 0
        return max((len(known) for known in self.known_by if known <= set(there)), default=0)

    def read(self, export: Export) -> Found:
        """Raises AskForColumns when headers are missing or one is there twice."""
        table = export.table(backslash=self.backslash)
        if not self.recognises(export):
            raise AskForColumns(
                _("The header of this file is not that of %(product)s. Say which column is which.")
                % {"product": self.title}
            )
        at, header = table.rows[0]
        refuse_doubles(at, header)
        names = [fold(name) for name in header]
        return rows_to_records(table, self._record, names, self._ignored(header))

    def _ignored(self, header: list[str]) -> list[str]:
        used = {
            *self.title_in, *self.user_name_in, *self.password_in, *self.seed_in, *self.url_in, *self.places_in,
            *self.id_in, *self.also_read,
        }  # fmt: skip
        return [name.strip()[:100] for name in header if name.strip() and fold(name) not in used]

    def _record(self, line: int, cells: Cells) -> Record:
        def first(headers: tuple[str, ...]) -> str:
            return next((cells.exact(header) for header in headers if cells.exact(header)), "")

        record = Record(
            line,
            title=first(self.title_in).strip(),
            user_name=best_user_name(*(cells.exact(header) for header in self.user_name_in)),
            password=first(self.password_in),
            seed=first(self.seed_in),
            urls=tuple(url for header in self.url_in for url in cells.exact(header).split(",") if url),
            places=tuple(part for header in self.places_in for part in parts_of(cells.text(header))),
            source_id=first(self.id_in).strip(),
        )
        return self.finish(record, cells)


def rows_to_records(
    table: Table, make: Callable[[int, Cells], Record], names: list[str], ignored: list[str], *, header: bool = True
) -> Found:
    records: list[Record] = []
    broken: list[Trouble] = list(table.broken)
    for line, row in table.rows[1 if header else 0 :]:
        trouble = trouble_of_length(line, row, names)
        if trouble:
            broken.append(trouble)
        else:
            records.append(make(line, Cells(dict(zip(names, row, strict=True)))))
    return Found(records, broken, ignored)


def refuse_doubles(at: int, header: list[str]) -> None:
    """Raises AskForColumns when two columns have one name."""
    seen: dict[str, int] = {}
    for place, name in enumerate(header):
        key = fold(name)
        if key and key in seen:
            raise AskForColumns(
                _(
                    "Line %(line)d names the column %(name)s twice (columns %(first)d and %(second)d). Say which one "
                    "counts. Nothing was imported."
                )
                % {"line": at, "name": name.strip()[:100], "first": seen[key] + 1, "second": place + 1}
            )
        seen[key] = place
