"""A customer has another name, or a tenant another default domain. The directory stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from msp.ledger.record import record
from tenants.actions.add_customers import require_customer_rights
from tenants.models import Tenant

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def change_customer(tenant: Tenant, *, by: Technician, name: str, default_domain: str) -> None:
    """Needs `customer` loaded. Raises NotPermitted, LedgerClosed. The same values again change nothing."""
    require_customer_rights(by)
    customer = tenant.customer
    was = {"name": customer.name, "domain": tenant.default_domain}
    now = {"name": name, "domain": default_domain}
    if was == now:
        return
    customer.name, tenant.default_domain = name, default_domain
    customer.save(update_fields=["name"])
    tenant.save(update_fields=["default_domain"])
    record("customer.changed", reseller_id=tenant.reseller_id, actor=by, tenant_id=tenant.pk, was=was, now=now)
