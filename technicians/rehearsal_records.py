"""A recorded tenant set: what Latchkey knows of the accounts that a departure concerns, without a single secret.

A record is one JSON object, canonical so that it has a digest:

{"format": 1, "recorded_at": RFC 3339, "leavers": [ids], "place": ["app.Model", id] or None, "missing": [ids of accounts
that were not there when last looked at], "sign_in_probe": bool, "rows": {"app.Model": [{column: value}]}}

`rows` holds the columns of `COLUMNS` and no others, under their own ids, in an order in which they can be written: what
a row points at stands before it. Of passwords it says that there is one, and who has seen it; of codes kept here that
there are any. The copy gets new ones. The hash of somebody's own password to Latchkey, second factors, links, data keys
and everything sealed stay out, because their columns are not in the list.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from msp.ledger.canonical import canonical, rfc3339
from technicians.departure_queries import Place, accounts_in
from technicians.models import Assignment, Authenticator, KeptCode, Reveal, Technician
from technicians.queries import accounts_of
from tenants.models import (
    Customer,
    DeparturePolicy,
    Finding,
    Method,
    PasswordPolicy,
    Reseller,
    Secret,
    SecretVersion,
    SharedAccount,
    Tenant,
    TenantGroup,
)

FORMAT = 1

COLUMNS: dict[str, tuple[str, ...]] = {
    "tenants.Reseller": ("id", "name"),
    "tenants.Customer": ("id", "reseller_id", "name"),
    "tenants.Tenant": (
        "id", "reseller_id", "customer_id", "directory_id", "default_domain", "cloud", "access", "system",
        "sign_in_address", "hands_off", "observed_at", "connection_problem",
    ),
    "tenants.TenantGroup": ("id", "reseller_id", "name"),
    "tenants.SharedAccount": (
        "id", "reseller_id", "tenant_id", "user_principal_name", "object_id", "display_name", "break_glass",
        "account_class", "observed_at", "enabled", "synced", "password_changed_at", "sessions_valid_from", "mfa_state",
    ),
    "tenants.Method": (
        "id", "reseller_id", "account_id", "kind", "directory_id", "raw_type", "label", "first_seen_at", "last_seen_at",
    ),
    "technicians.Technician": ("id", "reseller_id", "customer_id", "email", "name", "role", "status", "left_at"),
    "tenants.PasswordPolicy": (
        "id", "reseller_id", "group_id", "tenant_id", "account_id", "style", "length", "words", "classes",
        "look_alikes", "forbid_names", "forbidden_parts", "sign_in_probe",
    ),
    "tenants.DeparturePolicy": ("id", "reseller_id", "try_password", "try_code", "try_session"),
    "technicians.Assignment": ("id", "reseller_id", "technician_id", "account_id", "from_at", "until_at"),
    "technicians.Authenticator": (
        "id", "reseller_id", "method_id", "technician_id", "label", "proof", "bound_from",
    ),
    "tenants.Secret": ("id", "reseller_id", "account_id"),
    "tenants.SecretVersion": (
        "id", "reseller_id", "secret_id", "number", "status", "source", "proof", "current_from",
    ),
    "technicians.Reveal": ("id", "reseller_id", "technician_id", "version_id", "act", "at"),
    "technicians.KeptCode": (
        "id", "reseller_id", "technician_id", "account_id", "authenticator_id", "made_at", "until",
    ),
}  # fmt: skip
"""What is recorded of each model. A reason, a note, a ticket, an address of a webhook are nobody's business there."""

Record = dict[str, Any]


def record_of(leavers: Sequence[Technician], place: Place | None = None) -> Record:
    """Everything that the departure of these people is planned from, and what their accounts looked like last."""
    accounts = _accounts(leavers, place)
    rows = {name: [_plain(row) for row in found] for name, found in _rows(leavers, accounts).items()}
    missing = Finding.objects.filter(account__in=accounts, kind=Finding.Kind.ACCOUNT_MISSING)
    return {
        "format": FORMAT,
        "recorded_at": rfc3339(timezone.now()),
        "leavers": [str(leaver.pk) for leaver in leavers],
        "place": [place._meta.label, str(place.pk)] if place else None,
        "missing": sorted(
            {str(pk) for pk in missing.exclude(status=Finding.Status.RESOLVED).values_list("account_id", flat=True)}
        ),
        "sign_in_probe": bool(settings.MICROSOFT["sign_in_probe"]),
        "rows": rows,
    }


