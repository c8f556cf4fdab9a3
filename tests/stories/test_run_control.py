"""A person holds a run, lets it go on, or ends it; what was sent is read back in every case."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from msp.outside import Outside
from technicians.models import Role
from tenants.actions.control_run import cancel_run, pause_run, resume_run
from tenants.actions.mend import retry_run, retry_target
from tenants.actions.rotate import rotate
from tenants.models import Lease, SecretVersion, Step, Target, Tenant
from tenants.plans import RunState, StepKind, StepState
from tests.faults.test_worker_killed import kill_a_worker
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)

ACTS = (StepKind.ROTATE_PASSWORD, StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS)


class Scene:
    """Ana leaves Contoso and Fabrikam; Ben stays."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.contoso, self.fabrikam = (world.account(world.tenant(name)) for name in ("Contoso", "Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            world.give(account, self.ana, self.ben)
        self.run = world.offboard(self.ana).run

    def pause(self) -> None:
        pause_run(self.run, by=self.world.owner, reason="the customer called")

    def resume(self) -> None:
        resume_run(self.run, by=self.world.owner)

    def cancel(self):
        return cancel_run(self.run, by=self.world.owner, reason="the wrong person")

    def work(self, **at_milestones) -> None:
        """`at_milestones` are what a person does in the middle of a worker's work: milestone with _ for dots."""

        def reached(milestone: str) -> None:
            if act := at_milestones.pop(milestone.replace(".", "_"), None):
                act()

        self.world.work(self.run, outside=replace(self.world.outside, reached=reached))

    def cancel_elsewhere(self) -> None:
        """As a person at another process, with a connection of its own."""
        try:
            self.cancel()
        finally:
            connection.close()

    def passwords(self) -> list[str]:
        return [self.world.password_at_microsoft(account) for account in (self.contoso, self.fabrikam)]

    def states_of_acts(self, account=None) -> set[str]:
        steps = Step.objects.filter(target__run=self.run, kind__in=ACTS)
        return set((steps.filter(target__account=account) if account else steps).values_list("status", flat=True))

    def state(self) -> str:
        return self.world.state(self.run)

    def later(self, minutes: int = 70) -> None:
        with time_machine.travel(timezone.now() + dt.timedelta(minutes=minutes), tick=True):
            self.world.work(self.run)


def interrupted(outside: Outside, act: Callable[[], Any]) -> Outside:
    """Somebody acts once, right after the first reading of an account has come back from Microsoft."""
    acts = [act]

    class Reading:
        def __init__(self, directory: Any) -> None:
            self._directory = directory

        def observe(self, *args: Any, **facts: Any) -> Any:
            look = self._directory.observe(*args, **facts)
            while acts:
                acts.pop()()
            return look

        def __getattr__(self, name: str) -> Any:
            return getattr(self._directory, name)

    return replace(outside, directory_for=lambda *way: Reading(outside.directory_for(*way)))


class WhenARunIsPausedBeforeAnythingWasSent(Scene):
    def test_nothing_is_sent_and_the_run_says_so(self):
        before = self.world.methods_on(self.contoso), self.world.password_at_microsoft(self.contoso)
        self.pause()
        self.work()
        assert self.states_of_acts() == {StepState.PLANNED}
        assert (self.world.methods_on(self.contoso), self.world.password_at_microsoft(self.contoso)) == before
        assert self.state() == RunState.PAUSED

    def test_it_goes_on_where_it_stopped(self):
        self.pause()
        self.work()
        self.resume()
        self.work()
        assert self.states_of_acts() == {StepState.VERIFIED}
        assert self.state() == RunState.CLEAN_SO_FAR

    def test_who_paused_it_and_why_is_in_the_ledger(self):
        self.pause()
        self.resume()
        verbs = Entry.objects.filter(run_id=self.run.pk, verb__in=["run.paused", "run.resumed"])
        assert [entry.verb for entry in verbs.order_by("id")] == ["run.paused", "run.resumed"]

    def test_the_leaver_does_not_come_back_by_it(self):
        self.pause()
        self.ana.refresh_from_db()
        assert not self.ana.is_active


