"""What a file says, before anybody compares it with the database: named cells with the line they stand on."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.functional import Promise


@dataclass(frozen=True)
class Column:
    """A column that a kind of file may have. `also` are other spellings of its header."""

    name: str
    help: str | Promise
    required: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Trouble:
    """What is wrong, or worth a look, in one place. `column` is the header as the kind names it, or ""."""

    line: int
    column: str
    message: str


@dataclass(frozen=True)
class Line:
    """One row. Cells are exactly what the file holds; they stay out of `repr`, because some are passwords."""

    number: int
    cells: dict[str, str] = field(repr=False)

    def exact(self, column: str) -> str:
        return self.cells.get(column, "")

    def text(self, column: str) -> str:
        """Without blanks around it: for everything but secrets."""
        return self.cells.get(column, "").strip()


@dataclass(frozen=True)
class Table:
    """Rows as they stand in a file, each with its line number, before anybody says what their cells mean."""

    rows: list[tuple[int, list[str]]] = field(repr=False)
    broken: list[Trouble]
    delimiter: str


@dataclass(frozen=True)
class Sheet:
    """A readable file. `broken` are the rows that cannot be read as rows, `ignored` the headers that mean nothing here.

    `guessed` is true when the file is not Unicode and was read as Windows-1252, which may show wrong letters.
    """

    lines: list[Line]
    broken: list[Trouble]
    ignored: list[str]
    encoding: str
    guessed: bool
    delimiter: str
