"""Destroy every secret of one tenant for ever by destroying its keys, when the customer goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.models import Tenant

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


@transaction.atomic
def shred_secrets(tenant: Tenant, *, by: Technician, reason: str, outside: Outside) -> int:
    """Says how many data keys were destroyed; a reveal says so from now on. Passwords set later get a key of their own.

    What stays: rows, ledger and evidence, and whatever backups hold as long as their root key exists
    (docs/key-rotation.md). Raises NotPermitted, BadInput without a reason or without a key, LedgerClosed.
    """
    if not by.may("shred_secrets") or not Tenant.objects.visible_to(by).filter(pk=tenant.pk).exists():
        raise NotPermitted(_("Only an owner may destroy the secrets of a tenant; all of them still open."))
    if not reason.strip():
        raise BadInput(_("Say why the secrets are destroyed; nothing was changed."))
    destroyed = outside.vault.destroy(tenant.reseller_id, tenant.pk)
    if not destroyed:
        raise BadInput(
            _("%s has no key that could be destroyed: no secret of it opens, or none was ever stored.") % tenant
        )
    record(
        "secrets.shredded",
        reseller_id=tenant.reseller_id,
        actor=by,
        tenant_id=tenant.pk,
        keys=destroyed,
        reason=reason.strip(),
    )
    return destroyed
