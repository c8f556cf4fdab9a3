"""Several people leave at once: one plan, whatever they share."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from technicians.plans import DeparturePlan, HeldMethod, Holding, Remaining, plan_departure, plan_departures
from tenants.plans import StepKind
from tests.rules.test_departure_plans import SINCE

PEOPLE = ("ana", "ben", "cid", "dora", "emil")
Facts = dict[str, dict[str, tuple[bool, bool]]]
"""account -> person -> (has a method there, has seen the password)."""

facts = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.dictionaries(st.sampled_from(PEOPLE), st.tuples(st.booleans(), st.booleans()), max_size=5),
    max_size=4,
)
leaving = st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=4)


def holdings(world: Facts, leaver: str) -> list[Holding]:
    """As the database tells them for one leaver alone: everybody else counts as staying."""
    return [
        Holding(
            account_id=account,
            account=account,
            tenant_id=f"tenant-{account}",
            tenant=f"tenant-{account}",
            break_glass=False,
            methods=(HeldMethod(f"{account}-{leaver}", "code", "phone", SINCE),) if people[leaver][0] else (),
            saw_current_password=people[leaver][1],
            remaining=tuple(Remaining(p, has, p) for p, (has, _seen) in sorted(people.items()) if p != leaver),
            ways_in=frozenset(f"{account}-{p}" for p, (has, _seen) in people.items() if has and p != leaver),
            present=frozenset(f"{account}-{p}" for p, (has, _seen) in people.items() if has),
        )
        for account, people in world.items()
        if leaver in people
    ]


def together(world: Facts, leavers: set[str]) -> DeparturePlan:
    return plan_departures({leaver: holdings(world, leaver) for leaver in leavers})


class WhenSeveralLeave:
    @given(facts, leaving)
    def test_every_account_of_any_of_them_comes_once_and_is_rotated_once(self, world: Facts, leavers: set[str]):
        plan = together(world, leavers)
        concerned = {account for account, people in world.items() if leavers & set(people)}
        assert sorted(target.account_id for target in plan.targets) == sorted(concerned)
        for account in plan.accounts:
            kinds = Counter(step.kind for step in account.steps)
            assert kinds[StepKind.ROTATE_PASSWORD] == 1

    @given(facts, leaving)
    def test_every_method_of_theirs_goes_and_nobody_elses(self, world: Facts, leavers: set[str]):
        planned = {
            step.method_id
            for account in together(world, leavers).accounts
            for step in account.steps
            if step.kind == StepKind.REMOVE_METHOD
        }
        theirs = {f"{a}-{p}" for a, people in world.items() for p, (has, _) in people.items() if has and p in leavers}
        assert planned == theirs

    @given(facts, leaving)
    def test_no_leaver_counts_as_staying(self, world: Facts, leavers: set[str]):
        for account in together(world, leavers).accounts:
            here = world[account.holding.account]
            stay = {person for person in here if person not in leavers}
            assert {person.name for person in account.holding.remaining} == stay
            held = any(step.hold for step in account.steps if step.kind == StepKind.REMOVE_METHOD)
            assert held == (bool(account.holding.methods) and not any(here[person][0] for person in stay))

    @given(facts, leaving)
    def test_a_password_that_one_of_them_saw_is_urgent(self, world: Facts, leavers: set[str]):
        for account in together(world, leavers).accounts:
            seen = any(saw for p, (_has, saw) in world[account.holding.account].items() if p in leavers)
            assert account.holding.saw_current_password == seen

    @given(facts, st.sampled_from(PEOPLE))
    def test_one_alone_is_planned_as_one_alone(self, world: Facts, leaver: str):
        assert together(world, {leaver}) == plan_departure(holdings(world, leaver))
