"""The engine as a machine of rules: any order of work, faults, deaths and people, and the laws after every rule.

The real actions on a real database, and the real client on a simulated cloud in the same process (`wire`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from msp.errors import LatchkeyError
from msp.outside import Outside
from tenants.actions.control_run import cancel_run, pause_run, resume_run
from tenants.actions.mend import retry_target, waive_step
from tenants.actions.work_target import work_target
from tenants.models import Lease, Run, Step, Target, Tenant
from tenants.models.run import FOR_A_PERSON, UNDER_WAY
from tenants.plans import ACTS, RunState, StepKind, StepState
from tests.faults.harness.rule_stage import Stage

POINTS = (
    "intent.uncommitted", "intent.committed", "call.answered", "answer.uncommitted",
    "answer.committed", "readback.done", "proof.uncommitted", "proof.committed",
)  # fmt: skip
MILESTONES = (
    "rotate_password.candidate.uncommitted",
    "rotate_password.candidate.committed",
    *(f"{act}.{point}" for act in ACTS for point in POINTS),
)
FAULT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            ["500", "503", "429", "timeout_before", "timeout_after_effect", "reset_before", "reset_after_effect",
             "truncated_body", "wrong_json", "empty_body", "item_missing", "twice", "lie", "html"]
        ),
        "operation": st.sampled_from(
            ["user.read", "methods.list", "method.delete", "password.set", "sessions.revoke", "batch", "token"]
        ),
        "skip": st.integers(0, 2),
        "times": st.integers(1, 3),
        "delay": st.just(0.001),
    }
)  # fmt: skip
LAG = 30.0
MOST_CATCHING_UP = 6
"""Half a minute each: the cloud's clock and ours may differ by five minutes."""
ROUNDS = 60
LOOKED_TWICE = (RunState.CLEAN, RunState.CLEAN_WITH_EXCEPTIONS)


