"""Say which second factor somebody has in a guided place: nobody can read it there, so it rests on a word."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.microsoft.ports import MethodKind
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Assignment, Authenticator, Technician
from tenants.models import Method, SharedAccount

KINDS = (
    MethodKind.SOFTWARE_OATH,
    MethodKind.HARDWARE_OATH,
    MethodKind.FIDO2,
    MethodKind.PHONE,
    MethodKind.MICROSOFT_AUTHENTICATOR,
)
"""What a place that is not Microsoft's may ask for besides a password."""


@transaction.atomic
def state_authenticator(
    account: SharedAccount, technician: Technician, *, kind: MethodKind, label: str, by: Technician
) -> Authenticator:
    """It counts as this person's way in from now on. Its id is ours, because no directory gave one.

    Raises NotPermitted, BadInput (not a guided place, not assigned, no label), LedgerClosed; then nothing was changed.
    """
    if by.pk != technician.pk and not by.may("enrol"):
        raise NotPermitted(_("Your role may not say what others carry; nothing was changed."))
    if not SharedAccount.objects.visible_to(by).filter(pk=account.pk).exists() or not by.may("see_accounts"):
        raise NotPermitted(_("This account is not assigned to you now; nothing was changed."))
    if by.pk == technician.pk and not (by.may("enrol") or by.may("reveal")):
        raise NotPermitted(_("Your role holds no accounts; nothing was changed."))
    if not account.tenant.is_guided:
        raise BadInput(_("What is on this account is read at Microsoft. Enrol there; nothing was changed."))
    if kind not in KINDS:
        raise BadInput(_("Choose one of the kinds; nothing was changed."))
    if not label.strip():
        raise BadInput(_("Say how the device can be told from others; nothing was changed."))
    if not Assignment.objects.live().filter(technician=technician, account=account).exists():
        raise BadInput(
            _("%(account)s is not assigned to %(name)s; assign it first.") % {"account": account, "name": technician}
        )
    now = timezone.now()
    method = Method.objects.create(
        reseller_id=account.reseller_id,
        account=account,
        kind=kind,
        directory_id=str(uuid.uuid4()),
        label=label.strip()[:256],
        first_seen_at=now,
        last_seen_at=now,
    )
    record(
        "method.stated",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        method=str(method.pk),
        kind=str(kind),
        label=method.label,
    )
    proof = Authenticator.Proof.CLAIMED if by.pk == technician.pk else Authenticator.Proof.SAID
    return bind_authenticator(method, technician, by=by, proof=proof, label=method.label)
