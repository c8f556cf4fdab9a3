"""Open and resolve findings; the same trouble twice is one finding."""

from __future__ import annotations

from collections.abc import Collection

from django.utils import timezone

from tenants.models import Finding, Method, SharedAccount, Tenant


def open_finding(
    kind: Finding.Kind,
    *,
    tenant: Tenant,
    account: SharedAccount | None = None,
    method: Method | None = None,
    detail: str = "",
) -> None:
    """Open a finding, unless the same one is there and not resolved: then only its detail is brought up to date.

    Call it inside the transaction of what it is about.
    """
    same = Finding.objects.filter(tenant=tenant, account=account, method=method, kind=kind)
    if not same.exclude(status=Finding.Status.RESOLVED).update(detail=detail):
        row = Finding(
            reseller_id=tenant.reseller_id, tenant=tenant, account=account, method=method, kind=kind, detail=detail
        )
        Finding.objects.bulk_create([row], ignore_conflicts=True)


def resolve_findings(
    account: SharedAccount, *, kinds: Collection[Finding.Kind] = (), method: Method | None = None
) -> None:
    """All of the account, or those of these kinds, or those about this method."""
    found = account.findings.exclude(status=Finding.Status.RESOLVED)
    if kinds:
        found = found.filter(kind__in=kinds)
    if method is not None:
        found = found.filter(method=method)
    found.update(status=Finding.Status.RESOLVED, changed_at=timezone.now())


def resolve_tenant_findings(tenant: Tenant, *, kind: Finding.Kind) -> None:
    """Those that are about the tenant as a whole."""
    found = tenant.findings.filter(account=None, kind=kind).exclude(status=Finding.Status.RESOLVED)
    found.update(status=Finding.Status.RESOLVED, changed_at=timezone.now())
