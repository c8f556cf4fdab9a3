"""`python3 manage.py shred_secrets --tenant DOMAIN --reason TEXT`: the customer goes, and its secrets with it."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from msp.errors import LatchkeyError
from msp.ops import quantities
from msp.ops.people import acting_owner
from msp.outside import outside
from technicians.models import Technician
from tenants.actions.shred_secrets import shred_secrets
from tenants.models import SecretVersion, Tenant


class Command(BaseCommand):
    help = "Destroy the data keys of one tenant, and with them every secret that Latchkey has of it, for ever."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="its default domain or its directory id")
        parser.add_argument("--reason", required=True, help="why; it is written into the ledger")
        parser.add_argument("--yes", action="store_true", help="do it; without this it is only said what would go")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")

    def handle(self, *, tenant: str, reason: str, yes: bool, acting: str | None, **options: Any) -> None:
        by = acting_owner(acting, "nothing was destroyed")
        found = _tenant_named(tenant, by)
        versions = SecretVersion.objects.filter(secret__account__tenant=found)
        passwords = quantities.stored_passwords(versions.count())
        accounts = quantities.accounts(versions.values("secret").distinct().count())
        if not yes:
            self.stdout.write(
                f"{found} ({found.customer}): what would never open again: {passwords} of {accounts}, "
                "also those in force. Nothing was destroyed. Add --yes to do it; there is no way back."
            )
            return
        try:
            keys = shred_secrets(found, by=by, reason=reason, outside=outside())
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        self.stdout.write(
            f"{found}: destroyed: {quantities.data_keys(keys)}, and with them {passwords} of {accounts}. "
            "Backups made before still hold them until the root key of that time is gone, too: see "
            "docs/key-rotation.md."
        )


def _tenant_named(text: str, by: Technician) -> Tenant:
    seen = Tenant.objects.visible_to(by).select_related("customer")
    named = Q(default_domain__iexact=text)
    with contextlib.suppress(ValueError):
        named |= Q(directory_id=UUID(text))
    found = list(seen.filter(named)[:2])
    if not found:
        raise CommandError(f"There is no tenant {text} here; nothing was destroyed.")
    if len(found) > 1:
        raise CommandError(f"More than one tenant has the domain {text}: give the directory id. Nothing was destroyed.")
    tenant: Tenant = found[0]
    return tenant
