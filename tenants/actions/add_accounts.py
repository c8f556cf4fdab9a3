"""Put shared accounts under Latchkey's care."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.models import SharedAccount, Tenant

if TYPE_CHECKING:
    from technicians.models import Technician


@dataclass(frozen=True)
class NewAccount:
    """A directory user that several technicians use. `object_id` may be "": the first reading finds it."""

    tenant: Tenant
    user_principal_name: str
    object_id: str = ""
    owner: str = ""
    justification: str = ""
    break_glass: bool = False


@transaction.atomic
def add_accounts(new: Sequence[NewAccount], *, by: Technician) -> list[SharedAccount]:
    """All of them or none, without passwords. Raises NotPermitted, BadInput (one is here already), LedgerClosed."""
    if not by.may("import"):
        raise NotPermitted(_("Your role may not add shared accounts; nothing was changed."))
    seen = set(Tenant.objects.visible_to(by).filter(pk__in={n.tenant.pk for n in new}).values_list("pk", flat=True))
    if any(n.tenant.pk not in seen for n in new):
        raise NotPermitted(_("You do not see one of these tenants; nothing was changed."))
    accounts = [
        SharedAccount(
            reseller_id=by.reseller_id,
            tenant=n.tenant,
            user_principal_name=n.user_principal_name,
            object_id=n.object_id,
            owner=n.owner,
            justification=n.justification,
            break_glass=n.break_glass,
        )
        for n in new
    ]
    try:
        with transaction.atomic():
            SharedAccount.objects.bulk_create(accounts, batch_size=1000)
    except IntegrityError as clash:
        raise BadInput(
            _("Somebody else added one of these accounts at the same moment. Nothing was saved; try again.")
        ) from clash
    for account in accounts:
        record(
            "account.added",
            reseller_id=by.reseller_id,
            actor=by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            user_principal_name=account.user_principal_name,
            object_id=account.object_id,
            owner=account.owner,
            break_glass=account.break_glass,
        )
    return accounts
