"""Read a file into Latchkey: the same import as the page."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from json import dumps
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from msp.errors import LatchkeyError
from msp.importing.flow import KINDS, apply_import, preview_import
from msp.importing.preview import Effect, Preview, as_facts, rows_of, troubles
from msp.importing.reader import MAX_BYTES
from msp.importing.sheet import Trouble
from msp.ops.people import acting_person
from msp.outside import outside


class Command(BaseCommand):
    help = "Import a CSV file. Everything, or nothing when a row has an error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=list(KINDS))
        parser.add_argument("file", help="path of the file, or - for standard input")
        parser.add_argument("--preview", action="store_true", help="say what would happen, and change nothing")
        parser.add_argument("--partial", action="store_true", help="leave out the rows with errors")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(
        self, *, kind: str, file: str, preview: bool, partial: bool, acting: str | None, json: bool, **options: Any
    ) -> None:
        by = acting_person(acting)
        try:
            data = _bytes_of(file)
            if preview:
                shown = preview_import(kind, data, by=by, outside=outside())
                imported, errors = False, shown.plan.errors
            else:
                outcome = apply_import(kind, data, by=by, outside=outside(), partial=partial)
                shown, imported, errors = outcome.preview, outcome.imported, outcome.left_out
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        if json:
            facts = {"preview": preview, "imported": imported, **as_facts(shown), "errors": troubles(errors)}
            facts["counts"]["errors"] = rows_of(errors)
            self.stdout.write(dumps(facts))
        else:
            self._show(shown, errors, preview=preview, imported=imported)
        if errors and not partial:
            raise CommandError(
                f"Rows with errors: {rows_of(errors)}, so nothing is imported. "
                "Mend them, or leave them out with --partial."
            )

    def _show(self, shown: Preview, errors: list[Trouble], *, preview: bool, imported: bool) -> None:
        if shown.guessed:
            self.stdout.write("The file is not Unicode and was read as Windows-1252: look at the umlauts below.")
        if shown.ignored:
            self.stdout.write(f"Columns that mean nothing here: {', '.join(shown.ignored)}")
        for note in shown.plan.notes:
            self.stdout.write(note)
        if preview:
            for row in shown.plan.rows:
                if row.effect != Effect.SAME:
                    self.stdout.write(f"line {row.line:<6} {row.effect.label!s:10} {row.what}  {row.detail}")
        for word, found in (("warning", shown.plan.warnings), ("ERROR", errors)):
            for trouble in found:
                self.stdout.write(f"line {trouble.line:<6} {word:10} {trouble.column or '-':20} {trouble.message}")
        counts = shown.counts
        would = "" if imported else "would be "
        self.stdout.write(
            f"{counts['add']} {would}added, {counts['change']} {would}changed, {counts['same']} unchanged, "
            f"{rows_of(errors)} with errors."
        )


def _bytes_of(file: str) -> bytes:
    """One byte beyond the limit is enough to be told that it is too large."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as wrong:
        raise CommandError(f"{file} cannot be read: {wrong.strerror}. Nothing was imported.") from wrong
