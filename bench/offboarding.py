#!/usr/bin/env python3
"""What does one departure cost? `bench/offboarding.py [--tenants 50 250] [--latency 120] [--throttle 0] [--dead]`

Two accounts in each tenant, and the leaver holds them all. Prints one JSON object: for each size the seconds, the
requests for each account, the ratio to the latency bound (round trips x latency / workers), the ratio to one account
after another, and the growth between the sizes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from typing import Any

from stage import certificate, cloud_process, stage

WORKERS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, nargs="+", default=[50, 250])
    parser.add_argument("--latency", type=float, default=120, help="median milliseconds of the cloud")
    parser.add_argument("--throttle", type=int, default=0, help="method calls in 10 s for each tenant; Microsoft: 5")
    parser.add_argument("--lag", type=float, default=0, help="seconds until a change is visible")
    parser.add_argument("--dead", action="store_true", help="one tenant never answers")
    asked = parser.parse_args()
    with stage() as home:
        sizes = [measure(home, asked, number, tenants) for number, tenants in enumerate(asked.tenants)]
    growth = [
        round((b["seconds"] / a["seconds"]) / (b["accounts"] / a["accounts"]), 2) for a, b in itertools.pairwise(sizes)
    ]
    print(json.dumps({"workers": WORKERS, "latency_ms": asked.latency, "sizes": sizes, "growth_per_account": growth}))


def measure(home: Any, asked: argparse.Namespace, number: int, tenants: int) -> dict[str, Any]:
    from dataclasses import replace

    from django.conf import settings

    from msp.microsoft.connection import Connection
    from msp.microsoft.graph import graph_directories
    from msp.ops.demo import public_certificate
    from msp.ops.work_here import work_until_settled
    from msp.outside import Outside
    from msp.simulator.remote import RemoteCloud
    from msp.vault.database import Vault
    from msp.vault.keepers.file import FileKeeper
    from technicians.actions.create_technician import create_technician
    from technicians.actions.offboard import offboard
    from technicians.models import Role
    from tenants.models import Reseller, Run, Step
    from tenants.plans import Patience, StepKind
    from tests.support.crowd import build_crowd

    with cloud_process(home / str(number), seed=number + 1) as (url, state), RemoteCloud.at(url, state) as cloud:
        pem = certificate(home)
        settings.MICROSOFT["client_certificate"] = str(pem)
        client_id = cloud.register_app(certificate_pem=public_certificate())
        cloud.consent(client_id)
        connection = Connection(
            client_id=client_id, client_certificate=str(pem), login_url=url, graph_url=url,
            ca_bundle=str(state / "ca.pem"), timeout_seconds=10,
        )  # fmt: skip
        outside = Outside(
            graph_directories(connection), Vault(FileKeeper(home / "keys")),
            patience=replace(Patience(), unreachable=(1, 2)),
        )  # fmt: skip
        reseller = Reseller.objects.create(name=f"Reseller {number}")
        owner = create_technician(
            reseller=reseller, email=f"owner{number}@r.example", name="Owner", role=Role.OWNER, by=None
        )
        built = cloud.build(tenants=tenants, seed=number + 1, everywhere=0)
        people = build_crowd(built, reseller, outside, prefix=f"bench{number}-")
        first = cloud.control("state")["tenants"][0]["id"]
        cloud.knobs(latency_ms=asked.latency, throttle=asked.throttle, read_lag=asked.lag)
        if asked.dead:
            cloud.knobs(first, dead="hang", hang_seconds=30)
        cloud.log(clear=True)

        began = time.monotonic()
        run: Run = offboard(people[0], by=owner, reason="bench").run
        opened = time.monotonic() - began
        work_until_settled(run, outside, threads=WORKERS)
        seconds = time.monotonic() - began
        everything = cloud.log()
        log = [e for e in everything if not e["in_batch"]]

    accounts = run.targets.count()
    alive = Step.objects.filter(target__run=run, kind=StepKind.PROVE, verified_at__isnull=False)
    last = max(alive.values_list("verified_at", flat=True))
    round_trips = len(log)
    bound = round_trips * asked.latency / 1000 / WORKERS
    in_turn = round_trips * asked.latency / 1000
    return {
        "tenants": tenants,
        "accounts": accounts,
        "state": Run.objects.with_counts().get(pk=run.pk).state,
        "seconds": round(seconds, 1),
        "seconds_to_open": round(opened, 2),
        "seconds_until_the_last_living_tenant": round((last - run.started_at).total_seconds(), 1),
        "requests": round_trips,
        "requests_per_account": round(round_trips / accounts, 2),
        "answers_429": sum(e["status"] == 429 for e in everything),
        "latency_bound_seconds": round(bound, 1),
        "ratio_to_latency_bound": round(seconds / bound, 2) if bound else None,
        "times_faster_than_in_turn": round(in_turn / seconds, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    main()
