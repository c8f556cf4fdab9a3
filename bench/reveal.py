#!/usr/bin/env python3
"""What does a reveal cost? `bench/reveal.py [--reveals 1000] [--tenants 50 5000] [--entries 200]`

For each number of tenants (two accounts each, six holders of each account, thirty earlier reveals of each, and so many
ledger entries for each tenant) people take passwords through the pages: `show` is the fragment with the password,
`copy` the answer for the clipboard. Prints one JSON object: milliseconds of the server (middleware, session, locks,
record, commit, vault) at the 50th and the 95th percentile, as ratios to one bare ledger entry and to the first size.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import uuid
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

from stage import stage

HOLDERS, EARLIER, WARM_UP = 6, 30, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reveals", type=int, default=1000)
    parser.add_argument("--tenants", type=int, nargs="+", default=[50, 5000])
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--entries", type=int, default=200, help="ledger entries for each tenant")
    asked = parser.parse_args()
    with stage():
        sizes = [measure(asked, number, tenants) for number, tenants in enumerate(asked.tenants)]
    first, last = sizes[0]["milliseconds"], sizes[-1]["milliseconds"]
    growth = {act: round(last[act]["p95"] / first[act]["p95"], 2) for act in first}
    print(json.dumps({"reveals": asked.reveals, "sizes": sizes, "p95_of_the_last_to_the_first": growth}))


def measure(asked: argparse.Namespace, number: int, tenants: int) -> dict[str, Any]:
    from django.conf import settings
    from django.db import connection, transaction
    from django.urls import reverse

    from msp.ledger.record import record
    from technicians.models import Assignment
    from tests.support.visitor import Visitor

    settings.ALLOWED_HOSTS = ["testserver"]
    reseller = build(number, tenants, asked.people, asked.entries)
    held = Assignment.objects.filter(technician__reseller=reseller).select_related("technician").order_by("?")
    turns = list(islice(cycle(held[: asked.reveals]), asked.reveals))
    people = {assignment.technician for assignment in turns}
    visitors = {person.pk: Visitor(person) for person in people}

    def show(turn: Any) -> None:
        url = reverse("tenants:reveal", args=[turn.account_id])
        answer = visitors[turn.technician_id].post(url, {"reason": "bench"}, headers={"HX-Request": "true"})
        assert b"secret-value" in answer.content, answer.content

    def copy(turn: Any) -> None:
        url = reverse("tenants:copy", args=[turn.account_id])
        form, headers = {"reason": "bench", "version": "1"}, {"Accept": "application/json"}
        assert visitors[turn.technician_id].post(url, form, headers=headers).json()["password"]

    def bare(turn: Any) -> None:
        with transaction.atomic():
            record("bench.bare", reseller_id=reseller.pk, actor=turn.technician, account_id=turn.account_id)

    taken = {act.__name__: percentiles(act, turns) for act in (bare, show, copy)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_entry")
        entries = cursor.fetchone()[0]
    return {
        "tenants": tenants,
        "accounts": tenants * 2,
        "people": asked.people,
        "ledger_entries": entries,
        "milliseconds": taken,
        "p95_to_a_bare_entry": {a: round(taken[a]["p95"] / taken["bare"]["p95"], 1) for a in ("show", "copy")},
    }


def percentiles(act: Callable[[Any], None], turns: list[Any]) -> dict[str, float]:
    for turn in turns[:WARM_UP]:
        act(turn)
    taken = []
    for turn in turns:
        began = time.perf_counter()
        act(turn)
        taken.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1)}


def build(number: int, tenants: int, people: int, entries: int) -> Any:
    """A reseller whose limit of reveals never stands in the way of a measurement."""
    from msp.outside import outside
    from technicians.models import Assignment, Reveal, Role, Technician
    from tenants.models import Customer, PasswordPolicy, Reseller, Secret, SharedAccount, Tenant

    reseller = Reseller.objects.create(name=f"Reseller {number}")
    PasswordPolicy.objects.create(reseller=reseller, reveals_per_hour=1000)
    staff = Technician.objects.bulk_create(
        Technician(
            reseller=reseller, email=f"p{number}-{n}@r.example", name=f"P{n}", role=Role.TECHNICIAN, password="!x"
        )
        for n in range(people)
    )
    customers = Customer.objects.bulk_create(Customer(reseller=reseller, name=f"Company {n}") for n in range(tenants))
    places = Tenant.objects.bulk_create(
        Tenant(reseller=reseller, customer=customer, directory_id=uuid.uuid4(), default_domain=f"t{number}-{n}.example")
        for n, customer in enumerate(customers)
    )
    accounts = SharedAccount.objects.bulk_create(
        (
            SharedAccount(
                reseller=reseller, tenant=tenant, user_principal_name=f"admin{n}@{tenant}", object_id=str(uuid.uuid4())
            )
            for tenant in places
            for n in range(2)
        ),
        batch_size=5000,
    )
    secrets = Secret.objects.bulk_create(
        (Secret(reseller=reseller, account=account) for account in accounts), batch_size=5000
    )
    versions = [version for secret in secrets for version in sealed(secret, outside().vault)]
    holders = [
        (staff[(n * 7 + k * 13) % len(staff)], account) for n, account in enumerate(accounts) for k in range(HOLDERS)
    ]
    Assignment.objects.bulk_create(
        (Assignment(reseller=reseller, technician=person, account=account) for person, account in holders),
        batch_size=5000,
    )
    Reveal.objects.bulk_create(earlier(reseller, staff, versions), batch_size=5000)
    fill_ledger(reseller, places, entries)
    return reseller


def sealed(secret: Any, vault: Any) -> Any:
    from django.db import transaction
    from django.utils import timezone

    from tenants.models import SecretVersion

    with transaction.atomic():
        version = SecretVersion(
            reseller=secret.reseller, secret=secret, number=1, status="current", current_from=timezone.now()
        )
        version.sealed = vault.seal(f"Password-{secret.pk}".encode(), version.place)
        version.save()
    yield version


def earlier(reseller: Any, staff: list[Any], versions: list[Any]) -> Any:
    """Spread over two years, and none in the last two hours."""
    import datetime as dt

    from django.utils import timezone

    from technicians.models import Reveal

    now = timezone.now()
    for n, version in enumerate(versions):
        for k in range(EARLIER):
            ago = dt.timedelta(hours=2 + (n * EARLIER + k) * 7919 % 17520)
            person = staff[(n * 7 + k % HOLDERS * 13) % len(staff)]
            yield Reveal(reseller=reseller, technician=person, version=version, reason="work", at=now - ago)


def fill_ledger(reseller: Any, tenants: list[Any], entries: int) -> None:
    """Rows as `record` leaves them, made by the database itself."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_entry (uuid, reseller_id, at, verb, actor, tenant_id, body, leaf_hash)
            SELECT gen_random_uuid(), %s, now() - n * interval '1 minute', 'password.revealed', 'somebody@r.example',
                   tenant_id, body, sha256('\\x00'::bytea || body)
            FROM (
                SELECT tenant_id, n, convert_to('{"n":' || n || ',"tenant":"' || tenant_id || '"}', 'UTF8') AS body
                FROM unnest(%s::uuid[]) AS tenant_id CROSS JOIN generate_series(1, %s) AS n
            ) AS made
            """,
            [reseller.pk, [tenant.pk for tenant in tenants], entries],
        )
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    main()
