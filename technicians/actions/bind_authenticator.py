"""Say whose an observed method is."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.spare_method import spare_method
from technicians.models import Authenticator, Technician
from tenants.actions.observe_account import flag_methods
from tenants.models import Method, SharedAccount


def bind_authenticator(
    method: Method,
    technician: Technician,
    *,
    by: Technician,
    proof: Authenticator.Proof,
    label: str = "",
    note: str = "",
) -> Authenticator:
    """Raises NotPermitted, and BadInput when the method is somebody else's, gone, or being removed right now.

    The same binding twice is the same binding. A removal that was planned and not sent yet does not happen.
    """
    if technician.reseller_id != method.reseller_id or by.reseller_id != method.reseller_id:
        raise NotPermitted(_("This method belongs to another reseller; nothing was changed."))
    if not technician.is_active:
        raise BadInput(_("%(name)s has left or is away: nothing can be bound to them.") % {"name": technician})
    account = method.account
    try:
        with transaction.atomic():
            # Whoever plans the removal of unknown methods takes this lock too, and so sees this binding or is seen.
            SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
            method.refresh_from_db(fields=["removed_at"])
            if method.removed_at is not None:
                raise BadInput(_("This method is not on the account any more; nothing was bound."))
            bound, made = Authenticator.objects.get_or_create(
                method=method,
                defaults={
                    "reseller_id": method.reseller_id,
                    "technician": technician,
                    "proof": proof,
                    "label": label,
                    "note": note,
                    "bound_by": by,
                },
            )
            if bound.technician_id != technician.pk:
                raise BadInput(
                    _("This method is bound to %(name)s already; nothing was changed.") % {"name": bound.technician}
                )
            if made:
                spare_method(method, bound)
                record(
                    "authenticator.bound",
                    reseller_id=method.reseller_id,
                    actor=by,
                    tenant_id=account.tenant_id,
                    account_id=account.pk,
                    technician_id=technician.pk,
                    method=str(method.pk),
                    proof=proof,
                    note=note,
                )
                flag_methods(account)
    except IntegrityError as clash:
        raise BadInput(_("Somebody else bound this method at the same moment; look again.")) from clash
    return bound
