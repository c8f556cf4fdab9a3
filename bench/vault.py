#!/usr/bin/env python3
"""What does the vault cost? `bench/vault.py [--secrets 10000] [--tenants 200] [--seconds 3] [--threads 1 64]`

Prints one JSON object: seals and opens per second with each number of threads, as ratios to the cryptography alone and
to one thread; and the seconds that `rotate_keys` and `rotate_keys --data-keys` take over the secrets, as a ratio to
opening and sealing each of them once.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stage import stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secrets", type=int, default=10_000)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3, help="how long each rate is measured")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 64])
    asked = parser.parse_args()
    with stage():
        print(json.dumps(measure(asked)))


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    from django.core.management import call_command
    from django.db import connections, transaction

    from msp.outside import outside
    from msp.vault import envelope as envelopes
    from tenants.models import SecretVersion
    from tests.support.many_secrets import fill
    from tests.support.world import found_reseller

    vault = outside().vault
    reseller, _owner = found_reseller("Bench", "owner@r.example")
    fill(reseller, vault, tenants=asked.tenants, versions=asked.secrets // asked.tenants)
    rows = [
        (bytes(version.sealed), version.place)
        for version in SecretVersion.objects.select_related("secret__account").order_by("?")[:2000]
    ]
    key, key_id = secrets.token_bytes(envelopes.KEY_BYTES), bytes(16)
    sealed = envelopes.seal(key, b"correct horse", rows[0][1], key_id=key_id)

    def seal(number: int) -> None:
        with transaction.atomic():
            vault.seal(b"correct horse", rows[number % len(rows)][1])

    acts: dict[str, Callable[[int], object]] = {
        "seal": seal,
        "open": lambda number: vault.open(*rows[number % len(rows)]),
    }
    alone: dict[str, Callable[[int], object]] = {
        "seal": lambda _number: envelopes.seal(key, b"correct horse", rows[0][1], key_id=key_id),
        "open": lambda _number: envelopes.open_(key, sealed, rows[0][1]),
    }
    rates: dict[str, Any] = {}
    for name, act in acts.items():
        bound = per_second(alone[name], 1, asked.seconds / 3, connections.close_all)
        found = {threads: per_second(act, threads, asked.seconds, connections.close_all) for threads in asked.threads}
        rates[name] = {
            "cryptography_alone_per_second": round(bound),
            "per_second": {str(threads): round(rate) for threads, rate in found.items()},
            "ratio_to_cryptography_alone": {str(threads): round(rate / bound, 3) for threads, rate in found.items()},
            "ratio_to_the_first": {str(t): round(rate / found[asked.threads[0]], 2) for t, rate in found.items()},
        }
    once = asked.secrets * sum(1 / rates[name]["per_second"][str(asked.threads[0])] for name in acts)
    turnovers = {}
    for name, arguments in {"rotate_keys": [], "rotate_keys --data-keys": ["--data-keys"]}.items():
        out, began = io.StringIO(), time.monotonic()
        call_command("rotate_keys", "--json", "--rest-seconds", "0", *arguments, stdout=out, stderr=io.StringIO())
        seconds = time.monotonic() - began
        counts = json.loads(out.getvalue())
        turnovers[name] = {
            "seconds": round(seconds, 2),
            "data_keys_rewrapped": counts["rewrapped"],
            "secrets_resealed": counts["resealed"],
            "ratio_to_opening_and_sealing_each_once": round(seconds / once, 2),
        }
    return {"secrets": asked.secrets, "tenants": asked.tenants, **rates, "turnovers": turnovers}


def per_second(act: Callable[[int], object], threads: int, seconds: float, at_the_end: Callable[[], None]) -> float:
    """How often the act is done in a second by all threads together."""
    numbers = itertools.count()
    began = time.monotonic()

    def work() -> int:
        done = 0
        try:
            while time.monotonic() - began < seconds:
                act(next(numbers))
                done += 1
        finally:
            at_the_end()
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(future.result() for future in [pool.submit(work) for _ in range(threads)])
    return done / (time.monotonic() - began)


if __name__ == "__main__":
    main()
