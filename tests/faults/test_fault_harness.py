"""The short profile of the harness: a hundred runs, real processes, random misfortune. `manage.py faults` by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from msp.ops import places

pytestmark = pytest.mark.fault

AT_MOST = 30 * 60
"""Seconds. Two idle cores need three minutes; a run is judged by having come to rest, never by how long it took."""
ELSEWHERE = ("DATABASE_URL", "REDIS_URL", "LATCHKEY_HOME", "DJANGO_SETTINGS_MODULE", "LATCHKEY_METHOD_CALLS_PER_10_S")


class WhenAnythingIsKilledStoppedOrCutOff:
    def test_no_run_of_a_hundred_breaks_a_law(self):
        kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        done = subprocess.run(
            [sys.executable, "manage.py", "faults", "--profile", "short", "--json"],
            cwd=places.ROOT, env=kept, capture_output=True, text=True, timeout=AT_MOST, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-20_000:]
        found = json.loads(done.stdout)["processes"]
        assert found["runs"] == 100
        assert not any(found["broken"].values())
        assert found["failed_seeds"] == []
