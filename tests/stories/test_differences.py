"""Between the preview and the run something changes: a renamed user goes on, one made anew stops, and it is said."""

from __future__ import annotations

from typing import Any

import pytest

from msp.simulator import administration
from technicians.difference_plans import ADDED, MISSING, RECREATED, RENAMED
from technicians.models import DepartureRequest
from technicians.preview_queries import all_differences
from tenants.models import Run, SharedAccount
from tenants.plans import RunState, StepKind, StepState
from tests.support.departures import Scene


class SomethingWaits(Scene):
    """Mo asks for Ana's departure, and Nia has to agree: time for things to change."""

    @pytest.fixture(autouse=True)
    def _waits(self, _scene: None) -> None:
        self.policy(approvals=1)
        self.request = self.asks()

    def starts(self) -> Run:
        run = self.approves(self.request, self.nia)
        assert run is not None
        self.world.work(run)
        return run

    def told(self) -> list[tuple[str, str]]:
        request: DepartureRequest = self.now(self.request)
        return [(one["kind"], one["account_id"]) for one in all_differences(request)]

    def rename(self, account: SharedAccount, name: str) -> str:
        administration.set_user(
            self.world.cloud, self.world.directory_id(account), account.object_id, {"upn": f"{name}@{account.tenant}"}
        )
        return f"{name}@{account.tenant}"

    def make_anew(self, account: SharedAccount) -> Any:
        """Deleted at Microsoft, and another user made under the same name."""
        directory, name = self.world.directory_id(account), account.user_principal_name
        administration.remove_user(self.world.cloud, directory, name)
        return self.world.cloud.add_user(directory, name.split("@")[0], password="Somebody-Elses-Pass-1!")


class WhenNothingChanges(SomethingWaits):
    def test_nothing_is_told(self):
        self.starts()
        assert self.told() == []


class WhenAUserIsRenamed(SomethingWaits):
    def test_the_run_goes_on_and_says_so(self):
        name = self.rename(self.contoso, "new-admin")
        run = self.starts()
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.now(self.contoso).user_principal_name == name
        assert self.told() == [(RENAMED, str(self.contoso.pk))]


class WhenAUserIsDeletedAndCreatedAgain(SomethingWaits):
    def test_the_run_stops_there_and_says_what_happened_and_what_to_do(self):
        self.make_anew(self.contoso)
        run = self.starts()
        assert set(self.world.steps(run, self.contoso).values()) == {StepState.BLOCKED}
        problem = self.world.step(run, StepKind.ROTATE_PASSWORD, self.contoso).problem
        assert "deleted and made anew" in problem
        assert "put the account in anew" in problem
        assert self.told() == [(MISSING, str(self.contoso.pk))]

    def test_nothing_is_changed_on_the_new_user(self):
        anew = self.make_anew(self.contoso)
        self.starts()
        assert anew.password == "Somebody-Elses-Pass-1!"
        assert [method.kind for method in anew.methods.values()] == ["password"]

    def test_every_other_account_goes_on(self):
        self.make_anew(self.contoso)
        run = self.starts()
        assert self.world.steps(run, self.fabrikam)[StepKind.REMOVE_METHOD] == StepState.VERIFIED


class WhenAUserThatIsGoneLeavesNoName(SomethingWaits):
    def test_it_is_told_as_missing(self):
        administration.remove_user(
            self.world.cloud, self.world.directory_id(self.contoso), self.contoso.user_principal_name
        )
        run = self.starts()
        assert set(self.world.steps(run, self.contoso).values()) == {StepState.BLOCKED}
        assert self.told() == [(MISSING, str(self.contoso.pk))]


class WhenLatchkeyKnowsTheNewUserAlready(SomethingWaits):
    """Somebody put the new object in before the run starts: it bears the old name, and is not what was previewed."""

    def test_the_run_stops_there_before_anything_is_sent(self):
        anew = self.make_anew(self.contoso)
        SharedAccount.objects.filter(pk=self.contoso.pk).update(object_id=anew.id)
        run = self.starts()
        assert set(self.world.steps(run, self.contoso).values()) == {StepState.BLOCKED}
        assert anew.password == "Somebody-Elses-Pass-1!"
        assert self.told() == [(RECREATED, str(self.contoso.pk))]
        assert "deleted and created again" in self.world.step(run, StepKind.ROTATE_PASSWORD, self.contoso).problem


class WhenAnAccountMoreIsGiven(SomethingWaits):
    def test_it_is_part_of_the_run_and_told(self):
        tailspin = self.world.account(self.world.tenant("Tailspin"))
        self.world.give(tailspin, self.ana, self.ben)
        run = self.starts()
        assert self.world.steps(run, tailspin)[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert self.told() == [(ADDED, str(tailspin.pk))]
