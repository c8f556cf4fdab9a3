"""Several leave at once: one run, each account rotated once, and nobody of them counts as staying."""

from __future__ import annotations

import pytest

from technicians.models import Offboarding, Technician
from tenants.models import Run, Step
from tenants.plans import RunState, StepKind, StepState
from tests.support.departures import Scene


class WhenTwoLeaveWhoShareAccounts(Scene):
    """Cid stays on Contoso with an authenticator of his own; Fabrikam is Ana's and Ben's alone."""

    @pytest.fixture(autouse=True)
    def _cid(self, _scene: None) -> None:
        self.cid = self.world.technician("Cid")
        self.world.give(self.contoso, self.cid)
        self.kept = {self.world.phones[self.contoso.pk, self.cid.pk].method_id}

    def leave(self) -> Run:
        run = self.asks(self.ana, self.ben, reason="the team is closed").run
        assert run is not None
        return run

    def test_it_is_one_run_about_both_and_both_are_out(self):
        run = self.leave()
        assert {departure.technician for departure in Offboarding.objects.filter(run=run)} == {self.ana, self.ben}
        assert {self.now(person).status for person in (self.ana, self.ben)} == {Technician.Status.LEFT}

    def test_each_account_gets_one_new_password(self):
        run = self.leave()
        rotations = Step.objects.filter(target__run=run, kind=StepKind.ROTATE_PASSWORD)
        assert sorted(step.target.account.pk for step in rotations) == sorted([self.contoso.pk, self.fabrikam.pk])

    def test_both_of_their_authenticators_go_and_nobody_elses(self):
        run = self.leave()
        self.world.work(run)
        assert self.world.methods_on(self.contoso) == self.kept
        assert self.world.gets_in(self.contoso, self.cid)

    def test_where_nobody_stays_the_guard_holds_both(self):
        run = self.leave()
        self.world.work(run)
        removals = Step.objects.filter(target__run=run, kind=StepKind.REMOVE_METHOD, target__account=self.fabrikam)
        assert [step.status for step in removals] == [StepState.BLOCKED, StepState.BLOCKED]
        assert self.world.state(run) == RunState.NEEDS_ATTENTION

    def test_who_leaves_alone_would_not_have_been_held_there(self):
        run = self.asks(self.ana).run
        self.world.work(run)
        assert self.world.state(run) == RunState.CLEAN_SO_FAR

    def test_one_who_left_meanwhile_does_not_hold_up_the_other(self):
        self.policy(approvals=1)
        request = self.asks(self.ana, self.ben)
        Technician.objects.filter(pk=self.ana.pk).update(status="left", left_at=self.ana.joined_at)
        run = self.approves(request, self.nia)
        assert [departure.technician for departure in Offboarding.objects.filter(run=run)] == [self.ben]
