"""Say whose an observed method is."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.models import Authenticator, Technician
from tenants.actions.observe_account import flag_methods
from tenants.models import Method


def bind_authenticator(
    method: Method, technician: Technician, *, by: Technician, proof: Authenticator.Proof, label: str = ""
) -> Authenticator:
    """Raises NotPermitted, and BadInput when the method is somebody else's or gone.

    The same binding twice is the same binding.
    """
    if technician.reseller_id != method.reseller_id or by.reseller_id != method.reseller_id:
        raise NotPermitted(_("This method belongs to another reseller; nothing was changed."))
    if not technician.is_active:
        raise BadInput(_("%(name)s has left: nothing can be bound to somebody who is gone.") % {"name": technician})
    if method.removed_at is not None:
        raise BadInput(_("This method is not on the account any more; nothing was bound."))
    account = method.account
    try:
        with transaction.atomic():
            bound, made = Authenticator.objects.get_or_create(
                method=method,
                defaults={
                    "reseller_id": method.reseller_id,
                    "technician": technician,
                    "proof": proof,
                    "label": label,
                    "bound_by": by,
                },
            )
            if bound.technician_id != technician.pk:
                raise BadInput(
                    _("This method is bound to %(name)s already; nothing was changed.") % {"name": bound.technician}
                )
            if made:
                record(
                    "authenticator.bound",
                    reseller_id=method.reseller_id,
                    actor=by,
                    tenant_id=account.tenant_id,
                    account_id=account.pk,
                    technician_id=technician.pk,
                    method=str(method.pk),
                    proof=proof,
                )
                flag_methods(account)
    except IntegrityError as clash:
        raise BadInput(_("Somebody else bound this method at the same moment; look again.")) from clash
    return bound
