"""Several passwords may sign in: a person who tried says which one does, or asks Latchkey to find out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from technicians.actions.enter_password import demand_carer
from technicians.actions.tell_holders import tell_holders
from technicians.models import Technician
from tenants.actions.reconcile_password import Found, reconcile_password
from tenants.actions.say_which_signs_in import say_which_signs_in
from tenants.models import SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside


@transaction.atomic
def settle_password(version: SecretVersion, *, by: Technician, reason: str) -> None:
    """Whoever holds the account is told when that version is new to them.

    Raises NotPermitted, BadInput, LedgerClosed; then nothing was changed.
    """
    demand_carer(by, version.secret.account)
    is_new = version.current_from is None
    say_which_signs_in(version, by=by, reason=reason)
    if is_new:
        version.refresh_from_db()
        tell_holders(version)


def find_out_which_signs_in(
    account: SharedAccount, *, by: Technician, outside: Outside
) -> tuple[Found, SecretVersion | None]:
    """Raises NotPermitted, BadInput when nothing is open, and what reading the account raises."""
    with transaction.atomic():
        demand_carer(by, account)
    return reconcile_password(account, by=by, outside=outside)
