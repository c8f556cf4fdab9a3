"""The signed evidence of a run as files: `evidence RUN -o DIRECTORY`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from msp.errors import LatchkeyError
from msp.ops.find_run import find_run
from msp.reports.evidence import tenants_of, write_evidence
from msp.reports.exporting import record_evidence


class Command(BaseCommand):
    help = "Writes one signed evidence file per tenant of a run, and the public key that they are checked with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", metavar="RUN", help="the run's id, or the first characters of it")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIRECTORY", help="where the files go")

    def handle(self, *args: Any, **given: Any) -> None:
        run, directory = find_run(given["run"]), given["output"]
        tenants = tenants_of(run)
        if not tenants:
            raise CommandError("This run touched no account, so there is nothing to prove; no file was written.")
        try:
            with transaction.atomic():
                record_evidence(run, tenants, by=None)
                written = write_evidence(run, directory, tenants)
        except OSError as wrong:
            raise CommandError(f"{directory} cannot be written ({wrong.strerror}). Choose another directory.") from None
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from None
        for path in written:
            self.stdout.write(str(path))
