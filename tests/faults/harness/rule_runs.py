"""Many plays of the machine of rules, in some processes at once: each a pytest with a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msp.ops import places
from tests.faults.harness.draw import LAWS

IN_ONE_GO = 250
AT_ONCE = 2
COUNT_FILE = "LATCHKEY_RULE_COUNT"


def run(runs: int, seed: int) -> dict[str, Any]:
    """Play them in goes, each with a seed of its own; a go ends at the first law that breaks in it."""
    goes = list(_goes(runs, seed))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda go: _go(*go), goes))
    broken = {law.replace(" ", "_"): sum(law in output for _count, output in done) for law in LAWS}
    failed = [seed for (_runs, seed), (_count, output) in zip(goes, done, strict=True) if output]
    for output in (output for _count, output in done if output):
        sys.stderr.write(output)
    return {
        "runs": sum(count for count, _output in done),
        "seeds": [goes[0][1], goes[-1][1]] if goes else [0, 0],
        "broken": broken,
        "failed_seeds": failed,
    }


def _goes(runs: int, seed: int) -> Iterator[tuple[int, int]]:
    while runs > 0:
        yield min(runs, IN_ONE_GO), seed
        runs, seed = runs - IN_ONE_GO, seed + 1


def _go(runs: int, seed: int) -> tuple[int, str]:
    """(how many were played, "" or what pytest said)."""
    with tempfile.TemporaryDirectory(prefix="latchkey-rules-") as place:
        count = Path(place) / "count"
        told = {"LATCHKEY_RULE_RUNS": str(runs), "LATCHKEY_RULE_SEED": str(seed), COUNT_FILE: str(count)}
        kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        command = [sys.executable, "manage.py", "test", "-q", "-n0", "tests/faults/test_fault_rules.py"]
        done = subprocess.run(command, cwd=places.ROOT, env=kept | told, capture_output=True, text=True, check=False)
        played = json.loads(count.read_text()) if count.exists() else 0
        return played, "" if done.returncode == 0 else done.stdout[-6000:] + done.stderr[-2000:]
