"""Take a shared password that a person or a file gives us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, KeyTrouble
from msp.ledger.record import record
from tenants.actions.findings import resolve_findings
from tenants.actions.plan_next_change import plan_next_changes
from tenants.models import Finding, Secret, SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

LONGEST = 256
"""Characters of a password at Entra (entra-docs concept-sspr-policy)."""


@transaction.atomic
def store_password(
    account: SharedAccount, password: str, *, by: Technician, outside: Outside, source: str, note: str = ""
) -> SecretVersion | None:
    """Seal it as the version in force, byte for byte. None when the same value is in force already.

    What was in force before stays in the history. Nothing is proven by this, so what demanded a change still does.
    Raises BadInput while a change of this password is under way.
    """
    SharedAccount.objects.select_for_update().get(pk=account.pk)
    secret, _made = Secret.objects.get_or_create(account=account, defaults={"reseller_id": account.reseller_id})
    secret.account = account
    versions = list(secret.versions.order_by("number"))
    for version in versions:
        version.secret = secret
    if any(version.status in SecretVersion.ON_THE_WAY for version in versions):
        raise BadInput(
            _("The password of %(account)s is being changed right now; the one given was not taken.")
            % {"account": account}
        )
    in_force = next((version for version in versions if version.status in SecretVersion.IN_FORCE), None)
    if in_force is not None and _opens_as(in_force, password, outside):
        _right_after_all(in_force, by=by, note=note)
        return None
    if in_force is not None:
        in_force.advance(SecretVersion.Status.RETIRED, retired_at=timezone.now(), retired_because=source)
    same = next((version for version in versions if _opens_as(version, password, outside)), None)
    version = SecretVersion(
        reseller_id=account.reseller_id,
        secret=secret,
        number=(secret.versions.aggregate(last=Max("number"))["last"] or 0) + 1,
        status=SecretVersion.Status.CURRENT,
        current_from=timezone.now(),
        source=source,
        repeats_id=(same.repeats_id or same.pk) if same else None,
        entered_by=by,
        note=note[:500],
    )
    version.sealed = outside.vault.seal(password.encode(), version.place)
    version.save()
    resolve_findings(account, kinds=[Finding.Kind.PASSWORD_DOUBTFUL])
    record(
        "password.stored",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        version=version.number,
        source=source,
        note=note,
    )
    plan_next_changes([secret])
    return version


def _opens_as(version: SecretVersion, password: str, outside: Outside) -> bool:
    """A version that does not open any more is not the same as anything."""
    try:
        return outside.vault.open(bytes(version.sealed), version.place) == password.encode()
    except KeyTrouble:
        return False


def _right_after_all(version: SecretVersion, *, by: Technician, note: str) -> None:
    """The same value again: a doubtful version is in force by the word of a person."""
    if version.status != SecretVersion.Status.DOUBTFUL:
        return
    version.advance(SecretVersion.Status.CURRENT, proof=SecretVersion.Proof.PERSON)
    account = version.secret.account
    resolve_findings(account, kinds=[Finding.Kind.PASSWORD_DOUBTFUL])
    record(
        "password.confirmed",
        reseller_id=version.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        version=version.number,
        note=note,
    )
