"""The state of a run is its worst step, whatever its steps are; and nobody ever writes a state of a run down."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from django.apps import apps
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from tenants.models.run import FOR_A_PERSON, UNDER_WAY, condition_counts
from tenants.plans import SETTLED, WORST_FIRST, RunState, StepKind, StepState, run_state, worst
from tests.support.source import python_files, tree_of

STEP = st.tuples(st.sampled_from(StepKind), st.sampled_from(StepState))
STEPS = st.lists(STEP, max_size=12)
Steps = list[tuple[StepKind, StepState]]

COMPUTED_IN = {Path("tenants/plans.py")}
"""The only place where a state of a run comes into being."""
CALLED_CLEAN = frozenset({"clean", "clean_so_far", "clean_with_exceptions"})
WRITERS = frozenset({"update", "create", "save", "bulk_create", "advance", "get_or_create", "update_or_create"})


def state_of(steps: Steps, *, paused: bool = False) -> RunState:
    """As the database counts them for `Run.state`, said here without a database."""
    counted = Counter(
        "second_looks" if kind == StepKind.SECOND_LOOK and state in UNDER_WAY else _condition(state)
        for kind, state in steps
    )
    return run_state(paused=paused, **{name: counted[name] for name in condition_counts("")})


def _condition(state: StepState) -> str:
    if state in UNDER_WAY:
        return "under_way"
    return "for_a_person" if state in FOR_A_PERSON else str(state)


class EveryStateOfAStep:
    def test_has_one_rank_among_the_others(self):
        assert sorted(WORST_FIRST) == sorted(StepState)

    def test_is_under_way_or_settled(self):
        assert set(UNDER_WAY) | SETTLED == set(StepState)
        assert set(FOR_A_PERSON) <= SETTLED


class TheStateOfATarget:
    @given(st.lists(st.sampled_from(StepState), min_size=1))
    def test_is_that_of_its_worst_step(self, states: list[StepState]):
        assert worst(states) == min(states, key=WORST_FIRST.index)


class TheStateOfARun:
    @given(STEPS)
    def test_is_clean_exactly_when_every_step_was_read_back_or_needed_nothing(self, steps: Steps):
        proven = all(state in (StepState.VERIFIED, StepState.NEEDLESS) for _kind, state in steps)
        assert (state_of(steps) == RunState.CLEAN) == proven

    @given(STEPS)
    def test_is_clean_so_far_exactly_when_second_looks_alone_are_to_come(self, steps: Steps):
        to_come = [kind for kind, state in steps if state in UNDER_WAY]
        settled = {state for _kind, state in steps if state in SETTLED}
        only_looks = bool(to_come) and set(to_come) == {StepKind.SECOND_LOOK}
        nothing_wrong = not settled & {*FOR_A_PERSON, StepState.CANCELLED}
        assert (state_of(steps) == RunState.CLEAN_SO_FAR) == (only_looks and nothing_wrong)

    @given(STEPS)
    def test_needs_attention_once_nothing_is_under_way_and_one_step_needs_a_person(self, steps: Steps):
        goes_on = any(kind != StepKind.SECOND_LOOK and state in UNDER_WAY for kind, state in steps)
        needs = any(state in FOR_A_PERSON for _kind, state in steps)
        assert (state_of(steps) == RunState.NEEDS_ATTENTION) == (needs and not goes_on)

    @given(STEPS, st.sampled_from(StepKind))
    def test_that_is_called_clean_in_any_way_has_nothing_unproven_that_nobody_answers_for(
        self, steps: Steps, kind: StepKind
    ):
        for state in (*FOR_A_PERSON, StepState.SENDING, StepState.ACCEPTED, StepState.PLANNED):
            if kind == StepKind.SECOND_LOOK and state in UNDER_WAY:
                continue
            found = state_of([*steps, (kind, state)])
            assert found not in (RunState.CLEAN, RunState.CLEAN_SO_FAR, RunState.CLEAN_WITH_EXCEPTIONS)

    @given(STEPS, STEP)
    def test_never_looks_better_for_one_more_step(self, steps: Steps, one: tuple[StepKind, StepState]):
        assert RANK[state_of([*steps, one])] <= RANK[state_of(steps)]

    @given(STEPS)
    def test_does_not_depend_on_the_order_of_its_steps(self, steps: Steps):
        assert state_of(steps) == state_of(steps[::-1])

    @given(STEPS)
    def test_is_no_better_for_being_paused(self, steps: Steps):
        held, free = state_of(steps, paused=True), state_of(steps)
        assert held == (RunState.PAUSED if free == RunState.RUNNING else free)


RANK = {
    state: rank
    for rank, state in enumerate(
        (
            RunState.RUNNING,
            RunState.NEEDS_ATTENTION,
            RunState.CANCELLED,
            RunState.CLEAN_SO_FAR,
            RunState.CLEAN_WITH_EXCEPTIONS,
            RunState.CLEAN,
        )
    )
}
"""From the worst to the best, in the order in which `run_state` asks."""


class EveryModule:
    def test_takes_the_state_of_a_run_from_its_steps(self):
        """`RunState.X` is compared with, listed or shown; `run_state` alone returns it, and nobody writes it."""
        found = [
            f"{path}:{node.lineno}"
            for path in python_files()
            if path not in COMPUTED_IN
            for node in ast.walk(tree_of(path))
            if _writes_a_run_state(node)
        ]
        assert found == []

    def test_is_looked_at_by_this_test(self):
        """So that it cannot pass by looking at nothing."""
        wrong = ast.parse("run.state = RunState.CLEAN\nRun.objects.update(state='clean')\nx.advance(RunState.CLEAN)")
        assert len([node for node in ast.walk(wrong) if _writes_a_run_state(node)]) == 3
        assert len(python_files()) > 100


class TheDatabase:
    def test_has_no_place_where_a_run_could_be_called_clean(self):
        """No column of any model takes one of these words as its value."""
        columns = [
            f"{model.__name__}.{column.name}"
            for model in apps.get_models()
            for column in model._meta.get_fields()
            if isinstance(column, models.Field) and CALLED_CLEAN & {value for value, _label in column.flatchoices}
        ]
        assert columns == []


def _writes_a_run_state(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        kept = any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
        return kept and node.value is not None and _is_a_run_state(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITERS:
        return any(_is_a_run_state(given) for given in [*node.args, *(word.value for word in node.keywords)])
    return False


def _is_a_run_state(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value in CALLED_CLEAN
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "RunState"
