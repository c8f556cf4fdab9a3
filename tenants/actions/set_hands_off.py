"""Say that Latchkey may change nothing in a tenant, or that it may again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.models import Tenant

if TYPE_CHECKING:
    from technicians.models import Technician

RIGHT = "set_policies"


@transaction.atomic
def set_hands_off(tenant: Tenant, hands_off: bool, *, by: Technician, reason: str) -> None:
    """It holds for every act that is not sent yet. Raises NotPermitted, BadInput (no reason, guided), LedgerClosed."""
    if not by.may(RIGHT) or not Tenant.objects.visible_to(by).filter(pk=tenant.pk).exists():
        raise NotPermitted(_("Your role may not decide what Latchkey may do in a tenant; nothing was changed."))
    if not reason.strip():
        raise BadInput(_("Say why; nothing was changed."))
    held = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if held.is_guided:
        raise BadInput(
            _("%(place)s is no Microsoft tenant: people do everything there already. Nothing was changed.")
            % {"place": tenant}
        )
    if held.hands_off == hands_off:
        raise BadInput(_("It is so already; nothing was changed."))
    held.hands_off = hands_off
    held.save(update_fields=["hands_off"])
    record(
        "tenant.hands_off" if hands_off else "tenant.hands_on",
        reseller_id=tenant.reseller_id,
        actor=by,
        tenant_id=tenant.pk,
        reason=reason.strip(),
    )
    tenant.hands_off = hands_off
