"""What people say about a shared account has changed: who answers for it, why it exists, how soon access must go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.models import AccountClass, SharedAccount

if TYPE_CHECKING:
    from technicians.models import Technician

CHANGEABLE = ("object_id", "owner", "justification", "break_glass", "account_class")


@transaction.atomic
def change_account(account: SharedAccount, *, by: Technician, **changes: str | bool) -> None:
    """Set the fields given (of CHANGEABLE). Raises NotPermitted, BadInput (object id taken, no class), LedgerClosed.

    A class holds for runs that start from now on; those under way keep their deadlines.
    """
    if not by.may("import") or not SharedAccount.objects.visible_to(by).filter(pk=account.pk).exists():
        raise NotPermitted(_("Your role may not change this account; nothing was changed."))
    unknown = changes.keys() - set(CHANGEABLE)
    if unknown:
        raise ValueError(f"{sorted(unknown)} cannot be changed here")
    if changes.get("account_class", AccountClass.STANDARD) not in AccountClass.values:
        raise BadInput(_("There is no such class of accounts; %(account)s was not changed.") % {"account": account})
    was = {name: getattr(account, name) for name in changes}
    if was == changes:
        return
    for name, value in changes.items():
        setattr(account, name, value)
    try:
        with transaction.atomic():
            account.save(update_fields=list(changes))
    except IntegrityError as clash:
        raise BadInput(
            _("Another account of this tenant has that object id already; %(account)s was not changed.")
            % {"account": account}
        ) from clash
    record(
        "account.changed",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        was=was,
        now=changes,
    )
