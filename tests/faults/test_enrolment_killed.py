"""The worker is killed with -9 while it makes, activates or takes away a token of ours. Another one goes on."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from msp.simulator.server import Simulator
from technicians.actions.assign import assign
from technicians.actions.end_enrolment import end_enrolment
from technicians.actions.open_enrolments import open_enrolments
from technicians.actions.prove_enrolment import prove_enrolment
from technicians.actions.show_seed import show_seed
from technicians.codes import SECONDS, code_at
from technicians.models import Enrolment
from tenants.actions.observe_account import observe_account
from tenants.models import Registration, Target
from tenants.plans import RunState
from tests.faults.test_worker_killed import LEASE_SECONDS, kill_a_worker
from tests.support.stage import build_world
from tests.support.world import World

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

POINTS = (
    "intent.uncommitted", "intent.committed", "call.answered", "answer.uncommitted",
    "answer.committed", "proof.uncommitted", "proof.committed",
)  # fmt: skip


@pytest.fixture
def world(transactional_db: None, simulator: Simulator, credential: Path, tmp_path: Path, settings: Any) -> World:
    settings.LEASE_SECONDS = LEASE_SECONDS
    return build_world(simulator, credential, tmp_path)


class WhenTheWorkerIsKilledDuringAnEnrolment:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World, credential: Path, tmp_path: Path) -> None:
        self.world, self.credential, self.home = world, credential, tmp_path
        self.tenant = world.tenant("Contoso")
        world.allow_tokens(self.tenant)
        self.account, self.ana = world.account(self.tenant), world.technician("Ana")
        assign(self.ana, self.account, by=world.owner, reason="on the team")
        observe_account(self.account, outside=world.outside)
        begun = open_enrolments(self.ana, [self.account], by=self.ana, outside=world.outside)
        assert begun.run is not None
        self.run, self.enrolment = begun.run, begun.enrolments[0]

    def killed_at(self, milestone: str) -> None:
        target = self.run.targets.get()
        assert kill_a_worker(self.world, target, milestone, self.credential, self.home) == -signal.SIGKILL
        time.sleep(LEASE_SECONDS + 0.1)
        Target.objects.filter(pk=target.pk).update(due_at=target.due_at)
        self.world.work(self.run)
        self.enrolment = Enrolment.objects.select_related("account", "registration__account").get()

    def prove(self) -> bytes:
        seed = show_seed(self.enrolment, by=self.ana, outside=self.world.outside)
        prove_enrolment(self.enrolment, code_now(seed.key), by=self.ana, outside=self.world.outside)
        return seed.key

    @property
    def inventory(self) -> list[Any]:
        return list(self.world.cloud.tenant(str(self.tenant.directory_id)).tokens.values())

    @pytest.mark.parametrize("point", POINTS)
    def test_while_the_token_is_made_there_is_one_in_the_end(self, point: str):
        self.killed_at(f"create_token.{point}")
        assert self.enrolment.status == Enrolment.Status.WAITING_FOR_SCAN
        assert [token.serial for token in self.inventory] == [Registration.objects.get().serial]

    @pytest.mark.parametrize("point", POINTS)
    def test_while_it_is_activated_it_is_bound_in_the_end_and_lets_in(self, point: str):
        self.world.work(self.run)
        self.enrolment.refresh_from_db()
        key = self.prove()
        self.killed_at(f"activate_token.{point}")
        assert self.enrolment.status == Enrolment.Status.ACTIVE
        assert len(self.inventory) == 1
        assert Registration.objects.get().sealed is None
        assert self.world.state(self.run) == RunState.CLEAN
        let_in = self.world.cloud.sign_in(
            self.world.directory_id(self.account), self.account.user_principal_name,
            self.world.password_at_microsoft(self.account), code_now(key, steps=1),
        )  # fmt: skip
        assert let_in.session

    @pytest.mark.parametrize("point", POINTS)
    def test_while_it_is_taken_away_nothing_is_left_in_the_end(self, point: str):
        self.world.work(self.run)
        self.enrolment = Enrolment.objects.select_related("account", "registration__account").get()
        end_enrolment(self.enrolment, Enrolment.Status.CANCELLED, because="changed my mind", by=self.ana)
        self.killed_at(f"delete_token.{point}")
        assert self.inventory == []
        assert Registration.objects.get().cleaned_at is not None


def code_now(key: bytes, *, steps: int = 0) -> str:
    return code_at(key, int(time.time() // SECONDS) + steps)
