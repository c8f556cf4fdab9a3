"""Read a file into Latchkey: the same import as the page."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from msp.errors import LatchkeyError
from msp.importing.choices import MAPPED, NONE, AskForColumns, Choices
from msp.importing.flow import KINDS, apply_import, preview_import
from msp.importing.matching import Match
from msp.importing.preview import NO_CHANGE, Preview, as_facts, rows_of, troubles
from msp.importing.reader import MAX_BYTES
from msp.importing.sheet import Trouble
from msp.importing.sources.export import Export
from msp.importing.sources.known import SOURCES
from msp.importing.sources.mapped import BY_NAME, columns_by_words
from msp.ops.passphrase import ask_passphrase
from msp.ops.people import acting_person
from msp.outside import outside
from msp.vault.sealed_file import is_sealed_file, open_file
from technicians.models import Technician


class Command(BaseCommand):
    help = "Import a file. Everything, or nothing when a row has an error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=list(KINDS))
        parser.add_argument("file", help="path of the file, or - for standard input")
        parser.add_argument("--preview", action="store_true", help="say what would happen, and change nothing")
        parser.add_argument("--partial", action="store_true", help="leave out the rows with errors")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
        parser.add_argument(
            "--passphrase-file",
            type=Path,
            metavar="FILE",
            help="for an encrypted export of Latchkey; else it is asked for",
        )
        of_passwords = parser.add_argument_group("passwords from another product")
        of_passwords.add_argument("--source", default="", help=f"who wrote the file: {', '.join([*SOURCES, MAPPED])}")
        of_passwords.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help=f"which column is which, by its header or number; fields: {', '.join(BY_NAME)}",
        )
        of_passwords.add_argument("--no-header", action="store_true", help="with --map: the first row is data")
        of_passwords.add_argument(
            "--account",
            action="append",
            default=[],
            metavar="LINE=USER",
            help="whose a line is, as user name or `user name (domain)`",
        )
        of_passwords.add_argument(
            "--counts", action="append", default=[], type=int, metavar="LINE", help="the line whose password counts"
        )

    def handle(
        self, *, kind: str, file: str, preview: bool, partial: bool, acting: str | None, json: bool, **options: Any
    ) -> None:
        by = acting_person(acting)
        try:
            data = _bytes_of(file)
            if is_sealed_file(data):
                asked_in = options["passphrase_file"]
                data = open_file(data, ask_passphrase(asked_in, twice=False, what_stands="nothing was imported"))
            choices = _choices(kind, data, options, by=by)
            if preview:
                shown = preview_import(kind, data, by=by, outside=outside(), choices=choices)
                imported, errors = False, shown.plan.errors
            else:
                outcome = apply_import(kind, data, by=by, outside=outside(), partial=partial, choices=choices)
                shown, imported, errors = outcome.preview, outcome.imported, outcome.left_out
        except AskForColumns as asked:
            raise CommandError(f"{asked} For example: --map upn=Login --map password=Secret") from asked
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
                if row.effect not in NO_CHANGE:
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


def _choices(kind: str, data: bytes, options: dict[str, Any], *, by: Technician) -> Choices:
    """What the command line says about a file of another product."""
    if not KINDS[kind].of_products:
        if any(options[name] for name in ("source", "map", "no_header", "account", "counts")):
            raise CommandError(f"--source, --map, --no-header, --account and --counts say nothing for {kind}.")
        return NONE
    choices = Choices(source=options["source"])
    if options["map"]:
        pairs = dict(_pair(said, "--map") for said in options["map"])
        choices = columns_by_words(Export(data), pairs, header=not options["no_header"])
    match, accounts = Match(by), {}
    for said in options["account"]:
        line, name = _pair(said, "--account")
        if not (line.isascii() and line.isdigit()):
            raise CommandError(f"--account wants the number of a line before the =, not {line}.")
        accounts[int(line)] = str(match.named(name).pk)
    return replace(choices, accounts=accounts, counts=frozenset(options["counts"]))


def _pair(said: str, option: str) -> tuple[str, str]:
    name, equals, value = said.partition("=")
    if not equals or not name or not value:
        raise CommandError(f"{option} wants something on both sides of a =, not {said}.")
    return name.strip(), value.strip()


def _bytes_of(file: str) -> bytes:
    """One byte beyond the limit is enough to be told that it is too large."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as wrong:
        raise CommandError(f"{file} cannot be read: {wrong.strerror}. Nothing was imported.") from wrong