class WhenARunIsPausedInTheMiddleOfAnAccount(Scene):
    def test_what_was_sent_is_read_back_and_the_rest_of_the_run_waits(self):
        self.work(revoke_sessions_answer_committed=self.pause)
        assert self.states_of_acts() == {StepState.VERIFIED, StepState.PLANNED}
        sent = [a for a in (self.contoso, self.fabrikam) if self.states_of_acts(a) == {StepState.VERIFIED}]
        assert len(sent) == 1
        assert self.state() == RunState.PAUSED

    def test_a_lost_answer_is_settled_while_it_is_paused(self):
        self.world.cloud.faults.plan(kind="reset_after_effect", method="PATCH", times=1)
        self.work(rotate_password_intent_committed=self.pause)
        assert StepState.SENDING not in self.states_of_acts()
        assert self.state() == RunState.PAUSED

    def test_after_resuming_everything_is_proven(self):
        self.work(revoke_sessions_answer_committed=self.pause)
        self.resume()
        self.work()
        assert self.states_of_acts() == {StepState.VERIFIED}
        self.later()
        assert self.state() == RunState.CLEAN


class WhenARunIsCancelledBeforeAnythingWasSent(Scene):
    def test_everything_stands_as_it_was_and_the_run_is_cancelled(self):
        before = self.world.methods_on(self.contoso), self.world.password_at_microsoft(self.contoso)
        outcome = self.cancel()
        assert (outcome.done, outcome.on_their_way, outcome.never_sent) == (0, 0, 6)
        self.work()
        assert (self.world.methods_on(self.contoso), self.world.password_at_microsoft(self.contoso)) == before
        assert self.states_of_acts() == {StepState.CANCELLED}
        assert self.state() == RunState.CANCELLED

    def test_nothing_wakes_it_up_again(self):
        self.cancel()
        assert not Target.objects.filter(run=self.run, due_at__isnull=False).exists()
        self.later()
        assert self.state() == RunState.CANCELLED

    def test_the_access_that_ended_inside_latchkey_stays_ended(self):
        self.cancel()
        self.ana.refresh_from_db()
        assert not self.ana.is_active

    def test_the_next_run_on_the_account_is_not_held_up(self):
        self.cancel()
        later = rotate([self.contoso], by=self.world.owner, reason="all the same")
        self.world.work(later)
        assert self.world.step(later, StepKind.ROTATE_PASSWORD).status == StepState.VERIFIED
        assert self.world.gets_in(self.contoso, self.ben)


class WhenARunIsCancelledInTheMiddle(Scene):
    def test_what_was_done_stays_done_and_the_rest_was_never_sent(self):
        self.work(revoke_sessions_answer_committed=self.cancel)
        states = [self.states_of_acts(account) for account in (self.contoso, self.fabrikam)]
        assert {StepState.VERIFIED} in states
        assert {StepState.CANCELLED} in states
        assert self.state() == RunState.CANCELLED

    def test_what_was_done_is_proven_and_handed_over(self):
        self.work(revoke_sessions_answer_committed=self.cancel)
        [done] = [a for a in (self.contoso, self.fabrikam) if self.states_of_acts(a) == {StepState.VERIFIED}]
        steps = self.world.steps(self.run, done)
        assert steps[StepKind.PROVE] == StepState.VERIFIED
        assert steps[StepKind.RESHARE] == StepState.VERIFIED
        assert self.world.gets_in(done, self.ben)

    def test_after_the_reading_and_before_the_intent_the_cancellation_wins_and_nothing_is_sent(self):
        old = self.passwords()
        self.world.work(self.run, outside=interrupted(self.world.outside, self.cancel))
        assert self.passwords() == old
        assert self.states_of_acts() == {StepState.CANCELLED}

    def test_at_the_same_moment_as_a_worker_commits_one_of_the_two_wins_on_each_account(self):
        """The person waits for the worker's rows, or the worker finds them moved: never half of each."""
        person = threading.Thread(target=self.cancel_elsewhere)
        self.work(rotate_password_candidate_uncommitted=person.start)
        person.join(timeout=60)
        self.work()
        for account in (self.contoso, self.fabrikam):
            assert self.states_of_acts(account) in ({StepState.VERIFIED}, {StepState.CANCELLED})
        assert self.state() == RunState.CANCELLED

    def test_a_candidate_that_was_never_sent_does_not_block_a_later_run(self):
        self.world.cloud.faults.plan(kind="429", method="PATCH", times=2, retry_after="60")
        self.work()
        self.cancel()
        assert SecretVersion.objects.filter(status=SecretVersion.Status.CANDIDATE).exists()
        Tenant.objects.update(busy_until=None)
        later = rotate([self.contoso, self.fabrikam], by=self.world.owner, reason="all the same")
        self.world.work(later)
        assert self.world.state(later) == RunState.CLEAN
        assert all(self.world.gets_in(account, self.ben) for account in (self.contoso, self.fabrikam))

    def test_an_answer_lost_before_the_cancellation_is_read_back_and_not_sent_again(self):
        self.world.cloud.faults.plan(kind="reset_before", method="PATCH", times=1)
        self.work(rotate_password_intent_committed=self.cancel)
        assert not self.states_of_acts() & {StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED}
        passwords = self.world.passwords_known(self.contoso).values()
        assert self.world.password_at_microsoft(self.contoso) in passwords


