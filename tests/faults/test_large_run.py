"""Five hundred accounts, a cloud that throttles, and one tenant that is dead."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from msp.ops import work_here
from msp.ops.work_here import work_until_settled
from msp.simulator import seeding
from msp.simulator.server import Simulator
from technicians.actions.offboard import offboard
from tenants.models import Run, Step, Target
from tenants.plans import Patience, RunState, StepKind, StepState
from tests.support.crowd import build_crowd
from tests.support.stage import build_world
from tests.support.world import World

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

TENANTS = 250
THREADS = 16


@pytest.fixture
def world(transactional_db: None, simulator: Simulator, credential: Path, tmp_path: Path) -> World:
    return build_world(simulator, credential, tmp_path, timeout_seconds=2)


class Meter:
    """Counts how many workers are inside a target, every few milliseconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside = 0
        self.samples: list[int] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        honest = work_here.work_target

        def counted(target_id: Any, *, outside: Any) -> Any:
            with self._lock:
                self.inside += 1
            try:
                return honest(target_id, outside=outside)
            finally:
                with self._lock:
                    self.inside -= 1

        monkeypatch.setattr(work_here, "work_target", counted)

    def __enter__(self) -> Meter:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.samples.append(self.inside)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class WhenFiveHundredAccountsAreLeft:
    def test_a_throttled_cloud_is_obeyed_and_one_dead_tenant_holds_up_nobody(
        self, world: World, monkeypatch: pytest.MonkeyPatch, record_property: Any
    ):
        built = seeding.build(world.cloud, tenants=TENANTS, technicians=8, seed=1, everywhere=0)
        people = build_crowd(built, world.reseller, world.outside)
        run = offboard(people[0], by=world.owner, reason="resigned").run
        first = Target.objects.filter(run=run).select_related("account__tenant").order_by("position").first()
        assert first is not None
        dead = str(first.account.tenant.directory_id)
        world.cloud.knobs.set(latency_ms=20, throttle=5)
        world.cloud.knobs.set(dead, dead="hang", hang_seconds=30)
        outside = replace(world.outside, patience=replace(Patience(), unreachable=(1, 2)))

        began = time.monotonic()
        with Meter(monkeypatch) as meter:
            work_until_settled(run, outside, threads=THREADS)
        seconds = time.monotonic() - began
        connection.close()

        assert Run.objects.with_counts().get(pk=run.pk).state == RunState.NEEDS_ATTENTION
        of_the_dead = Step.objects.filter(target__run=run, target__account__tenant__directory_id=dead)
        others = Step.objects.filter(target__run=run).exclude(target__account__tenant__directory_id=dead)
        assert set(of_the_dead.values_list("status", flat=True)) == {StepState.BLOCKED}
        assert (
            not others.exclude(kind=StepKind.SECOND_LOOK)
            .exclude(status__in=[StepState.VERIFIED, StepState.NEEDLESS])
            .exists()
        )
        assert others.filter(kind=StepKind.PROVE, status=StepState.VERIFIED).count() == 2 * TENANTS - 2

        throttled = world.cloud.log.count(status=429)
        assert throttled > 0
        # While tenants ask for patience nobody sits in a thread waiting for them: there are moments at which
        # hundreds of steps are under way and not one worker is busy with a target.
        idle = sum(1 for inside in meter.samples if inside <= 2)
        assert idle > 0

        given_up_at = max(of_the_dead.values_list("changed_at", flat=True))
        finished_meanwhile = others.filter(kind=StepKind.PROVE, verified_at__lt=given_up_at).count()
        assert finished_meanwhile > 0

        record_property("seconds", round(seconds, 1))
        record_property("answers_429", throttled)
        record_property("seconds_until_the_dead_tenant_was_given_up", (given_up_at - run.started_at).total_seconds())
        record_property("accounts_finished_meanwhile", finished_meanwhile)
