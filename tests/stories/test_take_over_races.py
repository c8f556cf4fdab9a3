"""A take-over while things change: a claim in the last moment, two claims at once, a method that appears."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from msp.errors import BadInput, LatchkeyError
from technicians.actions import remove_unknown as removing
from technicians.actions.do_take_over_task import excuse
from technicians.models import Authenticator, TakeOver
from tenants.models import Method, Step
from tenants.plans import StepKind, StepState
from tests.support.taken_over import Scene
from tests.support.world import eventually

Proof = Authenticator.Proof
Status = TakeOver.Status


class WhenAMethodIsClaimedWhileTheRemovalRuns(Scene):
    """Ana enrolled anew; the push that is left is Ben's, who was excused and remembers it late."""

    @pytest.fixture(autouse=True)
    def _late(self, _scene: None) -> None:
        for name in ("Cid", "Dan", "Eve"):
            self.people[name].assignments.all().delete()
        push = self.stage.old_phone(self.account, "microsoft_authenticator", "Ben's Pixel")
        self.take_over = self.stage.start(self.account)
        self.stage.enrols("Ana", self.account)
        excuse(self.task(self.take_over, "Ben"), by=self.world.owner, reason="away")
        self.push: Method = self.stage.method(self.account, push)

    def step(self) -> Step:
        return Step.objects.get(kind=StepKind.REMOVE_METHOD, target__run=self.take_over.run)

    def test_it_stays_when_nothing_was_sent_yet(self):
        self.removes(self.take_over)
        self.stage.claims("Ben", self.push)
        assert self.step().status == StepState.NEEDLESS
        self.works(self.take_over)
        assert self.push.directory_id in self.world.methods_on(self.account)
        assert self.take_over.status == Status.FINISHED
        assert self.stage.bound(self.account) == {"Ana": Proof.ACTIVATED, "Ben": Proof.CLAIMED}

    def test_a_refused_removal_is_not_tried_again(self):
        self.removes(self.take_over)
        step = self.step()
        step.advance(StepState.SENDING)
        step.advance(StepState.REFUSED, problem="not now")
        self.stage.claims("Ben", self.push)
        assert self.step().status == StepState.NEEDLESS

    @pytest.mark.parametrize("state", [StepState.SENDING, StepState.ACCEPTED])
    def test_it_cannot_be_claimed_once_its_removal_is_on_its_way(self, state: StepState):
        self.removes(self.take_over)
        step = self.step()
        step.advance(StepState.SENDING)
        if state == StepState.ACCEPTED:
            step.advance(StepState.ACCEPTED)
        with pytest.raises(BadInput, match="right now"):
            self.stage.claims("Ben", self.push)
        assert not Authenticator.objects.filter(method=self.push).exists()


class WhenAMethodAppearsDuringTheCampaign(Scene):
    @pytest.fixture(autouse=True)
    def _alone(self, _scene: None) -> None:
        for name in ("Ben", "Cid", "Dan", "Eve"):
            self.people[name].assignments.all().delete()
        self.old(1)
        self.take_over = self.stage.start(self.account)
        self.stage.enrols("Ana", self.account)

    def test_before_the_end_it_is_removed_with_the_others(self):
        late = self.stage.old_phone(self.account)
        self.stage.read(self.account)
        self.removes(self.take_over)
        self.works(self.take_over)
        assert late not in self.world.methods_on(self.account)
        assert self.take_over.status == Status.FINISHED

    def test_unnoticed_until_the_run_it_keeps_the_take_over_open(self):
        self.removes(self.take_over)
        late = self.stage.old_phone(self.account)
        self.works(self.take_over)
        assert late in self.world.methods_on(self.account)
        assert self.take_over.status != Status.FINISHED
        assert late in self.unknown()


@pytest.mark.django_db(transaction=True)
class WhenTwoClaimTheSameMethodAtOnce(Scene):
    def test_one_of_them_gets_it(self):
        push = self.stage.old_phone(self.account, "microsoft_authenticator", "the old phone")
        self.stage.read(self.account)
        method, together = self.stage.method(self.account, push), threading.Barrier(2)

        def claims(name: str) -> str:
            together.wait(timeout=60)
            return said(
                lambda: self.stage.claims(name, Method.objects.select_related("account__tenant").get(pk=method.pk))
            )

        answers = at_once(claims, "Ana", "Ben")
        assert answers.count("") == 1
        assert "already" in "".join(answers)
        assert Authenticator.objects.filter(method=method).count() == 1


@pytest.mark.django_db(transaction=True)
class WhenAMethodIsClaimedInTheSameMomentInWhichItsRemovalIsPlanned(Scene):
    """Whoever is second sees what the first one did: a bound method is in no plan, or its step is needless."""

    def test_no_bound_method_is_left_to_be_removed(self, monkeypatch: pytest.MonkeyPatch):
        for name in ("Cid", "Dan", "Eve"):
            self.people[name].assignments.all().delete()
        push = self.stage.old_phone(self.account, "microsoft_authenticator", "Ben's Pixel")
        self.old(1)
        take_over = self.stage.start(self.account)
        self.stage.enrols("Ana", self.account)
        excuse(self.task(take_over, "Ben"), by=self.world.owner, reason="away")
        method = self.stage.method(self.account, push)
        planned, plan = threading.Event(), removing.plan_removal

        def plan_and_wait(*args: Any, **named: Any) -> Any:
            made = plan(*args, **named)
            planned.set()
            # The claim waits for the lock on the account that this transaction holds.
            assert eventually(somebody_waits_for_a_lock, seconds=60)
            return made

        monkeypatch.setattr(removing, "plan_removal", plan_and_wait)

        def act(who: str) -> str:
            if who == "manager":
                return said(lambda: self.removes(TakeOver.objects.get(pk=take_over.pk)))
            assert planned.wait(timeout=60)
            return said(lambda: self.stage.claims("Ben", method))

        assert at_once(act, "manager", "Ben") == ["", ""]
        take_over.refresh_from_db()
        self.works(take_over)
        assert push in self.world.methods_on(self.account)
        assert self.stage.bound(self.account) == {"Ana": Proof.ACTIVATED, "Ben": Proof.CLAIMED}
        assert take_over.status == Status.FINISHED


def at_once(act: Callable[[str], str], *names: str) -> list[str]:
    """What each of them was told, in threads with connections of their own."""

    def alone(name: str) -> str:
        try:
            return act(name)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(alone, names))


def said(act: Callable[[], Any]) -> str:
    try:
        act()
    except LatchkeyError as trouble:
        return str(trouble)
    return ""


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        (waits,) = cursor.fetchone()
    return bool(waits)
