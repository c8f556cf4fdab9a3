"""What an import would do, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from msp.importing.choices import Choices
from msp.importing.reader import read
from msp.importing.sheet import Column, Sheet, Trouble

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


class Effect(TextChoices):
    ADD = "add", _("Add")
    CHANGE = "change", _("Change")
    SAME = "same", _("Unchanged")
    SKIP = "skip", _("Passed over")


NO_CHANGE = (Effect.SAME, Effect.SKIP)


def nothing_to_do() -> None:
    """What a row that changes nothing does."""


@dataclass(frozen=True)
class Planned:
    """What one row means. `act` carries it out by calling an action; it runs inside the import's transaction."""

    line: int
    effect: Effect
    what: str
    detail: str = ""
    act: Callable[[], object] = field(default=nothing_to_do, repr=False, compare=False)


@dataclass(frozen=True)
class Question:
    """A row that waits for a person: which account is meant, or which of several rows counts.

    `account` is what is chosen so far, as a person reads it. The row is among the errors, too, until it is answered.
    """

    line: int
    what: str
    places: str
    account: str = ""
    which_counts: bool = False


@dataclass(frozen=True)
class SeedFound:
    """An account whose seed was in the file."""

    account_id: str
    account: str


@dataclass
class Plan:
    """Every row of a file: what it would do, or why it cannot.

    `notes` concern the file as a whole. `first` is carried out before the rows: what many of them need. `is_table` is
    false for a list of entries, which has no columns that a person could choose.
    """

    rows: list[Planned] = field(default_factory=list)
    errors: list[Trouble] = field(default_factory=list)
    warnings: list[Trouble] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    first: list[Callable[[], object]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    seeds: list[SeedFound] = field(default_factory=list)
    is_table: bool = True

    def error(self, line: int, column: str, message: str) -> None:
        self.errors.append(Trouble(line, column, message))

    def add(self, line: int, what: str, detail: str = "", act: Callable[[], object] = nothing_to_do) -> None:
        self.rows.append(Planned(line, Effect.ADD, what, detail, act))

    def change(self, line: int, what: str, detail: str, act: Callable[[], object]) -> None:
        self.rows.append(Planned(line, Effect.CHANGE, what, detail, act))

    def same(self, line: int, what: str, detail: str = "") -> None:
        self.rows.append(Planned(line, Effect.SAME, what, detail))

    def skip(self, line: int, what: str, reason: str) -> None:
        self.rows.append(Planned(line, Effect.SKIP, what, reason))

    def warn(self, line: int, column: str, message: str) -> None:
        self.warnings.append(Trouble(line, column, message))


class Planner(Protocol):
    """Compares a sheet with the database, in a number of queries that does not grow with the rows."""

    def __call__(self, sheet: Sheet, *, by: Technician, outside: Outside) -> Plan: ...


class Look(Protocol):
    """Reads a file and plans it. Raises BadInput when the file as a whole cannot be used."""

    def __call__(self, data: bytes, *, by: Technician, outside: Outside, choices: Choices) -> tuple[Sheet, Plan]: ...


@dataclass(frozen=True)
class Kind:
    """One kind of file: its columns, and how it is looked at. `of_products`: other products write such files."""

    name: str
    title: str | Promise
    about: str | Promise
    columns: Sequence[Column]
    look: Look
    of_products: bool = False


def by_columns(columns: Sequence[Column], plan: Planner) -> Look:
    """For a table whose columns are ours."""

    def look(data: bytes, *, by: Technician, outside: Outside, choices: Choices) -> tuple[Sheet, Plan]:
        sheet = read(data, columns)
        return sheet, plan(sheet, by=by, outside=outside)

    return look


@dataclass(frozen=True)
class Preview:
    """What the import of one file would do now."""

    kind: str
    sha256: str
    encoding: str
    guessed: bool
    ignored: list[str]
    plan: Plan = field(repr=False)

    def rows(self, effect: Effect) -> list[Planned]:
        return [row for row in self.plan.rows if row.effect == effect]

    @property
    def counts(self) -> dict[str, int]:
        """Rows, not troubles: one row may have several."""
        counts = {str(effect): len(self.rows(effect)) for effect in Effect}
        return {**counts, "errors": rows_of(self.plan.errors), "warnings": rows_of(self.plan.warnings)}

    @property
    def changes_anything(self) -> bool:
        return any(row.effect not in NO_CHANGE for row in self.plan.rows)


@dataclass(frozen=True)
class Outcome:
    """`imported` is false when errors stopped it; then nothing was changed. `left_out` are the rows with errors."""

    imported: bool
    preview: Preview
    left_out: list[Trouble]

    @property
    def counts(self) -> dict[str, int]:
        return {**self.preview.counts, "errors": rows_of(self.left_out)}


def as_facts(preview: Preview) -> dict[str, Any]:
    """A preview as plain values, ready for JSON. It never holds a password."""
    return {
        "kind": preview.kind,
        "sha256": preview.sha256,
        "encoding": preview.encoding,
        "encoding_guessed": preview.guessed,
        "ignored_columns": preview.ignored,
        "counts": preview.counts,
        "notes": preview.plan.notes,
        "rows": [
            {"line": r.line, "effect": str(r.effect), "what": r.what, "detail": r.detail} for r in preview.plan.rows
        ],
        "questions": [
            {"line": q.line, "what": q.what, "account": q.account, "which_counts": q.which_counts}
            for q in preview.plan.questions
        ],
        "shared_seeds": [seed.account for seed in preview.plan.seeds],
        "errors": troubles(preview.plan.errors),
        "warnings": troubles(preview.plan.warnings),
    }


def rows_of(found: Sequence[Trouble]) -> int:
    return len({trouble.line for trouble in found})


def troubles(found: Sequence[Trouble]) -> list[dict[str, Any]]:
    return [{"line": t.line, "column": t.column, "message": t.message} for t in found]
