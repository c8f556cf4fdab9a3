"""Two workers, a message twice, a message lost: each change happens once at Microsoft."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from msp.simulator.server import Simulator
from tenants.actions.lease import take_lease
from tenants.actions.work_target import work_target
from tenants.models import Lease, Run, Target
from tenants.plans import RunState
from tests.support.stage import build_world
from tests.support.world import World

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(transactional_db: None, simulator: Simulator, credential: Path, tmp_path: Path) -> World:
    return build_world(simulator, credential, tmp_path)


@pytest.fixture
def run(world: World) -> Run:
    """Ana leaves eight accounts in four tenants; Ben stays on all of them."""
    ana, ben = world.technician("Ana"), world.technician("Ben")
    for number in range(4):
        tenant = world.tenant(f"Tenant {number}")
        for name in ("admin", "it-admin"):
            world.give(world.account(tenant, name), ana, ben)
    world.cloud.knobs.set(latency_ms=20)
    return world.offboard(ana).run


def messages(world: World, *runs: Run, copies: int, threads: int) -> None:
    """So many messages for each target at once, as a broker may deliver them."""

    def one(target_id: object) -> None:
        try:
            work_target(target_id, outside=world.outside)
        finally:
            connection.close()

    ids = list(Target.objects.filter(run__in=runs).values_list("pk", flat=True)) * copies
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, ids))


def assert_each_change_happened_once(world: World) -> None:
    for kind in ("password_changed", "method_removed", "sessions_revoked"):
        changed = [e.user_id for e in world.cloud.effects if e.kind == kind and e.by == "graph"]
        assert len(changed) == len(set(changed)) == 8, kind


class WhenEveryMessageIsDeliveredManyTimes:
    def test_each_change_happens_once(self, world: World, run: Run):
        messages(world, run, copies=6, threads=16)
        world.work(run)
        assert world.state(run) == RunState.CLEAN_SO_FAR
        assert_each_change_happened_once(world)


class WhenEveryMessageIsLost:
    def test_the_sweep_finds_the_work(self, world: World, run: Run):
        due = Target.objects.due(timezone.now()).filter(run=run)
        assert due.count() == 8
        world.work(run)
        assert world.state(run) == RunState.CLEAN_SO_FAR
        assert_each_change_happened_once(world)


class WhenTwoWorkersWantOneAccount:
    def test_one_of_many_gets_the_lease(self, world: World, run: Run):
        target = run.targets.first()
        assert target is not None
        barrier = threading.Barrier(8)

        def take(_number: int) -> bool:
            try:
                barrier.wait()
                return take_lease(target.pk) is not None
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(take, range(8))) == 1

    def test_a_lease_that_ran_out_can_be_taken_and_its_old_holder_may_not_go_on(self, world: World, run: Run):
        target = run.targets.get(position=0)
        old = take_lease(target.pk)
        assert old is not None
        Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
        assert take_lease(target.pk) is not None
        with pytest.raises(Exception, match="took over"):
            old.hold()


class WhenAWorkerLosesItsLeaseInTheMiddleOfACall:
    def test_the_other_one_ends_the_work_and_the_change_still_happens_once(self, world: World, run: Run):
        """The call hangs, the lease runs out, another worker takes over and reads back."""
        target = run.targets.get(position=0)
        world.cloud.faults.plan(kind="slow_body", method="DELETE", times=1, delay=1.5)
        slow = threading.Thread(target=lambda: (work_target(target.pk, outside=world.outside), connection.close()))
        slow.start()
        while not [e for e in world.cloud.effects if e.kind == "method_removed"]:
            pass
        Lease.objects.filter(account=target.account).update(until=timezone.now() - timedelta(seconds=1))
        work_target(target.pk, outside=world.outside)
        slow.join()
        world.work(run)
        assert world.state(run) == RunState.CLEAN_SO_FAR
        assert_each_change_happened_once(world)


class WhenTwoLeaversShareAnAccount:
    def test_the_second_run_waits_for_the_first_and_both_end_well(self, world: World):
        ana, ben, cid = (world.technician(name) for name in ("Ana", "Ben", "Cid"))
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana, ben, cid)
        first, second = world.offboard(ana).run, world.offboard(ben).run
        messages(world, first, second, copies=3, threads=6)
        for _ in range(3):
            Target.objects.filter(due_at__lt=timezone.now() + timedelta(minutes=1)).update(due_at=timezone.now())
            world.work(first)
            world.work(second)
        assert world.state(first) == world.state(second) == RunState.CLEAN_SO_FAR
        assert world.methods_on(account) == {world.phones[account.pk, cid.pk].method_id}
        assert world.gets_in(account, cid)
