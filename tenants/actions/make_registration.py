"""Choose a seed for one person on one account and write it down, before anybody sees it or anything is sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from msp.microsoft.ports import SLOT_KINDS
from tenants.models import Registration, SharedAccount
from tenants.token_plans import display_name, new_serial, places_left

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

SEED_BYTES = 20
"""160 bits, from the system's generator (RFC 4226 section 4, R6: the length recommended)."""


def make_registration(
    account: SharedAccount,
    holder: Technician,
    *,
    by: Technician,
    outside: Outside,
    taken_besides: Callable[[], int] = lambda: 0,
) -> tuple[Registration, bytes]:
    """The registration, and the seed for whoever asks for it now. Call it in a transaction.

    Raises BadInput when all places of the account are taken: registrations under way count, so of two people who
    want the last place one gets it. `taken_besides` counts places that are spoken for elsewhere; it is asked once the
    account's row is locked, which it stays until the caller's transaction ends.
    """
    SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
    if free_places(account) <= taken_besides():
        raise BadInput(
            _(
                "All five authenticator places of %(account)s are taken, or somebody is just taking the last one. "
                "Nothing was made and no code was shown: remove an authenticator that nobody uses first."
            )
            % {"account": account}
        )
    seed = secrets.token_bytes(SEED_BYTES)
    registration = Registration(
        reseller_id=account.reseller_id,
        account=account,
        holder=holder,
        serial=new_serial(tenant_id=account.tenant_id, holder_id=holder.pk, nonce=secrets.token_bytes(5)),
        display_name=display_name(str(holder), str(account.reseller)),
    )
    registration.sealed = outside.vault.seal(seed, registration.place)
    registration.save(force_insert=True)
    record(
        "registration.made",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=holder.pk,
        registration=str(registration.pk),
        serial=registration.serial,
    )
    return registration, seed


def free_places(account: SharedAccount) -> int:
    """How many authenticators still fit, as of the last reading; those under way count as there."""
    taken = account.methods.present().filter(kind__in=SLOT_KINDS).count()
    return places_left(taken, account.registrations.under_way().count())