def digest_of_record(record: Record) -> str:
    """SHA-256 over the recorded facts; the moment of the recording is left out."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "recorded_at"})).hexdigest()


def _accounts(leavers: Sequence[Technician], place: Place | None) -> list[UUID]:
    held = {account.pk for leaver in leavers for account in accounts_of(leaver)}
    only = accounts_in(place)
    return sorted(held if only is None else held & only)


def _rows(leavers: Sequence[Technician], accounts: list[UUID]) -> dict[str, Iterable[dict[str, Any]]]:
    """Each in its turn: nothing points at what is not there."""
    now, reseller = timezone.now(), leavers[0].reseller_id
    tenants = Tenant.objects.filter(accounts__in=accounts).distinct()
    tenant_ids = list(tenants.values_list("pk", flat=True))
    groups = TenantGroup.objects.filter(tenants__in=tenant_ids).distinct()
    methods = Method.objects.present().filter(account__in=accounts)
    bound = Authenticator.objects.filter(method__in=methods)
    assigned = Assignment.objects.filter(Q(until_at__isnull=True) | Q(until_at__gt=now), account__in=accounts)
    versions = SecretVersion.objects.filter(
        secret__account__in=accounts, status__in=[*SecretVersion.IN_FORCE, *SecretVersion.ON_THE_WAY]
    )
    kept = KeptCode.objects.live().filter(account__in=accounts, authenticator__in=bound)
    people = Technician.objects.filter(
        Q(pk__in=[leaver.pk for leaver in leavers])
        | Q(pk__in=bound.values("technician_id"))
        | Q(pk__in=assigned.values("technician_id"))
        | Q(pk__in=kept.values("technician_id"))
    )
    here = Q(group=None) | Q(group__in=groups)
    here &= Q(tenant=None) | Q(tenant__in=tenant_ids)
    here &= Q(account=None) | Q(account__in=accounts)
    customers = Customer.objects.filter(Q(tenants__in=tenant_ids) | Q(contacts__in=people)).distinct()
    found: dict[str, QuerySet[Any]] = {
        "tenants.Reseller": Reseller.objects.filter(pk=reseller),
        "tenants.Customer": customers,
        "tenants.Tenant": tenants,
        "tenants.TenantGroup": groups,
        "tenants.SharedAccount": SharedAccount.objects.filter(pk__in=accounts),
        "tenants.Method": methods,
        "technicians.Technician": people,
        "tenants.PasswordPolicy": PasswordPolicy.objects.filter(here, reseller_id=reseller),
        "tenants.DeparturePolicy": DeparturePolicy.objects.filter(reseller_id=reseller),
        "technicians.Assignment": assigned,
        "technicians.Authenticator": bound,
        "tenants.Secret": Secret.objects.filter(account__in=accounts),
        "tenants.SecretVersion": versions,
        "technicians.Reveal": Reveal.objects.filter(technician__in=people, version__in=versions),
        "technicians.KeptCode": kept,
    }
    rows: dict[str, Iterable[dict[str, Any]]] = {
        name: asked.order_by("pk").values(*COLUMNS[name]) for name, asked in found.items()
    }
    return rows | {"tenants.TenantGroup.tenants": _memberships(groups, tenant_ids)}


def _memberships(groups: QuerySet[Any], tenant_ids: list[UUID]) -> Iterable[dict[str, Any]]:
    """Which tenants are in which group."""
    through = TenantGroup.tenants.through.objects.filter(tenantgroup__in=groups, tenant__in=tenant_ids)
    return through.order_by("tenantgroup_id", "tenant_id").values("tenantgroup_id", "tenant_id")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The columns as JSON values."""
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
