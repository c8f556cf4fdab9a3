"""The recorded rows, written into the empty database of a rehearsal with the secrets of its own cloud."""

from __future__ import annotations

import base64
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Model

from msp.rehearsals.copied_cloud import CopiedCloud
from msp.vault.database import Vault
from technicians.models import KeptCode, Role, Technician
from technicians.rehearsal_records import COLUMNS, Record
from tenants.models import Secret, SecretVersion, Tenant, TenantGroup

MANAGER = "rehearsal@rehearsal.invalid"
"""Whoever decides in the copy: nobody of the recorded people. The top-level domain is reserved (RFC 2606)."""


@transaction.atomic
def copy_rows(record: Record, copied: CopiedCloud, *, vault: Vault) -> Technician:
    """Write every row under its own id; answers the owner who acts in the copy.

    Every tenant is reached as the app: a partner's sign-in belongs to a person and is not copied.
    """
    written: dict[str, dict[Any, Any]] = {}
    for name in COLUMNS:
        model = apps.get_model(name)
        rows: list[Any] = [_instance(model, name, row) for row in record["rows"][name]]
        for row in rows:
            _complete(row, written, copied, vault)
        model._default_manager.bulk_create(rows, batch_size=1000)
        written[name] = {row.pk: row for row in rows}
    member = TenantGroup.tenants.through
    member.objects.bulk_create(member(**row) for row in record["rows"]["tenants.TenantGroup.tenants"])
    owner = Technician(
        reseller=next(iter(written["tenants.Reseller"].values())), email=MANAGER, name="Rehearsal", role=Role.OWNER
    )
    owner.set_unusable_password()
    owner.save()
    return owner


def _instance(model: type[Model], name: str, row: dict[str, Any]) -> Model:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return model(**{column: fields[column].to_python(row[column]) for column in COLUMNS[name]})


def _complete(row: Any, written: dict[str, dict[Any, Any]], copied: CopiedCloud, vault: Vault) -> None:
    """Whatever is not in a record; the rows that a place is made of are at hand, so that nothing is asked for each."""
    match row:
        case Secret():
            row.account = written["tenants.SharedAccount"][row.account_id]
        case SecretVersion():
            row.secret = written["tenants.Secret"][row.secret_id]
            row.sealed = vault.seal(_password_of(row, copied).encode(), row.place)
        case KeptCode():
            row.account = written["tenants.SharedAccount"][row.account_id]
            method_id = written["technicians.Authenticator"][row.authenticator_id].method_id
            row.sealed = vault.seal(base64.b32decode(copied.seeds[str(method_id)]), row.place)
        case Technician():
            row.set_unusable_password()
        case Tenant():
            row.access = Tenant.Access.APPLICATION


def _password_of(version: SecretVersion, copied: CopiedCloud) -> str:
    """Those in force open the account in the copy; a candidate of a run that is under way opens nothing there."""
    password = copied.passwords[str(version.secret.account_id)]
    return password if version.status in SecretVersion.IN_FORCE else f"{password}-{version.number}"
