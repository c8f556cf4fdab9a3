"""The worker is killed with -9 at a named point of a step. Another one goes on; nothing is lost, nothing lies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from msp.simulator.server import Simulator
from tenants.models import Target
from tenants.plans import RunState, StepKind, StepState
from tests.support.celery_worker import database_url
from tests.support.stage import build_world
from tests.support.world import World

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

ACTS = ("rotate_password", "remove_method", "revoke_sessions")
POINTS = (
    "intent.uncommitted", "intent.committed", "call.answered", "answer.uncommitted",
    "answer.committed", "readback.done", "proof.uncommitted", "proof.committed",
)  # fmt: skip
MILESTONES = [
    "rotate_password.candidate.uncommitted",
    "rotate_password.candidate.committed",
    *(f"{act}.{point}" for act in ACTS for point in POINTS),
]
LEASE_SECONDS = 1


@pytest.fixture
def world(transactional_db: None, simulator: Simulator, credential: Path, tmp_path: Path, settings: Any) -> World:
    settings.LEASE_SECONDS = LEASE_SECONDS
    return build_world(simulator, credential, tmp_path)


def kill_a_worker(world: World, target: Target, milestone: str, credential: Path, home: Path) -> int:
    """Returns the exit code of the worker: minus the signal that ended it."""
    client_id = next(iter(world.cloud.apps))
    told = {
        "target": str(target.pk),
        "milestone": milestone,
        "key_directory": str(home / "keys"),
        "connection": {
            "client_id": client_id, "client_certificate": str(credential), "login_url": world.simulator.url,
            "graph_url": world.simulator.url, "ca_bundle": str(world.simulator.ca_path), "timeout_seconds": 10,
        },
    }  # fmt: skip
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "LATCHKEY_LEASE_SECONDS": str(LEASE_SECONDS),
        "DJANGO_SETTINGS_MODULE": "msp.settings",
    }
    worker = subprocess.run(
        [sys.executable, "-m", "tests.support.doomed_worker"], input=json.dumps(told), text=True, env=environment,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert worker.returncode in (0, -signal.SIGKILL), worker.stderr
    return worker.returncode


@pytest.mark.parametrize("milestone", MILESTONES)
class WhenTheWorkerIsKilled:
    """Ana leaves; she and Ben hold Contoso's shared account."""

    def test_the_next_worker_ends_the_run_and_nothing_is_lost(
        self, milestone: str, world: World, credential: Path, tmp_path: Path
    ):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana, ben)
        hers = world.phones[account.pk, ana.pk].method_id
        run = world.offboard(ana).run
        target = run.targets.get()

        assert kill_a_worker(world, target, milestone, credential, tmp_path) == -signal.SIGKILL

        # Law 2: at this very moment the password in force is one that Latchkey knows of.
        assert world.password_at_microsoft(account) in world.passwords_known(account).values()

        time.sleep(LEASE_SECONDS + 0.1)
        Target.objects.filter(pk=target.pk).update(due_at=target.due_at)
        world.work(run)

        assert world.state(run) == RunState.CLEAN_SO_FAR
        states = world.steps(run)
        assert {states[StepKind(act)] for act in ACTS} == {StepState.VERIFIED}
        assert world.passwords_known(account) == {"current": world.password_at_microsoft(account)}
        assert hers not in world.methods_on(account)
        assert world.gets_in(account, ben)
        for effect in ("password_changed", "method_removed", "sessions_revoked"):
            assert world.cloud.effects.count(kind=effect, by="graph") == 1, effect
