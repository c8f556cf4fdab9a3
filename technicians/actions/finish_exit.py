"""The end of a customer's exit: the keys are destroyed, and no secret of the customer opens any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.vault.models import DataKey
from technicians.actions.departure_rules import demand_sees_everything
from technicians.models import HandOverLink, Technician
from tenants.actions.shred_secrets import shred_secrets
from tenants.models import CustomerExit, Run, Tenant
from tenants.plans import RunState

if TYPE_CHECKING:
    from msp.outside import Outside

ENDS_IN = (RunState.CLEAN, RunState.CLEAN_WITH_EXCEPTIONS)


@transaction.atomic
def finish_exit(going: CustomerExit, *, by: Technician, reason: str, outside: Outside) -> int:
    """Says how many data keys were destroyed. There is no way back.

    Only an owner, only after the customer has confirmed the package, and only once the run is clean, second look and
    all. Raises NotPermitted, BadInput, LedgerClosed; then nothing was destroyed.
    """
    if not by.may("shred_secrets"):
        raise NotPermitted(_("Only an owner may destroy the keys of a customer; all of them still open."))
    demand_sees_everything(by, reseller_id=going.reseller_id)
    going = CustomerExit.objects.select_for_update(of=("self",)).select_related("run", "customer").get(pk=going.pk)
    if not reason.strip():
        raise BadInput(_("Say why the keys are destroyed now; nothing was changed."))
    if stands_in_the_way := why_not_yet(going):
        raise BadInput(f"{stands_in_the_way} {_('Nothing was destroyed.')}")
    destroyed = 0
    for tenant in Tenant.objects.filter(customer=going.customer).select_related("customer"):
        if DataKey.objects.that_open().of(tenant.reseller_id, tenant.pk).exists():
            destroyed += shred_secrets(tenant, by=by, reason=reason, outside=outside)
    # A link keeps its own key, so that destroying ours does not close it.
    HandOverLink.objects.filter(version__secret__account__tenant__customer=going.customer).exclude(
        ciphertext=b""
    ).update(ciphertext=b"", withdrawn_at=timezone.now(), withdrawn_by=by)
    going.ended_at, going.ended_by, going.keys_destroyed = timezone.now(), by, destroyed
    going.save(update_fields=["ended_at", "ended_by", "keys_destroyed"])
    record(
        "customer.exit_ended",
        reseller_id=going.reseller_id,
        actor=by,
        run_id=going.run_id,
        customer=going.customer.name,
        keys=destroyed,
        reason=reason.strip(),
    )
    return destroyed


def why_not_yet(going: CustomerExit) -> str:
    """What stands in the way of the end, "" when nothing does."""
    if going.ended_at is not None:
        return _("This exit has ended already.")
    if going.received_at is None:
        return _(
            "The customer has not confirmed the package, and once the keys are destroyed nobody can make another one."
        )
    state = Run.objects.with_counts().get(pk=going.run_id).state
    if state not in ENDS_IN:
        return _(
            "The run is not clean yet (%(state)s). Wait for its second look, or settle there what needs a person."
        ) % {"state": state.label}
    return ""
