"""Take a shared password that a person or a file gives us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from tenants.models import Secret, SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


@transaction.atomic
def store_password(
    account: SharedAccount, password: str, *, by: Technician, outside: Outside, source: str
) -> SecretVersion | None:
    """Seal it as the version in force, byte for byte. None when the same value is in force already.

    Raises BadInput while a change of this password is under way.
    """
    SharedAccount.objects.select_for_update().get(pk=account.pk)
    secret, _made = Secret.objects.get_or_create(account=account, defaults={"reseller_id": account.reseller_id})
    if secret.versions.filter(status__in=[SecretVersion.Status.CANDIDATE, SecretVersion.Status.UNVERIFIED]).exists():
        raise BadInput(
            _("The password of %(account)s is being changed right now; the one given was not taken.")
            % {"account": account}
        )
    current = secret.versions.select_related("secret__account").filter(status=SecretVersion.Status.CURRENT).first()
    if current is not None:
        if outside.vault.open(bytes(current.sealed), current.place) == password.encode():
            return None
        current.advance(SecretVersion.Status.RETIRED, retired_at=timezone.now(), retired_because=source)
    number = (secret.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = SecretVersion(
        reseller_id=account.reseller_id,
        secret=secret,
        number=number,
        status=SecretVersion.Status.CURRENT,
        current_from=timezone.now(),
        source=source,
    )
    version.sealed = outside.vault.seal(password.encode(), version.place)
    version.save()
    record(
        "password.stored",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        version=number,
        source=source,
    )
    return version
