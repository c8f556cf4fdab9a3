"""A person gives us a shared password, or corrects the one that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from technicians.actions.tell_holders import tell_holders
from technicians.models import Assignment, Technician
from tenants.actions.store_password import LONGEST, store_password
from tenants.models import SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside


@transaction.atomic
def enter_password(
    account: SharedAccount, password: str, *, by: Technician, reason: str, corrects: bool, outside: Outside
) -> SecretVersion | None:
    """Byte for byte, as the version in force; the earlier ones stay in the history. None when it is in force already.

    Everybody else who holds the account is told that there is a new one.
    `corrects` says that the one here was wrong from the beginning. Raises NotPermitted, BadInput, LedgerClosed.
    """
    demand_carer(by, account)
    if not reason.strip():
        raise BadInput(_("Say where this password comes from; it was not taken."))
    if not password:
        raise BadInput(_("The password is missing; nothing was changed."))
    if len(password) > LONGEST:
        raise BadInput(
            _("No password at Microsoft has more than %(most)d characters; it was not taken.") % {"most": LONGEST}
        )
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in password):
        raise BadInput(
            _("There is a line break or another control character in it, which cannot be typed; it was not taken.")
        )
    source = SecretVersion.Source.CORRECTED if corrects else SecretVersion.Source.ENTERED
    version = store_password(account, password, by=by, outside=outside, source=source, note=reason.strip())
    if version is not None:
        tell_holders(version)
    return version


def may_care(person: Technician, account: SharedAccount) -> bool:
    """Whoever may change passwords, and whoever holds this account now and may see its password."""
    if person.reseller_id != account.reseller_id:
        return False
    holds = Assignment.objects.live().filter(technician=person, account=account)
    return person.may("rotate") or (person.may("reveal") and holds.exists())


def demand_carer(person: Technician, account: SharedAccount) -> None:
    """Raises NotPermitted. The row lock makes a departure at this moment come before or after, never in between."""
    person = Technician.objects.select_for_update().get(pk=person.pk)
    if not may_care(person, account):
        raise NotPermitted(_("This account is not assigned to you now; its password was not changed."))
