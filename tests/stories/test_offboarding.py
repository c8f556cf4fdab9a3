"""A technician leaves: what is true at Microsoft afterwards, and what Latchkey says about it."""

from __future__ import annotations

import pytest

from technicians.models import Technician
from tenants.models import SharedAccount
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World


class Scene:
    """Ana, Ben and Cid each have their own authenticator on Contoso's shared account."""

    ana: Technician
    ben: Technician
    account: SharedAccount

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben, self.cid = (world.technician(name) for name in ("Ana", "Ben", "Cid"))
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben, self.cid)
        self.old_password = world.password_at_microsoft(self.account)

    def depart(self) -> None:
        self.run = self.world.offboard(self.ana).run
        self.world.work(self.run)


class WhenATechnicianLeaves(Scene):
    def test_only_her_authenticator_is_removed(self):
        hers = self.world.phones[self.account.pk, self.ana.pk].method_id
        before = self.world.methods_on(self.account)
        self.depart()
        assert self.world.methods_on(self.account) == before - {hers}

    def test_the_password_is_new_and_those_who_stay_get_in_with_it(self):
        self.depart()
        assert self.world.password_at_microsoft(self.account) != self.old_password
        assert self.world.gets_in(self.account, self.ben)
        assert self.world.gets_in(self.account, self.cid)

    def test_her_old_password_and_code_and_session_let_nobody_in(self):
        tenant, name = self.world.directory_id(self.account), self.account.user_principal_name
        code = self.world.code_of(self.account, self.ana)
        session = self.world.cloud.sign_in(tenant, name, self.old_password, code).session
        assert session
        self.depart()
        assert self.world.cloud.sign_in(tenant, name, self.old_password, code).result == "wrong_password"
        assert not self.world.cloud.session_alive(tenant, session)
        new = self.world.passwords_known(self.account)["current"]
        assert self.world.cloud.sign_in(tenant, name, new, code).result == "wrong_code"

    def test_every_step_is_read_back_and_the_run_is_clean_so_far(self):
        self.depart()
        assert self.world.steps(self.run) == {
            StepKind.ROTATE_PASSWORD: StepState.VERIFIED,
            StepKind.REMOVE_METHOD: StepState.VERIFIED,
            StepKind.REVOKE_SESSIONS: StepState.VERIFIED,
            StepKind.PROVE: StepState.VERIFIED,
            StepKind.RESHARE: StepState.VERIFIED,
            StepKind.SECOND_LOOK: StepState.PLANNED,
        }
        assert self.world.state(self.run) == RunState.CLEAN_SO_FAR
