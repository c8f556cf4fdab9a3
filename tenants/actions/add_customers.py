"""Take up customers with their tenants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.models import Customer, Reach, Tenant

if TYPE_CHECKING:
    from technicians.models import Technician


@dataclass(frozen=True)
class NewCustomer:
    """A company and its one directory. Two customers may have one name; no two have one directory."""

    name: str
    directory_id: UUID
    default_domain: str


@transaction.atomic
def add_customers(new: Sequence[NewCustomer], *, by: Technician) -> list[Tenant]:
    """All of them or none. Raises NotPermitted, BadInput (a directory is here already), LedgerClosed."""
    require_customer_rights(by)
    customers = [Customer(reseller_id=by.reseller_id, name=n.name) for n in new]
    tenants = [
        Tenant(
            reseller_id=by.reseller_id,
            customer=customer,
            directory_id=n.directory_id,
            default_domain=n.default_domain,
        )
        for customer, n in zip(customers, new, strict=True)
    ]
    try:
        with transaction.atomic():
            Customer.objects.bulk_create(customers, batch_size=1000)
            Tenant.objects.bulk_create(tenants, batch_size=1000)
    except IntegrityError as clash:
        raise BadInput(
            _("Somebody else added one of these tenants at the same moment. Nothing was saved; try again.")
        ) from clash
    for tenant in tenants:
        record(
            "customer.added",
            reseller_id=by.reseller_id,
            actor=by,
            tenant_id=tenant.pk,
            name=tenant.customer.name,
            directory_id=tenant.directory_id,
            domain=tenant.default_domain,
        )
    return tenants


def require_customer_rights(by: Technician) -> None:
    """Who sees only some tenants would not even see the new ones."""
    if not by.may("import"):
        raise NotPermitted(_("Your role may not add customers; nothing was changed."))
    if by.reach != Reach.EVERYTHING:
        raise NotPermitted(
            _(
                "You see only some tenants, and a list of customers concerns all of them. "
                "Ask somebody who sees all of them; nothing was changed."
            )
        )
