"""Remember that a seed was seen outside Latchkey, by its fingerprint. The seed itself is never kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import NotPermitted
from msp.ledger.record import record
from msp.vault.kept import Kept
from tenants.actions.findings import open_finding
from tenants.models import Finding, Reseller, SeedFingerprint, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


@transaction.atomic
def remember_seed(account: SharedAccount, seed: bytes, *, by: Technician, outside: Outside, found_in: str) -> bool:
    """Write the fingerprint down and open the finding; False when this seed is known for this account already.

    A finding that somebody resolved stays so: the same file again says nothing new. `found_in` is at most 100
    characters. Raises NotPermitted, KeyTrouble, LedgerClosed.
    """
    if not by.may("import"):
        raise NotPermitted(_("Your role may not import; nothing was kept."))
    digest = _digest(seed, _key_of(account.reseller_id, outside))
    if SeedFingerprint.objects.filter(account=account, digest=digest).exists():
        return False
    SeedFingerprint.objects.create(
        reseller_id=account.reseller_id, account=account, digest=digest, found_in=found_in[:100]
    )
    open_finding(
        Finding.Kind.SHARED_SEED,
        tenant=account.tenant,
        account=account,
        detail=_(
            "A seed of this account was in a file (%(where)s). Whoever had that file may have the same codes. Enrol an "
            "authenticator of their own for each technician, then remove the old one."
        )
        % {"where": found_in},
    )
    record(
        "seed.seen",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        found_in=found_in,
    )
    return True


class SeedsSeen:
    """The seeds that a reseller has seen in files so far, as far as one person may know of them. Changes nothing."""

    def __init__(self, by: Technician, outside: Outside) -> None:
        self._by = by
        self._key = _kept(by.reseller_id, outside).read()
        self._seen: dict[bytes, list[SeedFingerprint]] = {}
        if self._key:
            seen = SeedFingerprint.objects.visible_to(by).select_related("account__tenant")
            for fingerprint in seen.order_by("found_at"):
                self._seen.setdefault(bytes(fingerprint.digest), []).append(fingerprint)

    def where(self, seed: bytes) -> list[SeedFingerprint]:
        """Every account and file it was seen in, oldest first."""
        return self._seen.get(_digest(seed, self._key), []) if self._key else []


def _digest(seed: bytes, key: str) -> bytes:
    return hmac.new(bytes.fromhex(key), seed, hashlib.sha256).digest()


def _kept(reseller_id: UUID, outside: Outside) -> Kept:
    return Kept(outside.vault, f"seed_fingerprints.{reseller_id.hex}")


def _key_of(reseller_id: UUID, outside: Outside) -> str:
    """The reseller's key, made at the first seed. Two first seeds at once wait for each other."""
    kept = _kept(reseller_id, outside)
    if not (key := kept.read()):
        Reseller.objects.select_for_update(no_key=True).get(pk=reseller_id)
        if not (key := kept.read()):
            key = secrets.token_hex(32)
            kept.store(key, reseller_id=reseller_id)
    return key