class Departures(RuleBasedStateMachine):
    """Ana leaves; Ben may leave too; Cid and Dee stay. `stage` and `count` are given by who starts the machine."""

    stage: ClassVar[Stage]
    count: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).count += 1
        self.runs: list[Run] = []
        self.said: dict[Any, str] = {}
        self.caught_up = 0

    @initialize(accounts=st.integers(1, 2), alone=st.booleans(), faults=st.lists(FAULT, max_size=2))
    def somebody_leaves(self, accounts: int, alone: bool, faults: list[dict[str, Any]]) -> None:
        self.cast = self.stage.new_cast(accounts, ana_alone_on_the_first=alone)
        self.stage.cloud.faults.plan(*faults)
        self.runs.append(self.cast.leaves("ana"))

    # --- rules --------------------------------------------------------------------------------------------------

    @rule(number=st.integers(0, 3))
    def work(self, number: int) -> None:
        self._work(number)

    @rule(number=st.integers(0, 3), milestone=st.sampled_from(MILESTONES))
    def die_at_work(self, number: int, milestone: str) -> None:
        with self.stage.mortal(milestone) as outside:
            self._work(number, outside)

    @rule()
    def a_dead_workers_lease_runs_out(self) -> None:
        Lease.objects.filter(target__run__in=self.runs).update(until=timezone.now())

    @rule()
    def hours_pass(self) -> None:
        self._bring_forward()
        self._steps().filter(kind=StepKind.SECOND_LOOK, due_at__isnull=False).update(due_at=timezone.now())

    @rule(faults=st.lists(FAULT, min_size=1, max_size=3))
    def the_directory_gets_trouble(self, faults: list[dict[str, Any]]) -> None:
        self.stage.cloud.faults.plan(*faults)

    @rule(lies=st.booleans(), lags=st.booleans())
    def the_directory_lies_or_lags(self, lies: bool, lags: bool) -> None:
        self.stage.cloud.knobs.set(lies=lies, read_lag=LAG if lags else 0)

    @precondition(lambda self: self.caught_up < MOST_CATCHING_UP)
    @rule()
    def readings_catch_up(self) -> None:
        self.caught_up += 1
        self.stage.cloud.advance(LAG + 1)

    @precondition(lambda self: len(self.runs) == 1)
    @rule()
    def ben_leaves_too(self) -> None:
        self.runs.append(self.cast.leaves("ben"))

    @rule(number=st.integers(0, 1), read=st.booleans())
    def a_colleague_enrols(self, number: int, read: bool) -> None:
        """`read`: and says whose it is, once a reading shows it."""
        self.cast.enrols("dee", number, say_so=read)

    @rule(number=st.integers(0, 1))
    def a_stranger_enrols(self, number: int) -> None:
        """Only once every run has read the account: what is there at its first reading is a finding, not news."""
        on = self.cast.accounts[number % len(self.cast.accounts)]
        if not self._targets().filter(account=on.account, before__isnull=True).exists():
            self.cast.enrols("", number, say_so=False)

    @rule(number=st.integers(0, 1))
    def somebody_else_changes_the_password(self, number: int) -> None:
        """Only where no change of ours waits for its proof: that they cannot be told apart then is an assumption."""
        on = self.cast.accounts[number % len(self.cast.accounts)]
        waits = self._steps().filter(target__account=on.account, kind=StepKind.ROTATE_PASSWORD)
        if not waits.filter(status__in=[StepState.SENDING, StepState.ACCEPTED, StepState.UNVERIFIED]).exists():
            self.cast.change_outside(on)

    @rule(pick=st.integers(0, 1), reason=st.just("let us look"))
    def pause(self, pick: int, reason: str) -> None:
        self._person(lambda run: pause_run(run, by=self.cast.owner, reason=reason), pick)

    @rule(pick=st.integers(0, 1))
    def resume(self, pick: int) -> None:
        self._person(lambda run: resume_run(run, by=self.cast.owner), pick)

    @rule(pick=st.integers(0, 1))
    def cancel(self, pick: int) -> None:
        self._person(lambda run: cancel_run(run, by=self.cast.owner, reason="the wrong person"), pick)

    @rule(number=st.integers(0, 3))
    def try_again(self, number: int) -> None:
        targets = list(self._targets())
        self._person(lambda _run: retry_target(targets[number % len(targets)], by=self.cast.owner), 0)

    @rule(number=st.integers(0, 9))
    def accept_a_gap(self, number: int) -> None:
        stopped = list(self._steps().filter(status__in=FOR_A_PERSON))
        if stopped:
            step = stopped[number % len(stopped)]
            self._person(lambda _run: waive_step(step, by=self.cast.owner, reason="accepted"), 0)

    # --- the laws -----------------------------------------------------------------------------------------------

    @invariant()
    def the_laws_hold(self) -> None:
        if not self.runs:
            return
        states = {run.pk: run.state for run in Run.objects.with_counts().filter(pk__in=[r.pk for r in self.runs])}
        steps = list(self._steps().select_related("method", "target__account"))
        for on in self.cast.accounts:
            mine = [step for step in steps if step.target.account_id == on.account.pk]
            self.cast.no_password_is_lost(on)
            self.cast.no_colleague_is_touched(on)
            self.cast.a_way_in_is_left(on)
            self.cast.what_is_verified_is_so(on, mine)
        for run in self.runs:
            if states[run.pk] in LOOKED_TWICE and self.said.get(run.pk) not in LOOKED_TWICE:
                self.cast.clean_is_clean(run, [step for step in steps if step.target.run_id == run.pk])
        self.said = states

    def teardown(self) -> None:
        """The directory is well again and people do their part: then every run comes to rest and says why."""
        if not self.runs:
            return
        self.stage.heal()
        for run in self.runs:
            self._person(lambda run: resume_run(run, by=self.cast.owner), self.runs.index(run))
        self._until_at_rest()
        self.the_laws_hold()
        for target in list(self._targets().filter(steps__status__in=FOR_A_PERSON).distinct()):
            self._person(lambda _run, target=target: retry_target(target, by=self.cast.owner), 0)
        self._until_at_rest()
        self.the_laws_hold()
        silent = self._steps().filter(status__in=FOR_A_PERSON, problem="")
        assert not silent.exists(), f"stuck: {list(silent)} do not say why"
        self.cast.what_was_sent_is_recorded(list(self._steps()))
        self.cast.those_who_stay_get_in()

    # --- by hand ------------------------------------------------------------------------------------------------

    def _targets(self) -> Any:
        found = Target.objects.filter(run__in=self.runs).order_by("run__started_at", "position")
        return found.select_related("run", "account__tenant")

    def _steps(self) -> Any:
        return Step.objects.filter(target__run__in=self.runs)

    def _bring_forward(self) -> None:
        now = timezone.now()
        Tenant.objects.filter(reseller=self.cast.reseller).update(busy_until=None)
        self._targets().filter(due_at__gt=now).update(due_at=now)

    def _work(self, number: int, outside: Outside | None = None) -> None:
        targets = list(self._targets())
        self._bring_forward()
        work_target(targets[number % len(targets)].pk, outside=outside or self.stage.outside)

    def _person(self, asks: Callable[[Run], object], pick: int) -> None:
        """What a person asks for may be refused with a sentence; nothing is half done then."""
        try:
            with transaction.atomic():
                asks(Run.objects.get(pk=self.runs[pick % len(self.runs)].pk))
        except LatchkeyError:
            return

    def _until_at_rest(self) -> None:
        for _ in range(ROUNDS):
            self.hours_pass()
            self.a_dead_workers_lease_runs_out()
            due = list(Target.objects.due(timezone.now()).filter(run__in=self.runs).values_list("pk", flat=True))
            if not due or not self._steps().filter(status__in=UNDER_WAY).exists():
                break
            for pk in due:
                work_target(pk, outside=self.stage.outside)
        waiting = list(self._steps().filter(status__in=UNDER_WAY).values_list("kind", "status"))
        assert not waiting, f"stuck: {waiting}"
