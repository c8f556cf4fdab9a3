"""Whether Latchkey can do its work in a tenant: the same action as the page."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from json import dumps
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.models import Q
from django.urls import reverse

from msp import env
from msp.errors import LatchkeyError
from msp.ops import quantities
from msp.ops.home import Home
from msp.ops.people import DEFAULT_BASE, acting_person
from msp.outside import outside
from technicians.models import Technician
from tenants.actions.check_tenant import check_tenant
from tenants.check_facts import CheckState
from tenants.models import Tenant, TenantCheck

AT_ONCE = 8
SIGNS = {
    CheckState.WRONG: "WRONG",
    CheckState.UNKNOWN: "unknown",
    CheckState.WARNING: "warning",
    CheckState.OK: "ok",
}


class Command(BaseCommand):
    help = (
        "Read what the app may do in a tenant and say what is missing, with the remedy. Exit code 0 when nothing is "
        "wrong (warnings are allowed), else 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", nargs="?", help="default domain or tenant id")
        parser.add_argument("--all", action="store_true", help="every tenant")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *, tenant: str | None, all: bool, acting: str | None, json: bool, **options: Any) -> None:
        by = acting_person(acting)
        if bool(tenant) == all:
            raise CommandError("Name one tenant by its domain or id, or say --all. Nothing was read.")
        asked = _tenants(tenant, by)
        try:
            told = [_facts(check) for check in _checks(asked, by)]
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        if json:
            self.stdout.write(dumps({"wrong": sum(t["worst"] == CheckState.WRONG for t in told), "tenants": told}))
        else:
            for facts in told:
                self._show(facts)
        bad = [facts for facts in told if facts["worst"] == CheckState.WRONG]
        if bad:
            raise CommandError(f"Something is wrong in {quantities.tenants(len(bad))} of {len(told)}; see above.")

    def _show(self, facts: dict[str, Any]) -> None:
        self.stdout.write(f"{facts['tenant']} ({facts['tenant_id']}), checked {facts['checked_at']}")
        for item in facts["items"]:
            self.stdout.write(f"  {SIGNS[CheckState(item['state'])]:<8} {item['sentence']}")
            if item["remedy"]:
                self.stdout.write(f"  {'':<8} -> {item['remedy']}")
        if any(item["consent"] for item in facts["items"]):
            self.stdout.write(f"  {'':<8} -> The consent link is on this page: {facts['page']}")


def _tenants(key: str | None, by: Technician) -> list[Tenant]:
    seen = Tenant.objects.visible_to(by).at_microsoft()
    if key is None:
        return list(seen)
    try:
        wanted = Q(directory_id=UUID(key))
    except ValueError:
        wanted = Q(default_domain__iexact=key)
    found = list(seen.filter(wanted))
    if not found:
        raise CommandError(f"There is no tenant {key} here; nothing was read.")
    return found


def _checks(asked: list[Tenant], by: Technician) -> Iterator[TenantCheck]:
    """Several tenants in threads, so that one that hangs does not hold up the others; in the order asked for."""
    ways = outside()
    if len(asked) == 1:
        yield check_tenant(asked[0], by=by, outside=ways)
        return

    def one(tenant: Tenant) -> TenantCheck:
        try:
            return check_tenant(tenant, by=by, outside=ways)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check") as pool:
        yield from pool.map(one, asked)


def _facts(check: TenantCheck) -> dict[str, Any]:
    """{"tenant", "tenant_id", "checked_at", "worst", "page", "items": [a CheckItem as plain values]}."""
    base = (env.text("LATCHKEY_URL") or Home.here().address() or DEFAULT_BASE).rstrip("/")
    return {
        "tenant": check.tenant.default_domain,
        "tenant_id": str(check.tenant.directory_id),
        "checked_at": f"{check.checked_at:%Y-%m-%dT%H:%M:%SZ}",
        "worst": check.worst,
        "page": base + reverse("tenants:check", args=[check.tenant_id]),
        "items": check.items,
    }
