"""`python3 manage.py rotate_keys [--data-keys]`: another root key, online; run it again if it was interrupted."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser
from json import dumps
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from msp.errors import LatchkeyError
from msp.ledger.record import record
from msp.ops.people import acting_owner
from msp.ops.sealed import SEALED
from msp.outside import outside
from msp.vault.turnover import Counts, begin, finish, go_on
from technicians.models import Technician

REST_SECONDS = 60


class Command(BaseCommand):
    help = "Make another root key and wrap every data key by it, while everything runs. See docs/key-rotation.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-keys", action="store_true", help="replace every data key, too, and seal anew")
        parser.add_argument(
            "--rest-seconds", type=float, default=REST_SECONDS, metavar="SECONDS",
            help=f"how long old data keys open things after the last one was sealed anew (default {REST_SECONDS})",
        )  # fmt: skip
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, data_keys: bool, rest_seconds: float, acting: str | None, json: bool, **options: Any) -> None:
        by = acting_owner(acting, "nothing was changed")
        try:
            counts = self._turn_over(by, data_keys=data_keys, rest_seconds=max(0.0, rest_seconds))
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        if json:
            self.stdout.write(dumps(dataclasses.asdict(counts)))
        if counts.unreadable:
            raise CommandError(
                f"{len(counts.unreadable)} sealed values do not open, so they and their data keys stay as they were: "
                f"{', '.join(counts.unreadable[:5])}. Restore these rows from a backup. Everything else is done."
            )

    def _turn_over(self, by: Technician, *, data_keys: bool, rest_seconds: float) -> Counts:
        vault = outside().vault
        with transaction.atomic():
            turnover, is_new = begin(vault, data_keys=data_keys)
            record(
                "keys.turnover_begun" if is_new else "keys.turnover_resumed",
                reseller_id=by.reseller_id,
                actor=by,
                leaves=turnover.leaves,
                data_keys=turnover.data_keys,
            )
        if not is_new:
            self.stderr.write(f"{turnover} goes on.")
        counts = go_on(turnover, vault, SEALED, rest_seconds=rest_seconds, tell=self.stderr.write)
        with transaction.atomic():
            finish(turnover)
            record(
                "keys.turned_over", reseller_id=by.reseller_id, actor=by, leaves=turnover.leaves,
                **dataclasses.asdict(counts) | {"unreadable": len(counts.unreadable)},
            )  # fmt: skip
        return counts
