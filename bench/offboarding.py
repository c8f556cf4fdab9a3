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

from stage import stage

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
    from crowd import crowd

    from msp.ops.work_here import work_until_settled
    from technicians.actions.offboard import offboard
    from tenants.models import Run, Step
    from tenants.plans import StepKind

    knobs = {"latency_ms": asked.latency, "throttle": asked.throttle, "read_lag": asked.lag}
    with crowd(home, number=number, tenants=tenants, **knobs) as on_stage:
        cloud = on_stage.cloud
        if asked.dead:
            first = cloud.control("state")["tenants"][0]["id"]
            cloud.knobs(first, dead="hang", hang_seconds=30)

        began = time.monotonic()
        run: Run = offboard(on_stage.people[0], by=on_stage.owner, reason="bench").run
        opened = time.monotonic() - began
        work_until_settled(run, on_stage.outside, threads=WORKERS)
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
