"""Remember that a seed was seen outside Latchkey, by its fingerprint. The seed itself is never kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import NotPermitted
from msp.ledger.record import record
from tenants.actions.findings import open_finding
from tenants.actions.seed_digest import digest_key, digest_key_if_any, seed_digest
from tenants.models import Finding, SeedFingerprint, SharedAccount

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
    digest = seed_digest(seed, digest_key(account.reseller_id, outside))
    known = SeedFingerprint.objects.select_for_update().filter(account=account, digest=digest).first()
    if known and (known.holder_id is None or known.found_in == found_in[:100]):
        return False
    # Somebody enrolled it here, and now it is in a file as well: it stays theirs, and others may have it.
    seen = known or SeedFingerprint(reseller_id=account.reseller_id, account=account, digest=digest)
    seen.found_in = found_in[:100]
    seen.save()
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
        self._key = digest_key_if_any(by.reseller_id, outside)
        self._seen: dict[bytes, list[SeedFingerprint]] = {}
        if self._key:
            seen = SeedFingerprint.objects.visible_to(by).select_related("account__tenant")
            for fingerprint in seen.order_by("found_at"):
                self._seen.setdefault(bytes(fingerprint.digest), []).append(fingerprint)

    def where(self, seed: bytes) -> list[SeedFingerprint]:
        """Every account and file it was seen in, oldest first."""
        return self._seen.get(seed_digest(seed, self._key), []) if self._key else []
