#!/usr/bin/env python3
"""What does one departure cost? `python3 manage.py bench offboarding --json [--accounts 1000] [--workers 2] ...`

Two shared accounts in each tenant, and the leaver holds them all. Real Celery workers on a private PostgreSQL and
Valkey work against the simulated cloud in its own process: log-normal latency with the median `--latency`, and the
documented throttling (`--throttle` method calls in 10 s for each tenant). Everything is on this one machine, so the
cloud's own work is in the seconds, too.

Prints one JSON object. `latency_bound_seconds` is the larger of round trips x median latency / threads and of what
the throttling alone allows: a tenant that answers n method calls takes at least 10 s x floor((n - 1) / 5).
`sequential_seconds` is what `bench/sequential.py`, a plain script that does one account after another, needs for a
sample of the same kind, scaled to all accounts. `--sizes 100 1000 10000` and `--worker-counts 1 2 4` measure growth
and the number of processes.
"""

from __future__ import annotations

import argparse
import json
import math
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from stage import stage
from workers import cpu_seconds_of_children, workers

METHOD_CALLS, WINDOW = 5, 10.0
SWEEP_SECONDS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the answer is JSON in any case")
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2, help="processes that share the threads")
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--latency", type=float, default=120, help="median milliseconds of the cloud")
    parser.add_argument("--throttle", type=int, default=METHOD_CALLS, help="method calls in 10 s for each tenant")
    parser.add_argument("--sample", type=int, default=50, help="accounts that the sequential script does; 0: none")
    parser.add_argument("--sizes", type=int, nargs="+", default=[], help="more numbers of accounts")
    parser.add_argument("--worker-counts", type=int, nargs="+", default=[], help="more numbers of processes")
    asked = parser.parse_args()
    with stage() as home:
        numbers = iter(range(1000))
        found = measure(home, asked, next(numbers), accounts=asked.accounts, processes=asked.workers)
        if asked.sample:
            found |= in_sequence(home, asked, next(numbers), found)
        if asked.sizes:
            found |= growth(home, asked, numbers, found)
        if asked.worker_counts:
            found |= by_workers(home, asked, numbers, found)
    print(json.dumps(found))


def growth(home: Path, asked: argparse.Namespace, numbers: Iterator[int], found: dict[str, Any]) -> dict[str, Any]:
    """The exponent 1 is linear: the slope between the smallest and the largest size on doubly logarithmic paper."""
    sizes = [
        found if n == asked.accounts else measure(home, asked, next(numbers), accounts=n, processes=asked.workers)
        for n in sorted({*asked.sizes, asked.accounts})
    ]
    first, last = sizes[0], sizes[-1]
    exponent = math.log(last["seconds"] / first["seconds"]) / math.log(last["accounts"] / first["accounts"])
    told = ("accounts", "tenants", "seconds", "latency_bound_seconds", "ratio_to_bound", "peak_rss_mb", "run_state")
    return {"sizes": [only(s, *told) for s in sizes], "growth_exponent": round(exponent, 2)}


def by_workers(home: Path, asked: argparse.Namespace, numbers: Iterator[int], found: dict[str, Any]) -> dict[str, Any]:
    """The same load, with as many threads in all."""
    runs = [
        found if n == asked.workers else measure(home, asked, next(numbers), accounts=asked.accounts, processes=n)
        for n in asked.worker_counts
    ]
    return {"by_workers": [only(run, "workers", "threads", "seconds", "ratio_to_bound", "run_state") for run in runs]}


