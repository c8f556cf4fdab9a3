"""The laws under any order of rules: `LATCHKEY_RULE_RUNS` plays (60 without it), drawn from `LATCHKEY_RULE_SEED`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.harness.departures import Departures
from tests.faults.harness.rule_runs import COUNT_FILE
from tests.faults.harness.rule_stage import Stage

pytestmark = pytest.mark.fault

RUNS = int(os.environ.get("LATCHKEY_RULE_RUNS", "60"))
SEED = int(os.environ.get("LATCHKEY_RULE_SEED", "1"))
RULES_IN_A_PLAY = 14


class WhenAnythingHappensInAnyOrder:
    def test_the_laws_hold_after_every_rule(self, db: None, tmp_path: Path):
        machine = hypothesis.seed(SEED)(type("Departures", (Departures,), {"stage": Stage(tmp_path), "count": 0}))
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=RUNS, stateful_step_count=RULES_IN_A_PLAY, deadline=None, database=None,
                    phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
                ),
            )  # fmt: skip
        finally:
            if place := os.environ.get(COUNT_FILE):
                Path(place).write_text(json.dumps(machine.count))
        assert machine.count >= RUNS
