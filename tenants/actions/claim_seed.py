"""Write down whose a seed is, so that nobody else and no other account ever gets the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from tenants.actions.seed_digest import digest_key, digest_key_if_any, seed_digest
from tenants.models import SeedFingerprint, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


def claim_seed(
    account: SharedAccount, seed: bytes, *, holder: Technician, by: Technician, outside: Outside, origin: str
) -> SeedFingerprint:
    """From now on this seed is `holder`'s on this account alone. The seed itself is not kept here.

    Call it in the transaction of its cause. The same person on the same account again is the same claim. `origin`
    says where the seed came from, at most 100 characters. Raises BadInput when the reseller has seen the seed for
    anybody or anything else, KeyTrouble, LedgerClosed.
    """
    digest = seed_digest(seed, digest_key(account.reseller_id, outside))
    known = _seen(account, digest)
    if why := _why_refused(known, account, holder):
        raise BadInput(why)
    if known:
        return known[0]
    try:
        with transaction.atomic():
            claimed = SeedFingerprint.objects.create(
                reseller_id=account.reseller_id, account=account, digest=digest, holder=holder, found_in=origin[:100]
            )
    except IntegrityError:
        # Somebody was faster between the look and the write, and now it can be said who.
        raise BadInput(_why_refused(_seen(account, digest), account, holder) or _elsewhere()) from None
    record(
        "seed.claimed",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=holder.pk,
        origin=origin,
    )
    return claimed


def why_seed_refused(account: SharedAccount, seed: bytes, *, holder: Technician, outside: Outside) -> str:
    """Why `claim_seed` would refuse it, in a sentence; "" when it would not. Changes nothing. Raises KeyTrouble."""
    key = digest_key_if_any(account.reseller_id, outside)
    return _why_refused(_seen(account, seed_digest(seed, key)), account, holder) if key else ""


def _seen(account: SharedAccount, digest: bytes) -> list[SeedFingerprint]:
    found = SeedFingerprint.objects.filter(reseller_id=account.reseller_id, digest=digest)
    return list(found.select_related("holder"))


def _why_refused(known: Iterable[SeedFingerprint], account: SharedAccount, holder: Technician) -> str:
    """Names a colleague only on the account that both have, and never another account: the reader may not see it."""
    for one in known:
        if one.holder is None:
            return _in_a_file()
        if one.account_id != account.pk:
            return _elsewhere()
        if one.holder_id != holder.pk:
            return _(
                "%(name)s enrolled with this very key. Two people with one key show the same codes: nobody could tell "
                "whose phone it was, and neither could be removed alone. Nothing was bound, and %(name)s's "
                "authenticator stays. Start again on Microsoft's page: it shows a new key each time."
            ) % {"name": one.holder}
    return ""


def _in_a_file() -> str:
    return _(
        "This key was in a file that was imported, so whoever had that file may show the same codes. Nothing was "
        "bound. Start again on Microsoft's page: it shows a new key each time."
    )


def _elsewhere() -> str:
    return _(
        "This key belongs to another account already. Every account gets a key of its own, so that losing one does "
        "not open the other. Nothing was bound. Start again on Microsoft's page: it shows a new key each time."
    )
