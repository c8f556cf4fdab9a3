"""`python3 manage.py recovery_kit make|restore|check`: the root key on paper, in shares, and back."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from msp.errors import LatchkeyError
from msp.ledger.record import record
from msp.ops.people import acting_owner
from msp.vault.keepers.chosen import chosen_keeper
from msp.vault.keepers.file import root_key_id
from msp.vault.recovery import WORDS, Kit, Share, combine, read_share, require_one_kit, split, words_in
from msp.vault.recovery_sheet import sheet
from msp.vault.root_keys import (
    bring_back_file,
    present_root_key,
    require_in_our_hands,
    write_for_environment,
    write_new,
)
from technicians.models import Technician

LONGEST_FILE = 20_000


class Command(BaseCommand):
    help = "Split the root key into printed shares, bring it back from them, or check whether they fit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        make = acts.add_parser("make", help="split the root key; one sheet for each share")
        make.add_argument("--shares", type=int, default=5, help="how many sheets (default 5)")
        make.add_argument("--threshold", type=int, default=3, help="how many of them bring the key back (default 3)")
        make.add_argument("--to", type=Path, metavar="DIRECTORY", help="where the sheets are written, as HTML")
        make.add_argument("--print", dest="printed", action="store_true", help="show the words here instead")
        restore = acts.add_parser("restore", help="bring a lost root key back")
        restore.add_argument("--to", type=Path, metavar="FILE", help="with LATCHKEY_KEYS=environment: a new file")
        check = acts.add_parser("check", help="say whether shares give the present root key; writes nothing")
        for act in (restore, check):
            act.add_argument(
                "--from", dest="files", type=Path, nargs="+", default=[], metavar="FILE",
                help="text files with the words of one share each (else they are asked for)",
            )  # fmt: skip
        for act in (make, restore):
            act.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")

    def handle(self, *, act: str, **asked: Any) -> None:
        try:
            require_in_our_hands(settings.KEYS["named"])
            if act == "make":
                self._make(acting_owner(asked["acting"], "no kit was made"), asked)
            elif act == "restore":
                self._restore(acting_owner(asked["acting"], "nothing was written"), asked)
            else:
                self._check(asked["files"])
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong

    def _make(self, by: Technician, asked: dict[str, Any]) -> None:
        place: Path | None = asked["to"]
        if bool(place) == asked["printed"]:
            raise CommandError("Say where the sheets go: --to DIRECTORY, or --print to show them here. None was made.")
        root = present_root_key(
            settings.KEYS["named"], directory=settings.KEY_DIRECTORY, given=settings.KEYS["root_key"]
        )
        kit = split(root, shares=asked["shares"], threshold=asked["threshold"])
        with transaction.atomic():
            record(
                "recovery_kit.made", reseller_id=by.reseller_id, actor=by, kit=kit.number,
                root_key_id=kit.root_key_id, shares=len(kit.shares), threshold=kit.threshold,
            )  # fmt: skip
            if place:
                self._write(kit, place, installation=by.reseller.name)
        if not place:
            for share in kit.shares:
                self.stdout.write(f"Share {share.number} of {len(kit.shares)}, kit {kit.number}:")
                self.stdout.write("  ".join(f"{n}. {word}" for n, word in enumerate(share.words, start=1)) + "\n")
        self.stdout.write(
            f"Kit {kit.number} of root key {kit.root_key_id}: any {kit.threshold} of {len(kit.shares)} shares bring it "
            "back. Print each sheet, give the sheets to different people, try them with `recovery_kit check`, and "
            "delete the files."
        )

    def _write(self, kit: Kit, directory: Path, *, installation: str) -> None:
        written: list[Path] = []
        now = timezone.now()
        try:
            for share in kit.shares:
                path = directory / f"recovery-kit-{kit.number}-share-{share.number}-of-{len(kit.shares)}.html"
                write_new(path, sheet(kit, share, installation=installation, made_at=now))
                written.append(path)
        except LatchkeyError:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        for path in written:
            self.stdout.write(str(path))

    def _restore(self, by: Technician, asked: dict[str, Any]) -> None:
        in_file = settings.KEYS["named"] == "file"
        if in_file == bool(asked["to"]):
            raise CommandError(
                f"The file keeper's root key goes to {settings.KEY_DIRECTORY}; leave --to away." if in_file
                else "Say with --to FILE where the root key is written: no process can set its own environment."
            )  # fmt: skip
        shares = self._shares(asked["files"])
        root = combine(shares)
        with transaction.atomic():
            record(
                "recovery_kit.restored", reseller_id=by.reseller_id, actor=by, kit=shares[0].kit,
                root_key_id=root_key_id(root),
            )  # fmt: skip
            if in_file:
                place = bring_back_file(root, settings.KEY_DIRECTORY)
            else:
                place = asked["to"]
                write_for_environment(root, place)
        then = "Restart everything." if in_file else f"Set LATCHKEY_ROOT_KEY_FILE={place} and restart everything."
        self.stdout.write(f"Root key {root_key_id(root)} opens every data key; it is in {place}. {then}")

    def _check(self, files: list[Path]) -> None:
        found = root_key_id(combine(self._shares(files)))
        present = chosen_keeper().current()
        if found != present:
            raise CommandError(
                f"These shares give root key {found}; the present one is {present}. Nothing was written."
            )
        self.stdout.write(f"These shares give the present root key ({present}). Nothing was written.")

    def _shares(self, files: list[Path]) -> list[Share]:
        return [_in_file(path) for path in files] if files else self._typed_shares()

    def _typed_shares(self) -> list[Share]:
        """Ask until there are enough. At a terminal a mistake is said and asked for again."""
        shares: list[Share] = []
        while not shares or len(shares) < shares[0].threshold:
            try:
                share = read_share(self._typed(len(shares) + 1, shares[0].threshold if shares else None))
                require_one_kit([*shares, share])
            except LatchkeyError as wrong:
                if not sys.stdin.isatty():
                    raise
                self.stderr.write(str(wrong))
                continue
            if share.number in {known.number for known in shares}:
                self.stderr.write(f"Share {share.number} was there already. Type another one.")
            else:
                shares.append(share)
        return shares

    def _typed(self, number: int, needed: int | None) -> str:
        """The lines up to the last word of a share."""
        of = f" of {needed}" if needed else ""
        self.stderr.write(f"Share {number}{of} ({WORDS} words, in one or more lines; an empty line ends it):")
        typed = ""
        while len(words_in(typed)) < WORDS:
            line = sys.stdin.readline(LONGEST_FILE)
            if not line and not words_in(typed):
                raise CommandError(
                    f"Only {number - 1} shares were typed{of and f', and {needed} are needed'}; stopped."
                )
            if not line or (not line.strip() and words_in(typed)):
                break
            typed += line
        return typed


def _in_file(path: Path) -> Share:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(LONGEST_FILE)
    except OSError as wrong:
        raise CommandError(f"{path} cannot be read ({wrong.strerror}); nothing was written.") from None
    try:
        return read_share(text)
    except LatchkeyError as wrong:
        raise CommandError(f"{path}: {wrong}") from wrong
