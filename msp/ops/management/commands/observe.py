"""Read the shared accounts and their methods from the directories."""

from __future__ import annotations

from argparse import ArgumentParser
from json import dumps
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from msp.ops import quantities
from msp.ops.observe_all import observe_all
from msp.outside import outside
from tenants.models import Method, SharedAccount, Tenant


class Command(BaseCommand):
    help = "Read every account, or those of one tenant, from its directory, and list the methods found."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="tenant id or default domain")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, tenant: str | None, json: bool, **options: Any) -> None:
        accounts = SharedAccount.objects.at_microsoft().select_related("tenant")
        if tenant:
            accounts = accounts.filter(tenant__in=_tenants(tenant))
        outcome = observe_all(accounts, outside=outside())
        facts = _facts(list(accounts.all()), {a.pk: problem for a, problem in outcome.problems.items()})
        if json:
            self.stdout.write(
                dumps(
                    {
                        "read": len(outcome.read),
                        "failed": len(outcome.problems),
                        "accounts": facts,
                        "unknown_methods": sum(account["unknown"] for account in facts),
                    }
                )
            )
        else:
            self._show(facts)
        if outcome.problems:
            raise CommandError(f"Not read: {len(outcome.problems)} of {quantities.accounts(len(facts))}; see above.")

    def _show(self, facts: list[dict[str, Any]]) -> None:
        if not facts:
            self.stdout.write("There is no account to read yet: python3 manage.py import accounts FILE.")
        for account in facts:
            found = quantities.methods(len(account["methods"]))
            said = account["problem"] or f"{found}, {account['unknown']} of nobody"
            self.stdout.write(f"{account['tenant']}  {account['account']}: {said}")
            for method in account["methods"]:
                holder = method["holder"] or "nobody"
                self.stdout.write(f"    {method['kind']:28} {method['id']}  {method['label']}  ({holder})")


def _tenants(key: str) -> list[Tenant]:
    try:
        wanted = Q(directory_id=UUID(key))
    except ValueError:
        wanted = Q(default_domain__iexact=key)
    found = list(Tenant.objects.filter(wanted))
    if not found:
        raise CommandError(f"There is no tenant {key} here; nothing was read.")
    return found


def _facts(accounts: list[SharedAccount], problems: dict[Any, str]) -> list[dict[str, Any]]:
    """{"tenant", "account", "object_id", "methods": [{"id", "kind", "label", "holder"}], "unknown", "problem"}."""
    methods: dict[Any, list[dict[str, str | None]]] = {account.pk: [] for account in accounts}
    present = Method.objects.present().personal().filter(account__in=accounts)
    for method in present.select_related("authenticator__technician"):
        bound = getattr(method, "authenticator", None)
        methods[method.account_id].append(
            {
                "id": method.directory_id,
                "kind": method.kind,
                "label": method.label,
                "holder": bound.technician.email if bound else None,
            }
        )
    return [
        {
            "tenant": str(account.tenant),
            "account": str(account),
            "object_id": account.object_id,
            "methods": methods[account.pk],
            "unknown": sum(method["holder"] is None for method in methods[account.pk]),
            "problem": problems.get(account.pk, ""),
        }
        for account in accounts
    ]