def measure(home: Path, asked: argparse.Namespace, number: int, *, accounts: int, processes: int) -> dict[str, Any]:
    """One departure from so many accounts, from the decision until nothing is under way any more."""
    from crowd import crowd
    from django.db import connection

    from technicians.actions.offboard import offboard
    from tenants.actions.sweep import sweep
    from tenants.models import Run, Step
    from tenants.models.run import UNDER_WAY
    from tenants.plans import StepKind

    knobs = {"latency_ms": asked.latency, "throttle": asked.throttle}
    with crowd(home, number=number, tenants=math.ceil(accounts / 2), **knobs) as on_stage:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        with workers(home, count=processes, threads=asked.threads, environment=on_stage.environment) as running:
            before = running.cpu_seconds()
            cloud_before, database_before = on_stage.cpu_seconds_of_the_cloud(), cpu_seconds_of_children(postgres(home))
            began = time.monotonic()
            run: Run = offboard(on_stage.people[0], by=on_stage.owner, reason="bench").run
            opened = time.monotonic() - began
            swept = began
            under_way = Step.objects.filter(target__run=run, status__in=UNDER_WAY).exclude(kind=StepKind.SECOND_LOOK)
            while under_way.exists():
                time.sleep(0.2)
                if time.monotonic() - swept > SWEEP_SECONDS:
                    sweep()
                    swept = time.monotonic()
            seconds = time.monotonic() - began
            log = on_stage.cloud.log()
            figures = {
                "peak_rss_mb": running.peak_rss_mb(),
                "cpu_seconds": {
                    "workers": round(running.cpu_seconds() - before, 1),
                    "cloud": round(on_stage.cpu_seconds_of_the_cloud() - cloud_before, 1),
                    "database": round(cpu_seconds_of_children(postgres(home)) - database_before, 1),
                },
            }
    requests = sum(not entry["in_batch"] for entry in log)
    count = run.targets.count()
    bound = bound_of(log, requests, asked)
    return {
        "accounts": count,
        "tenants": math.ceil(accounts / 2),
        "workers": processes,
        "threads": asked.threads,
        "database": database(),
        "latency_ms": asked.latency,
        "method_calls_in_10_s": asked.throttle,
        "seconds": round(seconds, 1),
        "seconds_to_open": round(opened, 2),
        "requests": requests,
        "requests_per_account": round(requests / count, 2),
        "answers_429": sum(entry["status"] == 429 for entry in log),
        **bound,
        "ratio_to_bound": round(seconds / bound["latency_bound_seconds"], 2),
        "run_state": str(Run.objects.with_counts().get(pk=run.pk).state),
        **figures,
    }


def bound_of(log: list[dict[str, Any]], requests: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Below which no way of doing these requests can be."""
    by_latency = requests * asked.latency / 1000 / asked.threads
    calls = Counter(
        entry["tenant_id"] for entry in log if "/authentication/" in entry["path"] and entry["status"] != 429
    )
    most = max(calls.values(), default=0)
    by_throttling = WINDOW * ((most - 1) // asked.throttle) if asked.throttle and most else 0.0
    return {
        "bound_by_latency_seconds": round(by_latency, 1),
        "bound_by_throttling_seconds": round(by_throttling, 1),
        "latency_bound_seconds": round(max(by_latency, by_throttling), 1),
    }


def in_sequence(home: Path, asked: argparse.Namespace, number: int, found: dict[str, Any]) -> dict[str, Any]:
    from crowd import crowd
    from sequential import offboard_one_after_another

    knobs = {"latency_ms": asked.latency, "throttle": asked.throttle}
    with crowd(home, number=number, tenants=math.ceil(asked.sample / 2), **knobs) as on_stage:
        jobs = jobs_of(on_stage.people[0])
        secret = secrets.token_hex(16)
        client_id = on_stage.cloud.register_app(secret=secret)
        on_stage.cloud.consent(client_id)
        connection = replace(on_stage.connection, client_id=client_id, client_certificate="", client_secret=secret)
        seconds = offboard_one_after_another(jobs, connection)
    scaled = seconds / len(jobs) * found["accounts"]
    return {
        "sequential_sample_accounts": len(jobs),
        "sequential_sample_seconds": round(seconds, 1),
        "sequential_seconds": round(scaled, 1),
        "sequential_is": f"scaled from a sample of {len(jobs)} accounts",
        "speedup": round(scaled / found["seconds"], 1),
    }


def jobs_of(leaver: Any) -> list[Any]:
    """What an administrator would have in a list: every account of the leaver with the leaver's methods."""
    from sequential import Job

    from technicians.queries import holdings_of
    from tenants.models import Method, SharedAccount

    holdings = holdings_of(leaver)
    accounts = SharedAccount.objects.select_related("tenant").in_bulk([h.account_id for h in holdings])
    methods = Method.objects.in_bulk([m.id for h in holdings for m in h.methods])
    return [
        Job(
            str(accounts[h.account_id].tenant.directory_id),
            accounts[h.account_id].object_id,
            tuple((methods[m.id].kind, methods[m.id].directory_id) for m in h.methods),
        )
        for h in holdings
    ]


def only(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names}


def postgres(home: Path) -> int:
    return int((home.parent / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def database() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"


if __name__ == "__main__":
    main()
