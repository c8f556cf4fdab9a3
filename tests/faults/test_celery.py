"""Real Celery workers on a real broker: messages three times, messages lost, a worker killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from msp.celery import app
from msp.simulator.server import Simulator
from tenants.actions.nudge import nudge
from tenants.actions.sweep import sweep
from tenants.models import Run, Target
from tenants.plans import RunState
from tests.support.celery_worker import celery_worker, environment_of
from tests.support.stage import build_world
from tests.support.world import World, eventually

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

ACCOUNTS = 6


@pytest.fixture
def world(transactional_db: None, simulator: Simulator, credential: Path, tmp_path: Path) -> World:
    app.control.purge()
    return build_world(simulator, credential, tmp_path)


@pytest.fixture
def environment(world: World, credential: Path, tmp_path: Path) -> dict[str, str]:
    return environment_of(world, credential, tmp_path, LATCHKEY_LEASE_SECONDS="3")


def leave(world: World) -> Run:
    ana, ben = world.technician("Ana"), world.technician("Ben")
    for number in range(ACCOUNTS // 2):
        tenant = world.tenant(f"Tenant {number}")
        for name in ("admin", "it-admin"):
            world.give(world.account(tenant, name), ana, ben)
    world.cloud.knobs.set(latency_ms=30)
    return world.offboard(ana).run


def ends_well(world: World, run: Run, *, sweeping: bool = False) -> bool:
    def clean() -> bool:
        if sweeping:
            sweep()
        return world.state(run) == RunState.CLEAN_SO_FAR

    return eventually(clean, seconds=40)


def assert_each_change_happened_once(world: World) -> None:
    for kind in ("password_changed", "method_removed", "sessions_revoked"):
        changed = [e.user_id for e in world.cloud.effects if e.kind == kind and e.by == "graph"]
        assert len(changed) == len(set(changed)) == ACCOUNTS, kind


class WhenEveryMessageComesThreeTimesAndTwoWorkersListen:
    def test_each_change_happens_once(self, world: World, environment: dict[str, str], tmp_path: Path):
        run = leave(world)
        for _ in range(2):
            for target_id in run.targets.values_list("pk", flat=True):
                nudge(target_id)
        log = tmp_path / "worker.log"
        with celery_worker(environment, tmp_path / "1", log), celery_worker(environment, tmp_path / "2", log):
            assert ends_well(world, run), log.read_text()[-2000:]
        assert_each_change_happened_once(world)


class WhenEveryMessageIsLost:
    def test_the_sweep_wakes_the_workers_again(self, world: World, environment: dict[str, str], tmp_path: Path):
        run = leave(world)
        app.control.purge()
        log = tmp_path / "worker.log"
        with celery_worker(environment, tmp_path / "1", log):
            time.sleep(1)
            assert world.state(run) == RunState.RUNNING
            assert len([e for e in world.cloud.effects if e.by == "graph"]) == 0
            assert ends_well(world, run, sweeping=True), log.read_text()[-2000:]
        assert_each_change_happened_once(world)


class WhenAWorkerIsKilledWithItsHandsFull:
    def test_the_next_one_ends_the_work(self, world: World, environment: dict[str, str], tmp_path: Path):
        run = leave(world)
        log = tmp_path / "worker.log"
        world.cloud.knobs.set(latency_ms=150)
        with celery_worker(environment, tmp_path / "1", log) as process:
            assert eventually(lambda: world.cloud.effects.count(kind="password_changed", by="graph") >= 2)
            os.kill(process, signal.SIGKILL)
        assert Target.objects.filter(run=run, due_at__lte=timezone.now()).exists()
        world.cloud.knobs.set(latency_ms=10)
        with celery_worker(environment, tmp_path / "2", log):
            assert ends_well(world, run, sweeping=True), log.read_text()[-2000:]
        for target in run.targets.select_related("account__tenant"):
            account = target.account
            assert world.passwords_known(account) == {"current": world.password_at_microsoft(account)}
        connection.close()
        assert_each_change_happened_once(world)
