#!/usr/bin/env python3
"""How long does it take to enrol somebody on fifty tenants? `bench/enrolment.py [--tenants 50] [--latency 120]`

One sitting: the tokens are made by one run, the QR codes are read as an app reads them, the codes that are asked for
are typed at once, and everything is activated and read back. Prints one JSON object: scans, seconds of the machine,
requests for each account, and the ratio to doing `--sample` accounts one after another in the same cloud.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from stage import stage

THREADS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=50, help="with one account each to enrol on")
    parser.add_argument("--latency", type=float, default=120, help="median milliseconds of the cloud")
    parser.add_argument("--throttle", type=int, default=5, help="method calls in 10 s for each tenant; Microsoft: 5")
    parser.add_argument("--sample", type=int, default=5, help="accounts that are enrolled one after another")
    asked = parser.parse_args()
    with stage() as home:
        print(json.dumps(measure(home, asked)))


def measure(home: Any, asked: argparse.Namespace) -> dict[str, Any]:
    from crowd import crowd

    with crowd(home, number=0, tenants=asked.tenants + asked.sample) as on_stage:
        person, accounts = newcomer(on_stage)
        on_stage.cloud.knobs(latency_ms=asked.latency, throttle=asked.throttle)
        on_stage.cloud.log(clear=True)
        many = sit(person, accounts[: asked.tenants], on_stage.outside)
        requests = sum(not entry["in_batch"] for entry in on_stage.cloud.log(clear=True))
        singles = [sit(person, [account], on_stage.outside) for account in accounts[asked.tenants :]]
    one = sum(seconds for seconds, *_rest in singles) / len(singles)
    seconds, scans, active = many
    return {
        "tenants": asked.tenants,
        "accounts": asked.tenants,
        "active": active,
        "scans": scans,
        "latency_ms": asked.latency,
        "seconds": round(seconds, 1),
        "requests": requests,
        "requests_per_account": round(requests / asked.tenants, 2),
        "seconds_of_one_alone": round(one, 2),
        "times_faster_than_one_after_another": round(one * asked.tenants / seconds, 1),
    }


def newcomer(on_stage: Any) -> tuple[Any, list[Any]]:
    """Somebody without any authenticator, and an account in each tenant on which nobody has one yet."""
    from msp.simulator.state import DEFAULT_PERMISSIONS
    from technicians.actions.assign import assign
    from technicians.actions.create_technician import create_technician
    from technicians.models import Role
    from tenants.models import SharedAccount, Tenant

    owner = on_stage.owner
    person = create_technician(
        reseller=owner.reseller, email="newcomer@r.example", name="Newcomer", role=Role.TECHNICIAN, by=owner
    )
    on_stage.cloud.consent(
        on_stage.client_id, permissions=[*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod"]
    )
    accounts = []
    for tenant in Tenant.objects.select_related("customer").order_by("default_domain"):
        there = str(tenant.directory_id)
        on_stage.cloud.set_tenant(there, policies={"methods": {"HardwareOath": "enabled"}})
        made = on_stage.cloud.control("users", tenant=there, upn=f"shared@{tenant.default_domain}")
        account = SharedAccount.objects.create(
            reseller=owner.reseller, tenant=tenant, user_principal_name=made["upn"], object_id=made["id"]
        )
        assign(person, account, by=owner, reason="bench")
        accounts.append(account)
    return person, accounts


def sit(person: Any, accounts: Sequence[Any], outside: Any) -> tuple[float, int, int]:
    """(seconds, scans, active accounts) of one sitting in which the person needs no time at all."""
    from msp.ops.work_here import work_until_settled
    from technicians.actions.begin_bulk import begin_bulk
    from technicians.actions.prove_bulk_code import prove_bulk_code
    from technicians.actions.show_bulk_code import show_bulk_code
    from technicians.bulk_queries import sitting_of
    from tests.support.bulk_desk import AppOnAPhone

    began, scans, phone = time.monotonic(), 0, AppOnAPhone()
    bulk = begin_bulk(person, accounts, by=person, app="google", outside=outside).bulk
    work_until_ready(bulk, outside)
    while sitting_of(bulk).next_up:
        shown = show_bulk_code(bulk, by=person, outside=outside)
        phone.scans(shown.text)
        scans += 1
        typed = {str(e.pk): phone.code(e.account) for e in sitting_of(bulk).asked}
        prove_bulk_code(bulk, shown.code.number, typed, by=person, outside=outside)
    assert bulk.run is not None
    work_until_settled(bulk.run, outside, threads=THREADS)
    return time.monotonic() - began, scans, len(sitting_of(bulk).active)


def work_until_ready(bulk: Any, outside: Any) -> None:
    """Until every token is made or refused; what then waits for a code of the person waits in its row."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection
    from django.utils import timezone

    from tenants.actions.work_target import work_target
    from tenants.models import Target

    def work(target_id: Any) -> None:
        try:
            work_target(target_id, outside=outside)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        while bulk.enrolments.filter(status="preparing").exists():
            due = Target.objects.due(timezone.now()).filter(run=bulk.run)
            list(pool.map(work, list(due.values_list("pk", flat=True))))
            time.sleep(0.1)


if __name__ == "__main__":
    main()
