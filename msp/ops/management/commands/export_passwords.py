"""Write passwords into one encrypted file that `import passwords` takes back byte for byte."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from msp.errors import LatchkeyError
from msp.ops import quantities
from msp.ops.passphrase import ask_passphrase
from msp.ops.people import acting_owner
from msp.outside import outside
from technicians.actions.export_passwords import export_passwords
from tenants.models import SharedAccount


class Command(BaseCommand):
    help = "Write the passwords in force into one encrypted file. The passphrase is asked for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        scope = parser.add_mutually_exclusive_group(required=True)
        scope.add_argument("--all", action="store_true", help="every shared account")
        scope.add_argument("--group", metavar="NAME", help="the accounts of one tenant group")
        scope.add_argument("--tenant", metavar="DOMAIN", help="the accounts of one tenant, by its default domain")
        parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="a new file (mode 0600)")
        parser.add_argument("--reason", required=True, help="why; it is written into the ledger")
        parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="else it is asked for, twice")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")

    def handle(self, *, to: Path, reason: str, passphrase_file: Path | None, acting: str | None, **scope: Any) -> None:
        stands = "nothing was written"
        by = acting_owner(acting, stands)
        accounts = SharedAccount.objects.visible_to(by).filter(_within(scope))
        if not accounts.exists():
            raise CommandError(f"There is no shared account there that you can see; {stands}.")
        passphrase = ask_passphrase(passphrase_file, twice=True, what_stands=stands)
        # Opened first: what was handed out must not be lost for want of a place.
        try:
            target = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as wrong:
            raise CommandError(f"{to} cannot be made ({wrong.strerror}); {stands}.") from wrong
        with os.fdopen(target, "wb") as file:
            try:
                done = export_passwords(accounts, by=by, reason=reason, passphrase=passphrase, outside=outside())
            except LatchkeyError as wrong:
                to.unlink()
                raise CommandError(str(wrong)) from wrong
            file.write(done.file)
        self.stdout.write(f"{to}: {quantities.passwords_in_it(done.accounts)}, SHA-256 {done.sha256}.")
        if done.without:
            self.stdout.write(f"Without a password here: {quantities.accounts(done.without)}.")


def _within(scope: dict[str, Any]) -> Q:
    if scope["tenant"]:
        return Q(tenant__default_domain__iexact=scope["tenant"])
    return Q(tenant__groups__name=scope["group"]) if scope["group"] else Q()
