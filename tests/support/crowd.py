"""Hundreds of accounts at once: built at the cloud by its own seeding, and written into Latchkey in bulk.

The rows are what observing, assigning and binding would leave behind; only the way there is shorter.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from msp.outside import Outside
from technicians.models import Assignment, Authenticator, Role, Technician
from tenants.models import Customer, Method, Reseller, Secret, SecretVersion, SharedAccount, Tenant


def build_crowd(
    built: dict[str, Any], reseller: Reseller, outside: Outside, *, prefix: str = "person"
) -> list[Technician]:
    """The technicians of the crowd, in the order of `seeding.build`'s description; made with `everywhere=0`, the
    first of them holds every account."""
    people = Technician.objects.bulk_create(
        Technician(
            reseller=reseller,
            email=f"{prefix}{number}@reseller.example",
            name=f"Person {number}",
            role=Role.TECHNICIAN,
            password="!",
        )
        for number in range(built["technicians"])
    )
    for company in built["tenants"]:
        _company(company, reseller, outside, people)
    return list(people)


@transaction.atomic
def _company(company: dict[str, Any], reseller: Reseller, outside: Outside, people: list[Technician]) -> None:
    now = timezone.now()
    customer = Customer.objects.create(reseller=reseller, name=company["name"])
    tenant = Tenant.objects.create(
        reseller=reseller, customer=customer, directory_id=company["id"], default_domain=company["domain"]
    )
    methods, keys, assignments = [], [], []
    for shown in company["accounts"]:
        account = SharedAccount.objects.create(
            reseller=reseller, tenant=tenant, user_principal_name=shown["upn"], object_id=shown["object_id"]
        )
        secret = Secret.objects.create(reseller=reseller, account=account)
        version = SecretVersion(
            reseller=reseller, secret=secret, number=1, status=SecretVersion.Status.CURRENT, current_from=now
        )
        version.sealed = outside.vault.seal(shown["password"].encode(), version.place)
        version.save()
        for holder in shown["holders"]:
            method = Method(
                reseller=reseller,
                account=account,
                kind=holder["kind"],
                directory_id=holder["method_id"],
                label=holder["label"],
                first_seen_at=now,
                last_seen_at=now,
            )
            methods.append(method)
            keys.append(
                Authenticator(
                    reseller=reseller,
                    method=method,
                    technician=people[holder["technician"]],
                    proof=Authenticator.Proof.IMPORTED,
                )
            )
        holders = {holder["technician"] for holder in shown["holders"]}
        assignments += [Assignment(reseller=reseller, technician=people[i], account=account) for i in holders]
    Method.objects.bulk_create(methods)
    Authenticator.objects.bulk_create(keys)
    Assignment.objects.bulk_create(assignments)
