"""What a departure needs, account by account."""

from __future__ import annotations

import datetime as dt

from technicians.plans import HeldMethod, Holding, Remaining, expected_seconds, plan_departure
from tenants.plans import StepKind

SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def holding(name: str, tenant: str = "contoso", **facts: object) -> Holding:
    given = {
        "account_id": name, "account": name, "tenant_id": tenant, "tenant": tenant, "break_glass": False,
        "methods": (HeldMethod(f"{name}-ana", "code", "Ana's phone", SINCE),), "saw_current_password": False,
        "remaining": (Remaining("Ben", True),), "ways_in": frozenset({f"{name}-ben"}),
        "present": frozenset({f"{name}-ana", f"{name}-ben"}),
    }  # fmt: skip
    return Holding(**(given | facts))


class WhenSomebodyLeaves:
    def test_every_account_gets_a_new_password_and_loses_the_leavers_methods(self):
        plan = plan_departure([holding("a"), holding("b", "fabrikam")])
        assert (plan.tenants, plan.methods_to_go, plan.passwords_to_rotate, plan.held_back) == (2, 2, 2, 0)

    def test_her_mobile_phone_goes_after_her_alternate_one_which_cannot_exist_without_it(self):
        mobile = HeldMethod("mobile", "phone", "mobile +1", SINCE, goes_last=True)
        alternate = HeldMethod("alternate", "phone", "alternateMobile +1", SINCE)
        (account,) = plan_departure([holding("a", methods=(mobile, alternate))]).accounts
        removed = [step.method_id for step in account.steps if step.kind == StepKind.REMOVE_METHOD]
        assert removed == ["alternate", "mobile"]

    def test_an_account_without_a_method_of_the_leaver_is_rotated_all_the_same(self):
        [account] = plan_departure([holding("a", methods=())]).accounts
        assert account.rotates and account.removals == []

    def test_the_open_door_comes_first(self):
        plan = plan_departure([
            holding("neither", "t1", methods=()),
            holding("method", "t2"),
            holding("seen", "t3", methods=(), saw_current_password=True),
            holding("both", "t4", saw_current_password=True),
        ])  # fmt: skip
        assert [a.holding.account for a in plan.accounts] == ["both", "seen", "method", "neither"]

    def test_work_is_spread_over_tenants(self):
        plan = plan_departure([holding("a1", "a"), holding("a2", "a"), holding("b1", "b"), holding("c1", "c")])
        assert [a.holding.account for a in plan.accounts] == ["a1", "b1", "c1", "a2"]

    def test_the_last_way_in_holds_the_removal_and_only_that(self):
        [account] = plan_departure([holding("a", ways_in=frozenset())]).accounts
        held = {s.kind for s in account.steps if s.hold}
        assert held == {StepKind.REMOVE_METHOD}
        assert account.rotates

    def test_a_break_glass_account_is_held_whole(self):
        [account] = plan_departure([holding("a", break_glass=True)]).accounts
        assert all(s.hold for s in account.steps)
        assert not account.rotates

    def test_nothing_held_is_an_empty_plan(self):
        assert plan_departure([]).targets == ()


class TheExpectedTime:
    def test_grows_with_the_fullest_tenant_because_method_calls_are_throttled_there(self):
        spread = plan_departure([holding(f"a{n}", f"t{n}") for n in range(20)])
        crowded = plan_departure([holding(f"a{n}", "one") for n in range(20)])
        assert expected_seconds(crowded) > expected_seconds(spread) + 60
