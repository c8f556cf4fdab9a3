"""Come to a tenant in another way: as the app consented there, or as the partner's user through GDAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from msp.ledger.record import record
from tenants.actions.add_customers import require_customer_rights
from tenants.models import Tenant

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def change_access(tenant: Tenant, *, by: Technician, access: Tenant.Access) -> None:
    """The next call to this tenant goes the new way. Raises NotPermitted, LedgerClosed."""
    require_customer_rights(by)
    if tenant.access == access:
        return
    was, tenant.access = tenant.access, access
    tenant.save(update_fields=["access"])
    record("tenant.access_changed", reseller_id=tenant.reseller_id, actor=by, tenant_id=tenant.pk, was=was, now=access)
