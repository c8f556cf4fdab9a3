"""What the pages of customers and tenants read, each in a constant number of queries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from msp.microsoft.ports import SLOT_KINDS
from tenants.models import Customer, Finding, Method, SharedAccount, Target, Tenant, within
from tenants.models.method import NEVER_A_PERSONS
from tenants.run_queries import RunRow, run_rows, runs_seen_by

NEWEST = 10
"""How many of the newest rows a page shows of a list that has a page of its own."""

SHOW = {
    "": _("All tenants"),
    "findings": _("With open findings"),
    "unknown": _("With methods of nobody"),
    "unconnected": _("Without connection"),
    "unread": _("Never read"),
}
"""The filters of the list of tenants, by the word in the address."""


@dataclass(frozen=True)
class TenantRow:
    """One line of the list of tenants; the counts are of what the reader may see."""

    tenant: Tenant
    accounts: int
    technicians: int
    findings: int


def tenants_like(user: Any, *, words: str = "", show: str = "") -> QuerySet[Tenant]:
    """The tenants that the reader sees, narrowed by words in customer or domain and by one of SHOW."""
    found: QuerySet[Tenant] = (
        Tenant.objects.visible_to(user).select_related("customer").order_by("customer__name", "default_domain")
    )
    for word in words.split():
        found = found.filter(Q(customer__name__icontains=word) | Q(default_domain__icontains=word))
    narrowed = {
        "findings": Exists(Finding.objects.open().filter(tenant=OuterRef("pk"))),
        "unknown": Exists(Method.objects.unknown().filter(account__tenant=OuterRef("pk"))),
        "unconnected": ~Q(connection_problem=""),
        "unread": Q(observed_at__isnull=True, system=Tenant.System.ENTRA),
    }
    return found.filter(narrowed[show]) if show in narrowed else found


def tenant_rows(tenants: Iterable[Tenant], user: Any) -> list[TenantRow]:
    """The counts of the tenants of one page: two queries, however many tenants."""
    page = list(tenants)
    live = within("assignments", timezone.now(), start="from_at", end="until_at")
    counted = {
        tenant: (accounts, people)
        for tenant, accounts, people in SharedAccount.objects.visible_to(user)
        .filter(tenant__in=page)
        .order_by()
        .values("tenant")
        .annotate(n=Count("pk", distinct=True), people=Count("assignments__technician", filter=live, distinct=True))
        .values_list("tenant", "n", "people")
    }
    findings = dict(
        Finding.objects.visible_to(user)
        .open()
        .filter(tenant__in=page)
        .order_by()
        .values("tenant")
        .annotate(n=Count("pk"))
        .values_list("tenant", "n")
    )
    return [TenantRow(t, *counted.get(t.pk, (0, 0)), findings.get(t.pk, 0)) for t in page]


def accounts_with_counts(accounts: QuerySet[Any]) -> QuerySet[Any]:
    """Each account with `slots_used`, `unknown_methods` and `holders` (people with a live assignment)."""
    present = Q(methods__removed_at__isnull=True)
    nobodys = present & Q(methods__authenticator__isnull=True) & ~Q(methods__kind__in=NEVER_A_PERSONS)
    live = within("assignments", timezone.now(), start="from_at", end="until_at")
    return accounts.annotate(
        slots_used=Count("methods", filter=present & Q(methods__kind__in=SLOT_KINDS), distinct=True),
        unknown_methods=Count("methods", filter=nobodys, distinct=True),
        holders=Count("assignments__technician", filter=live, distinct=True),
    )


def accounts_with_unknown_methods(user: Any) -> QuerySet[Any]:
    return SharedAccount.objects.visible_to(user).filter(
        Exists(Method.objects.unknown().filter(account=OuterRef("pk")))
    )


def runs_on(user: Any, *, tenant: Tenant | None = None, account: SharedAccount | None = None) -> list[RunRow]:
    """The newest runs that touch this tenant or this account; `account` wins."""
    about = {"account": account} if account else {"account__tenant": tenant}
    touching = Target.objects.visible_to(user).filter(**about).values("run_id")
    return run_rows(runs_seen_by(user).filter(pk__in=touching)[:NEWEST], user)


def oldest_and_newest_reading(user: Any) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Between which moments the tenants in reach were last read."""
    seen = Tenant.objects.visible_to(user).filter(observed_at__isnull=False).order_by("observed_at")
    times = seen.values_list("observed_at", flat=True)
    return times.first(), times.last()


def found_by(user: Any, words: str, *, limit: int) -> dict[str, list[Any]]:
    """What the search box finds: customers, tenants, shared accounts; every word must occur."""
    customers, tenants = Customer.objects.visible_to(user), Tenant.objects.visible_to(user).select_related("customer")
    accounts = SharedAccount.objects.visible_to(user).select_related("tenant__customer")
    for word in words.split():
        customers = customers.filter(name__icontains=word)
        tenants = tenants.filter(default_domain__icontains=word)
        accounts = accounts.filter(
            Q(user_principal_name__icontains=word)
            | Q(display_name__icontains=word)
            | Q(tenant__customer__name__icontains=word)
        )
    return {
        "customers": list(customers[:limit]),
        "tenants": list(tenants[:limit]),
        "accounts": list(accounts[:limit]),
    }
