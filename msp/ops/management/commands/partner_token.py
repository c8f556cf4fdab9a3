"""`python3 manage.py partner_token < FILE`: keep the refresh token of the partner's sign-in, sealed.

The token comes from standard input and never from an argument, which others on the machine could read.
"""

from __future__ import annotations

import getpass
import re
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from msp.errors import LatchkeyError
from msp.ledger.record import record
from msp.ops.people import acting_person
from msp.outside import outside
from msp.vault.kept import PARTNER_REFRESH_TOKEN, Kept
from technicians.models import Role

ONE_WORD = re.compile(r"[\x21-\x7e]{20,16384}")


class Command(BaseCommand):
    help = "Keep the refresh token of the partner's sign-in (GDAP), read from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")

    def handle(self, *, acting: str | None, **options: Any) -> None:
        by = acting_person(acting)
        if by.role != Role.OWNER:
            raise CommandError(
                f"{by.email} is no owner; nothing was stored. Ask an owner to store the partner's token."
            )
        token = _from_standard_input()
        if not ONE_WORD.fullmatch(token):
            raise CommandError(
                "What came on standard input is no refresh token (one word of at least 20 characters). Nothing was "
                "stored; what was kept before still stands."
            )
        try:
            with transaction.atomic():
                Kept(outside().vault, PARTNER_REFRESH_TOKEN).store(token, reseller_id=by.reseller_id)
                record("partner_token.stored", reseller_id=by.reseller_id, actor=by)
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        self.stdout.write(
            "The partner's refresh token is kept, sealed. It is used together with LATCHKEY_CLIENT_ID and "
            "LATCHKEY_CLIENT_CERTIFICATE (or LATCHKEY_CLIENT_SECRET): the same app that the sign-in was made for."
        )
        known = settings.MICROSOFT
        if not known["client_id"] or not (known["client_certificate"] or known["client_secret"]):
            self.stderr.write("These settings are not complete yet, so the token cannot be used: see docs/settings.md.")


def _from_standard_input() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Refresh token: ").strip()
    # What is not ASCII is no token, and must not end in a trace that quotes it.
    return sys.stdin.buffer.read(20_000).decode("ascii", "replace").strip()
