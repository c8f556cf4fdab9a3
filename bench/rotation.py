#!/usr/bin/env python3
"""How many passwords change in a minute? `bench/rotation.py [--tenants 50 200] [--latency 120] [--throttle 5]`

Two accounts in each tenant, all changed by one run, against a cloud that takes `throttle` method calls in 10 s for each
tenant. Prints one JSON object: for each size the rotations per minute, the requests for each account, the ratio to the
latency bound (round trips x latency / workers), and the growth between the sizes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from typing import Any

from stage import stage

WORKERS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--latency", type=float, default=120, help="median milliseconds of the cloud")
    parser.add_argument("--throttle", type=int, default=5, help="method calls in 10 s for each tenant; Microsoft: 5")
    asked = parser.parse_args()
    with stage() as home:
        sizes = [measure(home, asked, number, tenants) for number, tenants in enumerate(asked.tenants)]
    growth = [
        round((b["seconds"] / a["seconds"]) / (b["accounts"] / a["accounts"]), 2) for a, b in itertools.pairwise(sizes)
    ]
    told = {"workers": WORKERS, "latency_ms": asked.latency, "throttle": asked.throttle}
    print(json.dumps({**told, "sizes": sizes, "growth_per_account": growth}))


def measure(home: Any, asked: argparse.Namespace, number: int, tenants: int) -> dict[str, Any]:
    from crowd import crowd

    from msp.ops.work_here import work_until_settled
    from tenants.actions.rotate import rotate
    from tenants.models import Run, SharedAccount, Step
    from tenants.plans import StepKind, StepState

    knobs = {"latency_ms": asked.latency, "throttle": asked.throttle}
    with crowd(home, number=number, tenants=tenants, **knobs) as on_stage:
        accounts = list(SharedAccount.objects.visible_to(on_stage.owner).filter(break_glass=False))
        began = time.monotonic()
        run = rotate(accounts, by=on_stage.owner, reason="bench")
        work_until_settled(run, on_stage.outside, threads=WORKERS)
        seconds = time.monotonic() - began
        log = on_stage.cloud.log()
    changed = Step.objects.filter(target__run=run, kind=StepKind.ROTATE_PASSWORD, status=StepState.VERIFIED).count()
    requests = sum(not entry["in_batch"] for entry in log)
    bound = requests * asked.latency / 1000 / WORKERS
    return {
        "tenants": tenants,
        "accounts": len(accounts),
        "state": Run.objects.with_counts().get(pk=run.pk).state,
        "changed": changed,
        "seconds": round(seconds, 1),
        "rotations_per_minute": round(changed / seconds * 60),
        "requests_per_account": round(requests / len(accounts), 2),
        "answers_429": sum(entry["status"] == 429 for entry in log),
        "ratio_to_latency_bound": round(seconds / bound, 2),
    }


if __name__ == "__main__":
    main()
