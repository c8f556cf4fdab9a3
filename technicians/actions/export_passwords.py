"""Hand the passwords of many accounts out in one encrypted file, which comes back byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.vault.sealed_file import seal_file, why_weak
from technicians.models import Reveal, Technician
from tenants.models import SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

FORMAT = "latchkey-passwords"
VERSION = 1
"""Of the document inside the encrypted file; `msp.importing.sources.latchkey` reads it."""


@dataclass(frozen=True)
class Exported:
    """The encrypted file, and how many accounts have a password in it."""

    file: bytes = field(repr=False)
    accounts: int
    without: int
    sha256: str


@transaction.atomic
def export_passwords(
    accounts: Iterable[SharedAccount], *, by: Technician, reason: str, passphrase: str, outside: Outside
) -> Exported:
    """Every version that may sign in, as its `status` says. Whoever exports has seen them all: that is written first.

    The file is there only once the transaction has ended. Raises NotPermitted, BadInput (no reason, a passphrase that
    could be guessed, nothing to export), KeyTrouble, LedgerClosed; then nothing was handed out.
    """
    by = Technician.objects.select_for_update().get(pk=by.pk)
    wanted = {account.pk: account for account in accounts}
    if not by.may("export_secrets") or any(account.reseller_id != by.reseller_id for account in wanted.values()):
        raise NotPermitted(_("Your role may not export passwords; nothing was handed out."))
    if not reason.strip():
        raise BadInput(_("Say what the export is for; nothing was handed out."))
    if weakness := why_weak(passphrase):
        raise BadInput(weakness)
    versions = list(
        SecretVersion.objects.filter(secret__account__in=list(wanted))
        .that_may_sign_in()
        .select_related("secret__account__tenant__customer")
        .order_by("secret__account__tenant__default_domain", "secret__account__user_principal_name", "number")
    )
    if not versions:
        raise BadInput(_("None of these accounts has a password here; there is nothing to export."))
    Reveal.objects.bulk_create(
        [
            Reveal(
                reseller_id=by.reseller_id,
                technician=by,
                version=version,
                act=Reveal.Act.EXPORTED,
                reason=reason.strip()[:500],
            )
            for version in versions
        ],
        batch_size=1000,
    )
    document = json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "exported_at": timezone.now().isoformat(),
            "accounts": [_entry(version, outside) for version in versions],
        },
        ensure_ascii=False,
    )
    file = seal_file(document.encode(), passphrase)
    with_one = len({version.secret_id for version in versions})
    exported = Exported(file, with_one, len(wanted) - with_one, hashlib.sha256(file).hexdigest())
    record(
        "passwords.exported",
        reseller_id=by.reseller_id,
        actor=by,
        accounts=exported.accounts,
        versions=len(versions),
        tenants=sorted({str(version.secret.account.tenant_id) for version in versions}),
        sha256=exported.sha256,
        reason=reason.strip(),
    )
    return exported


def _entry(version: SecretVersion, outside: Outside) -> dict[str, Any]:
    account = version.secret.account
    return {
        "tenant": str(account.tenant.directory_id),
        "domain": account.tenant.default_domain,
        "customer": account.tenant.customer.name,
        "user_principal_name": account.user_principal_name,
        "object_id": account.object_id,
        "password": outside.vault.open(bytes(version.sealed), version.place).decode(),
        "number": version.number,
        "status": version.status,
        "in_force_since": version.current_from.isoformat() if version.current_from else None,
    }
