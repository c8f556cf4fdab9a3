"""Show the shared password once to one person: written down first, shown afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.models import Assignment, Reveal, Technician
from tenants.models import SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside


@dataclass(frozen=True)
class Shown:
    """One version, in clear, with what is known about it. Never log or store it."""

    version: SecretVersion
    password: str

    def __repr__(self) -> str:
        return f"Shown({self.version})"


def reveal_password(technician: Technician, account: SharedAccount, *, reason: str, outside: Outside) -> list[Shown]:
    """The version in force; while a change is not proven, that one too, so that one of them signs in.

    The door has asked for a fresh second factor. Raises NotPermitted without a live assignment, BadInput without a
    reason or without a stored password, LedgerClosed when it cannot be written down: then nothing is shown.
    """
    if not reason.strip():
        raise BadInput(_("Say what you need the password for; it was not shown."))
    with transaction.atomic():
        live = Assignment.objects.live().filter(technician=technician, account=account)
        # The row lock makes an offboarding that runs at this moment come before or after, never in between.
        person = Technician.objects.select_for_update().get(pk=technician.pk)
        if not person.may("reveal") or not live.exists():
            raise NotPermitted(_("This account is not assigned to you now; the password was not shown."))
        versions = list(
            SecretVersion.objects.filter(secret__account=account)
            .that_may_sign_in()
            .select_related("secret__account")
            .order_by("number")
        )
        if not versions:
            raise BadInput(_("Latchkey has no password of this account; import it, or rotate it once."))
        for version in versions:
            Reveal.objects.create(
                reseller_id=account.reseller_id, technician=person, version=version, reason=reason.strip()[:500]
            )
            record(
                "password.revealed",
                reseller_id=account.reseller_id,
                actor=person,
                tenant_id=account.tenant_id,
                account_id=account.pk,
                technician_id=person.pk,
                version=version.number,
                reason=reason.strip(),
            )
    return [Shown(v, outside.vault.open(bytes(v.sealed), v.place).decode()) for v in versions]
