"""Many tenants, each with one account and a long history of sealed passwords."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone

from msp.vault import envelope as envelopes
from msp.vault.database import Vault
from msp.vault.models import DataKey
from tenants.models import Customer, Reseller, Secret, SecretVersion, SharedAccount, Tenant


def plaintext_of(version: SecretVersion) -> bytes:
    """What its envelope must give."""
    return f"{version.secret_id}/{version.number}".encode()


def fill(reseller: Reseller, vault: Vault, *, tenants: int, versions: int) -> None:
    """`tenants` x `versions` rows, sealed in bulk; the last version of each account is the one in force."""
    customer = Customer.objects.create(reseller=reseller, name="Everybody")
    made = Tenant.objects.bulk_create(
        Tenant(reseller=reseller, customer=customer, directory_id=uuid.uuid4(), default_domain=f"t{n}.example")
        for n in range(tenants)
    )
    accounts = SharedAccount.objects.bulk_create(
        SharedAccount(reseller=reseller, tenant=t, user_principal_name=f"admin@{t}", object_id=uuid.uuid4())
        for t in made
    )
    secrets = Secret.objects.bulk_create(Secret(reseller=reseller, account=account) for account in accounts)
    rows = [row for secret in secrets for row in _history(secret, vault, versions)]
    SecretVersion.objects.bulk_create(rows, batch_size=2000)


def _history(secret: Secret, vault: Vault, versions: int) -> list[SecretVersion]:
    with transaction.atomic():
        first = SecretVersion(reseller=secret.reseller, secret=secret, number=0)
        vault.seal(b"so that the tenant has a data key", first.place)
    data_key = DataKey.objects.live().get(tenant_id=secret.account.tenant_id)
    key = vault._key_of(data_key)
    rows = []
    for number in range(1, versions + 1):
        status = SecretVersion.Status.CURRENT if number == versions else SecretVersion.Status.RETIRED
        row = SecretVersion(
            reseller=secret.reseller, secret=secret, number=number, status=status, current_from=timezone.now()
        )
        row.sealed = envelopes.seal(key, plaintext_of(row), row.place, key_id=data_key.pk.bytes)
        rows.append(row)
    return rows