@pytest.mark.fault
class WhenTheWorkerWasKilledBeforeThePersonDecides(Scene):
    """SIGKILL at a milestone of the first account; nobody knows what Microsoft did."""

    def kill(self, milestone: str, credential: Path, home: Path) -> None:
        target = Target.objects.filter(run=self.run, account=self.contoso).get()
        assert kill_a_worker(self.world, target, milestone, credential, home) == -signal.SIGKILL
        Lease.objects.update(until=timezone.now())

    @pytest.mark.parametrize("milestone", ["rotate_password.intent.committed", "revoke_sessions.call.answered"])
    def test_a_cancelled_run_is_read_back_and_no_password_is_lost(self, milestone, credential, tmp_path):
        self.kill(milestone, credential, tmp_path)
        self.cancel()
        self.work()
        assert self.world.password_at_microsoft(self.contoso) in self.world.passwords_known(self.contoso).values()
        assert self.states_of_acts(self.contoso) in ({StepState.VERIFIED}, {StepState.CANCELLED})
        assert self.states_of_acts(self.fabrikam) == {StepState.CANCELLED}
        assert self.state() == RunState.CANCELLED

    def test_a_paused_run_reads_back_and_goes_on_when_it_is_resumed(self, credential, tmp_path):
        self.kill("revoke_sessions.call.answered", credential, tmp_path)
        self.pause()
        self.work()
        assert self.states_of_acts(self.contoso) == {StepState.VERIFIED}
        assert self.states_of_acts(self.fabrikam) == {StepState.PLANNED}
        self.resume()
        self.work()
        assert self.state() == RunState.CLEAN_SO_FAR


class WhenAPausedRunIsCancelled(Scene):
    def test_it_is_cancelled_and_not_paused(self):
        self.pause()
        self.cancel()
        self.run.refresh_from_db()
        assert not self.run.is_paused
        assert self.state() == RunState.CANCELLED


class WhenARunWasCancelled(Scene):
    def test_it_is_never_tried_again_and_that_is_said(self):
        self.cancel()
        target = Target.objects.select_related("run", "account__tenant").filter(run=self.run).first()
        with pytest.raises(BadInput, match="cancelled for good"):
            retry_target(target, by=self.world.owner)

    @pytest.mark.parametrize("act", ["pause", "cancel"])
    def test_it_can_be_neither_paused_nor_cancelled_again(self, act):
        self.cancel()
        with pytest.raises(BadInput, match="nothing was changed"):
            getattr(self, act)()


class WhenNothingIsLeftToSend(Scene):
    def test_there_is_nothing_to_pause_or_cancel(self):
        self.work()
        for act in (self.pause, self.cancel):
            with pytest.raises(BadInput, match="Nothing of this run is left"):
                act()
        assert self.state() == RunState.CLEAN_SO_FAR


class WhenSeveralAccountsWereRefused(Scene):
    @pytest.fixture(autouse=True)
    def _refused(self, _scene) -> None:
        self.world.cloud.faults.plan(kind="status", status=403, method="DELETE", times=2)
        self.work()
        assert self.state() == RunState.NEEDS_ATTENTION

    def test_all_of_them_are_tried_again_at_once(self):
        assert retry_run(self.run, by=self.world.owner) == (2, 2)
        self.work()
        assert self.state() == RunState.CLEAN_SO_FAR

    def test_a_run_without_refusals_plans_nothing(self):
        retry_run(self.run, by=self.world.owner)
        self.work()
        assert retry_run(self.run, by=self.world.owner) == (0, 0)


class WhoMayControlARun(Scene):
    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_only_those_who_decide_about_steps(self, role):
        other = self.world.technician("Otto", role)
        with pytest.raises(NotPermitted):
            pause_run(self.run, by=other, reason="x")
        with pytest.raises(NotPermitted):
            cancel_run(self.run, by=other, reason="x")
        with pytest.raises(NotPermitted):
            retry_run(self.run, by=other)
        assert self.states_of_acts() == {StepState.PLANNED}

    @pytest.mark.parametrize("act", [pause_run, cancel_run])
    def test_a_reason_is_asked(self, act):
        with pytest.raises(BadInput, match="Say why"):
            act(self.run, by=self.world.owner, reason="  ")
        assert self.states_of_acts() == {StepState.PLANNED}
