"""`python3 manage.py sweep_tokens`: are there tokens of ours at Microsoft that nobody here knows of?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from msp.errors import DirectoryError
from msp.ops import quantities
from msp.ops.people import acting_owner
from msp.outside import outside
from tenants.actions.sweep_tokens import look_for_strays, sweep_tokens
from tenants.models import Registration, Tenant

AT_ONCE = 16


class Command(BaseCommand):
    help = "Have tokens taken away that are of no use any more, and look for some of ours that nobody here knows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one object")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who asks (else: the only owner)")

    def handle(self, *, acting: str | None, **options: Any) -> None:
        by = acting_owner(acting, "nothing was looked for")
        begun = sweep_tokens()
        tenants = list(Tenant.objects.visible_to(by).at_microsoft())
        with ThreadPoolExecutor(AT_ONCE) as pool:
            looked = dict(zip(tenants, pool.map(_look, tenants), strict=True))
        facts = {
            "tenants": len(tenants),
            "being_taken_away": begun,
            "still_to_be_taken_away": Registration.objects.visible_to(by).to_clean_up().count(),
            "unknown": sum(len(found) for found in looked.values() if isinstance(found, list)),
            "not_read": {str(tenant): found for tenant, found in looked.items() if isinstance(found, str)},
        }
        self.stdout.write(json.dumps(facts, indent=2) if options["json"] else _in_words(facts))
        for tenant, found in looked.items():
            if found and not options["json"]:
                self.stdout.write(f"  {tenant}: {found if isinstance(found, str) else ', '.join(found)}")


def _look(tenant: Tenant) -> list[str] | str:
    """The unknown serial numbers, or why the tenant could not be read."""
    try:
        return look_for_strays(tenant, outside=outside())
    except DirectoryError as trouble:
        return str(trouble)
    finally:
        connection.close()


def _in_words(facts: dict[str, Any]) -> str:
    tenants, unread = quantities.tenants(facts["tenants"]), quantities.tenants(len(facts["not_read"]))
    left, going = quantities.tokens(facts["still_to_be_taken_away"]), quantities.tokens(facts["being_taken_away"])
    unknown = quantities.tokens(facts["unknown"])
    return (
        f"Looked at: {tenants}. Of no use any more: {left}; a run that begins now takes away: {going}. "
        f"Unknown here: {unknown}. Could not be read: {unread}."
    )
