"""What a run costs at Microsoft, and what becomes of the rest when one act of several fails."""

from __future__ import annotations

import pytest

from msp.microsoft.ports import MethodKind
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Authenticator
from tenants.actions.observe_account import observe_account
from tenants.plans import RunState, StepKind, StepState
from tests.support.world import World


class Scene:
    @pytest.fixture(autouse=True)
    def cast(self, world: World):
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.tenant_id = world.directory_id(self.account)

    def reseller_forgets_its_tokens(self) -> None:
        self.world.cloud.expire_tokens()

    def requests(self) -> list[str]:
        """What reached the cloud since the log was emptied, the items of batches apart."""
        return [e.path for e in self.world.cloud.log if e.tenant_id == self.tenant_id and not e.in_batch]

    def offboard(self):
        self.world.cloud.log.clear()
        run = self.world.offboard(self.ana).run
        self.world.work(run)
        return run


class WhenNothingGoesWrong(Scene):
    def test_an_account_costs_three_requests(self):
        run = self.offboard()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.requests() == ["/beta/$batch", "/v1.0/$batch", "/beta/$batch"]

    def test_the_first_of_a_tenant_costs_one_token_more_and_the_next_shares_it(self):
        other = self.world.account(self.account.tenant, "second")
        self.world.give(other, self.ana, self.ben)
        self.reseller_forgets_its_tokens()
        self.offboard()
        tokens = [path for path in self.requests() if path.endswith("/token")]
        assert len(tokens) == 1
        assert len(self.requests()) - len(tokens) == 2 * 3


class WhenSheHasSeveralMethods(Scene):
    def test_all_go_in_the_one_request(self):
        self.world.enrol(self.account, self.ana, "fido2")
        self.world.enrol(self.account, self.ana, "hardware_oath")
        run = self.offboard()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.requests() == ["/beta/$batch"] * 3

    def test_a_default_among_them_is_moved_and_then_goes(self):
        self.world.cloud.user(self.tenant_id, self.account.object_id).default = "push"
        self.world.enrol(self.account, self.ana, "microsoft_authenticator")
        self.world.cloud.user(self.tenant_id, self.account.object_id).default = "push"
        run = self.offboard()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        kinds = {m.kind for m in self.world.cloud.methods(self.tenant_id, self.account.object_id)}
        assert MethodKind.MICROSOFT_AUTHENTICATOR not in kinds


class WhenOneActOfSeveralFails(Scene):
    def test_a_refused_rotation_does_not_hold_back_the_removal(self):
        self.world.cloud.consent(
            self.world.connection.client_id, self.tenant_id, permissions=self._all_but("User-PasswordProfile")
        )
        self.reseller_forgets_its_tokens()
        run = self.offboard()
        states = self.world.steps(run)
        assert states[StepKind.ROTATE_PASSWORD] == StepState.REFUSED
        assert states[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert states[StepKind.REVOKE_SESSIONS] == StepState.VERIFIED
        assert self.world.gets_in(self.account, self.ben)

    def test_a_refused_removal_does_not_hold_back_the_end_of_the_sessions(self):
        self.world.cloud.consent(
            self.world.connection.client_id, self.tenant_id,
            permissions=[*self._all_but("UserAuthenticationMethod"), "UserAuthenticationMethod.Read.All"],
        )  # fmt: skip
        self.reseller_forgets_its_tokens()
        run = self.offboard()
        states = self.world.steps(run)
        assert states[StepKind.ROTATE_PASSWORD] == StepState.VERIFIED
        assert states[StepKind.REMOVE_METHOD] == StepState.REFUSED
        assert states[StepKind.REVOKE_SESSIONS] == StepState.VERIFIED

    def test_what_was_not_tried_has_no_reproach_of_its_own(self):
        self.world.cloud.faults.plan(kind="500", method="PATCH", tenant=self.tenant_id)
        run = self.offboard()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.world.step(run, StepKind.REVOKE_SESSIONS).problem == ""

    def test_a_password_refused_by_policy_is_followed_by_another(self):
        self.world.cloud.faults.plan(
            kind="status", status=400, method="PATCH", tenant=self.tenant_id, code="Request_BadRequest",
            message="The specified password does not comply with password complexity requirements.",
        )  # fmt: skip
        run = self.offboard()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.world.step(run, StepKind.ROTATE_PASSWORD).refusals == 1
        assert self.world.gets_in(self.account, self.ben)

    def _all_but(self, start: str) -> list[str]:
        consent = self.world.cloud.tenant(self.tenant_id).consents[self.world.connection.client_id]
        return [permission for permission in consent.permissions if not permission.startswith(start)]


class WhenSheHasTwoPhonesOnTheAccount(Scene):
    def test_the_alternate_one_goes_before_the_mobile_one_in_the_same_request(self):
        for phone, number in (("mobile", "+1 5555550101"), ("alternateMobile", "+1 5555550102")):
            made = self.world.cloud.register(
                self.tenant_id, self.account.object_id, "phone", phoneType=phone, phoneNumber=number
            )
            observe_account(self.account, outside=self.world.outside)
            method = self.account.methods.present().get(directory_id=made.id)
            bind_authenticator(method, self.ana, by=self.world.owner, proof=Authenticator.Proof.IMPORTED)
        run = self.offboard()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.requests() == ["/beta/$batch", "/v1.0/$batch", "/beta/$batch"]


class WhenTheUserIsNotWhoItWas(Scene):
    def test_a_renamed_one_goes_on_under_its_new_name(self):
        user = self.world.cloud.user(self.tenant_id, self.account.object_id)
        tenant = self.world.cloud.tenant(self.tenant_id)
        tenant.ids_by_name[f"renamed@{tenant.domain}"] = tenant.ids_by_name.pop(user.upn)
        user.upn = f"renamed@{tenant.domain}"
        run = self.offboard()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        self.account.refresh_from_db()
        assert self.account.user_principal_name == user.upn

    def test_one_made_anew_under_the_old_name_is_left_alone_and_a_person_is_told(self):
        tenant = self.world.cloud.tenant(self.tenant_id)
        old = self.world.cloud.user(self.tenant_id, self.account.object_id)
        del tenant.users[old.id], tenant.ids_by_name[old.upn]
        new = self.world.cloud.add_user(self.tenant_id, old.upn, password="Somebody-Elses-1!")
        run = self.offboard()
        assert self.world.state(run) == RunState.NEEDS_ATTENTION
        step = self.world.step(run, StepKind.ROTATE_PASSWORD)
        assert step.status == StepState.BLOCKED
        assert "different object" in step.problem
        assert new.password == "Somebody-Elses-1!"
