"""Law 2, a thousand times: the rotation dies at some commit, or its line at some byte, and no password is lost.

After each accident the question is put to the simulator's sign-in at once, and again when a new process has finished.
LATCHKEY_ROTATION_SEED chooses other accidents; a failure names its own.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from msp.microsoft.connection import Connection
from msp.microsoft.graph import graph_directories
from msp.simulator.server import Simulator
from tenants.actions.rotate import rotate
from tenants.actions.work_target import work_target
from tenants.models import Lease, Run, SecretVersion, SharedAccount, Target, Tenant
from tenants.plans import RunState, StepKind, StepState
from tests.support.cut_line import BACK, OUT, CutLine
from tests.support.stage import build_world
from tests.support.sudden_death import Commits, Died, commits_watched
from tests.support.world import AT_ONCE, World

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

BLOCKS, RUNS_PER_BLOCK = 10, 100
SEED = int(os.environ.get("LATCHKEY_ROTATION_SEED", "20261125"))


@dataclass
class Stage:
    """A world whose worker comes to the simulator over the cut line."""

    world: World
    line: CutLine
    commits: Commits
    connection: Connection
    number: int = 0

    def begin_a_process(self) -> None:
        """One with no memory: no token, no open connection, no idea of what was unreachable."""
        self.commits.live()
        self.line.mend()
        self.world.outside = replace(self.world.outside, directory_for=graph_directories(self.connection))

    def account(self) -> SharedAccount:
        """A shared account in a tenant of its own, so that the token too is asked for anew; both clocks agree."""
        self.number += 1
        self.world.cloud.advance(-self.world.cloud.clock_offset)
        account = self.world.account(self.world.tenant(f"Tenant {self.number}"))
        self.world.give(account, self.ben)
        return account

    @property
    def ben(self) -> Any:
        if not hasattr(self, "_ben"):
            self._ben = self.world.technician("Ben")
        return self._ben

    def rotate(self, account: SharedAccount) -> Run:
        return rotate([account], by=self.world.owner, reason="quarter")

    def work_until_rest_or_death(self, run: Run) -> None:
        target_id = run.targets.get().pk
        try:
            for _ in range(8):
                work_target(target_id, outside=self.world.outside)
        except Died:
            pass

    def go_on(self, run: Run) -> None:
        """Another process, on a whole line, after the lease of the first one ended and the waiting is over."""
        self.begin_a_process()
        for _ in range(3):
            Lease.objects.update(until=timezone.now())
            Tenant.objects.update(busy_until=None)
            Target.objects.filter(run=run, due_at__isnull=False).update(due_at=timezone.now())
            self.world.work(run)

    def lets_in(self, account: SharedAccount, password: str) -> bool:
        """The real question, with Ben's code. The clock moves on first, because a code works once."""
        self.world.cloud.advance(31)
        result = self.world.cloud.sign_in(
            self.world.directory_id(account),
            account.user_principal_name,
            password,
            self.world.code_of(account, self.ben),
        )
        return bool(result.session)

    def assert_the_labels_are_right(self, account: SharedAccount, told: str) -> None:
        """Of the versions that may sign in, one does; when only one is said to, it is that one. No other does."""
        known = self.world.passwords_known(account)
        assert set(known) in ({"current"}, {"current", "unverified"}), told
        in_force = self.world.password_at_microsoft(account)
        assert in_force in known.values(), told
        assert any(self.lets_in(account, password) for password in sorted(known.values(), key=in_force.__ne__)), told
        over = SecretVersion.objects.filter(secret__account=account, status__in=["retired", "dead"])
        values = {
            self.world.outside.vault.open(bytes(v.sealed), v.place).decode()
            for v in over.select_related("secret__account")
        }
        assert in_force not in values, told


@pytest.fixture
def stage(
    transactional_db: None,
    simulator: Simulator,
    credential: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    world = build_world(simulator, credential, tmp_path, timeout_seconds=5)
    with CutLine(simulator.port) as line, commits_watched(monkeypatch) as commits:
        url = f"https://127.0.0.1:{line.port}"
        over_the_line = replace(world.connection, login_url=url, graph_url=url)
        # While the line is down the worker asks again and again, and does not yet leave it to a person.
        patience = replace(AT_ONCE, unreachable=(0,) * 30)
        world.outside = replace(world.outside, patience=patience)
        yield Stage(world, line, commits, over_the_line)
        commits.live()


@dataclass(frozen=True)
class Size:
    """What one rotation without an accident takes."""

    commits: int
    out: int
    back: int


def measured(stage: Stage) -> Size:
    run = stage.rotate(stage.account())
    stage.begin_a_process()
    stage.work_until_rest_or_death(run)
    assert stage.world.state(run) == RunState.CLEAN
    return Size(stage.commits.count, stage.line.passed[OUT], stage.line.passed[BACK])


def accident(stage: Stage, size: Size, dice: random.Random) -> str:
    """Prepare one, and say which."""
    kind = dice.choice(["dies before a commit", "dies after a commit", "cut on the way out", "cut on the way back"])
    if kind.startswith("dies"):
        number = dice.randint(1, size.commits)
        stage.commits.die_at(number, before="before" in kind)
        return f"{kind}, number {number}"
    direction, most = (OUT, size.out) if kind.endswith("out") else (BACK, size.back)
    count = dice.randint(1, most)
    stage.line.cut_after(direction, count)
    return f"{kind}, after {count} bytes"


@pytest.mark.parametrize("block", range(BLOCKS))
class WhenARotationMeetsAnAccident:
    def test_the_password_in_force_is_known_at_once_and_settled_afterwards(self, block: int, stage: Stage):
        size = measured(stage)
        assert size.commits >= 3
        assert min(size.out, size.back) > 1000
        dice = random.Random(f"{SEED}/{block}")
        struck = 0
        for number in range(RUNS_PER_BLOCK):
            account = stage.account()
            run = stage.rotate(account)
            stage.begin_a_process()
            what = accident(stage, size, dice)
            told = f"run {number} of block {block} with seed {SEED}: {what}"
            stage.work_until_rest_or_death(run)
            struck += stage.commits.is_dead or stage.line.is_cut
            stage.commits.live()
            stage.assert_the_labels_are_right(account, told)

            stage.go_on(run)
            assert stage.world.steps(run)[StepKind.ROTATE_PASSWORD] == StepState.VERIFIED, told
            assert stage.world.state(run) == RunState.CLEAN, told
            in_force = stage.world.password_at_microsoft(account)
            assert stage.world.passwords_known(account) == {"current": in_force}, told
            assert stage.lets_in(account, in_force), told
        assert struck > RUNS_PER_BLOCK * 0.9
