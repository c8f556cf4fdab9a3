"""Put shared accounts under Latchkey's care, with the passwords that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.models import AccountClass, Secret, SecretVersion, SharedAccount, Tenant

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


@dataclass(frozen=True)
class NewAccount:
    """A directory user that several technicians use.

    `object_id` may be "": the first reading finds it. So may `password`: then Latchkey does not know it yet.
    """

    tenant: Tenant
    user_principal_name: str
    object_id: str = ""
    owner: str = ""
    justification: str = ""
    break_glass: bool = False
    account_class: str = AccountClass.STANDARD
    password: str = field(default="", repr=False)


@transaction.atomic
def add_accounts(new: Sequence[NewAccount], *, by: Technician, outside: Outside, source: str) -> list[SharedAccount]:
    """All of them or none. `source` says where the passwords come from; they are sealed byte for byte.

    Raises NotPermitted, BadInput (one is here already), LedgerClosed.
    """
    if not by.may("import"):
        raise NotPermitted(_("Your role may not add shared accounts; nothing was changed."))
    seen = set(Tenant.objects.visible_to(by).filter(pk__in={n.tenant.pk for n in new}).values_list("pk", flat=True))
    if any(n.tenant.pk not in seen for n in new):
        raise NotPermitted(_("You do not see one of these tenants; nothing was changed."))
    accounts = [
        SharedAccount(
            reseller_id=by.reseller_id,
            tenant=n.tenant,
            user_principal_name=n.user_principal_name,
            object_id=n.object_id,
            owner=n.owner,
            justification=n.justification,
            break_glass=n.break_glass,
            account_class=n.account_class,
        )
        for n in new
    ]
    try:
        with transaction.atomic():
            SharedAccount.objects.bulk_create(accounts, batch_size=1000)
    except IntegrityError as clash:
        raise BadInput(
            _("Somebody else added one of these accounts at the same moment. Nothing was saved; try again.")
        ) from clash
    for account in accounts:
        record(
            "account.added",
            reseller_id=by.reseller_id,
            actor=by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            user_principal_name=account.user_principal_name,
            object_id=account.object_id,
            owner=account.owner,
            break_glass=account.break_glass,
        )
    passwords = [(a, n.password) for a, n in zip(accounts, new, strict=True) if n.password]
    _seal_first_versions(passwords, by=by, outside=outside, source=source)
    return accounts


def _seal_first_versions(
    passwords: Sequence[tuple[SharedAccount, str]], *, by: Technician, outside: Outside, source: str
) -> None:
    """Nobody else knows these accounts yet, so nothing has to be locked or compared (`store_password` does both)."""
    versions, now = [], timezone.now()
    for account, password in passwords:
        secret = Secret(reseller_id=account.reseller_id, account=account)
        version = SecretVersion(
            reseller_id=account.reseller_id,
            secret=secret,
            number=1,
            status=SecretVersion.Status.CURRENT,
            current_from=now,
            source=source,
        )
        version.sealed = outside.vault.seal(password.encode(), version.place)
        versions.append(version)
    Secret.objects.bulk_create([version.secret for version in versions], batch_size=1000)
    SecretVersion.objects.bulk_create(versions, batch_size=1000)
    for account, _password in passwords:
        record(
            "password.stored",
            reseller_id=account.reseller_id,
            actor=by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            version=1,
            source=source,
        )
