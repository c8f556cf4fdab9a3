"""Take up a place of a customer that is no Microsoft tenant: a firewall, a registrar, a backup portal."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.actions.add_customers import require_customer_rights
from tenants.models import Customer, Tenant

if TYPE_CHECKING:
    from technicians.models import Technician


@dataclass(frozen=True)
class NewPlace:
    """What people call it, which system it is, and where one signs in ("" when that is not a web page)."""

    name: str
    system: Tenant.System
    sign_in_address: str = ""


@transaction.atomic
def add_place(customer: Customer, new: NewPlace, *, by: Technician) -> Tenant:
    """Raises NotPermitted, BadInput (no name, a Microsoft tenant, a name that is taken, no address), LedgerClosed."""
    require_customer_rights(by)
    if not Customer.objects.visible_to(by).filter(pk=customer.pk).exists():
        raise NotPermitted(_("You do not see this customer; nothing was changed."))
    name = new.name.strip()
    if not name:
        raise BadInput(_("Say what this place is called; nothing was saved."))
    if new.system == Tenant.System.ENTRA:
        raise BadInput(_("A Microsoft tenant is imported with its customer; nothing was saved."))
    address = new.sign_in_address.strip()
    if address and urlsplit(address).scheme not in ("https", "http"):
        raise BadInput(_("An address of a page begins with https://. Leave it empty for a place without one."))
    if Tenant.objects.filter(reseller_id=by.reseller_id, default_domain__iexact=name).exists():
        raise BadInput(
            _("Something here is called %(name)s already. Choose a name of its own; nothing was saved.")
            % {"name": name}
        )
    place = Tenant.objects.create(
        reseller_id=by.reseller_id,
        customer=customer,
        directory_id=uuid.uuid4(),
        default_domain=name,
        system=new.system,
        sign_in_address=address,
    )
    record(
        "place.added",
        reseller_id=by.reseller_id,
        actor=by,
        tenant_id=place.pk,
        customer=customer.name,
        name=name,
        system=str(new.system),
        sign_in_address=address,
    )
    return place
