"""Which unknown method gives up its place, and what goes at the end of a take-over."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from msp.microsoft.ports import MethodKind
from technicians.take_over_plans import (
    AccountFacts,
    Concerned,
    UnknownMethod,
    plan_place,
    plan_removal,
    progress_of,
)
from tenants.plans import StepKind

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
APP, PUSH, PHONE = MethodKind.SOFTWARE_OATH, MethodKind.MICROSOFT_AUTHENTICATOR, MethodKind.PHONE
MOBILE, ALTERNATE = "3179e48a-750b-4051-897c-87b9720928f7", "b6332ec1-7057-4abe-9331-3d72feddfe41"


def method(name: str, kind: MethodKind = APP, *, days: int = 10, **facts: Any) -> UnknownMethod:
    """`days` is how long ago it was seen first."""
    told: dict[str, Any] = {"label": "", "directory_id": name, "first_seen_at": NOON - dt.timedelta(days=days)} | facts
    return UnknownMethod(id=name, kind=kind, words=str(kind), **told)


def account(
    *unknown: UnknownMethod, bound: tuple[str, ...] = (), waiting: tuple[str, ...] = (), **facts: Any
) -> AccountFacts:
    """Each name in `bound` is a person with a method of their own; each in `waiting` is one without."""
    people = [Concerned(name, name, has_way_in=True) for name in bound]
    people += [Concerned(name, name, has_way_in=False) for name in waiting]
    told: dict[str, Any] = {
        "break_glass": False,
        "was_read": True,
        "ways_in": frozenset(f"{name}'s" for name in bound),
        "present": frozenset([m.id for m in unknown] + [f"{name}'s" for name in bound]),
        "places_taken": sum(m.takes_a_place for m in unknown) + len(bound),
    } | facts
    return AccountFacts(
        id=told.pop("id", "contoso"),
        name="admin@contoso.example",
        tenant_id=told.pop("tenant_id", "contoso"),
        tenant=told.pop("tenant", "contoso.example"),
        unknown=unknown,
        people=tuple(people),
        **told,
    )


def order(facts: AccountFacts) -> list[Any]:
    return [candidate.method.id for candidate in plan_place(facts).candidates]


class WhenFiveMethodsOfNobodyFillAnAccount:
    def test_the_one_that_has_been_there_longest_goes(self):
        plan = plan_place(account(*(method(f"app{n}", days=10 + n) for n in range(5))))
        assert plan.goes is not None
        assert plan.goes.method.id == "app4"
        assert "longest" in plan.goes.why

    def test_push_goes_before_codes_however_young(self):
        facts = account(method("app", days=90), method("push", PUSH, days=1), *(method(f"m{n}") for n in range(3)))
        assert order(facts)[0] == "push"
        assert "whoever taps first" in plan_place(facts).candidates[0].why

    def test_an_older_registration_under_the_same_label_goes_first_of_all(self):
        old = method("old", label="Ana's phone", days=30)
        new = method("new", label="ana's PHONE", days=3)
        facts = account(old, new, method("push", PUSH), method("a", days=99), method("b"))
        assert order(facts)[:2] == ["old", "push"]
        assert "second time" in plan_place(facts).candidates[0].why

    def test_two_without_any_label_are_no_twins(self):
        assert order(account(*(method(f"app{n}", days=n + 1) for n in range(5))))[0] == "app4"

    def test_one_that_somebody_used_lately_never_goes(self):
        used = method("old", days=99, used_at=NOON)
        plan = plan_place(account(used, *(method(f"m{n}") for n in range(4))))
        assert "old" not in [c.method.id for c in plan.candidates]
        assert [(c.method.id, c.why) for c in plan.passed_over] == [
            ("old", "Somebody signed in with it on 2026-11-20.")
        ]

    def test_with_all_of_them_in_use_the_plan_says_that_claims_come_first(self):
        plan = plan_place(account(*(method(f"m{n}", used_at=NOON) for n in range(5))))
        assert plan.goes is None
        assert "claim" in plan.hold

    def test_methods_that_take_no_place_are_left_alone(self):
        facts = account(method("sms", PHONE, days=99), *(method(f"m{n}") for n in range(5)))
        assert "sms" not in order(facts)

    def test_a_bound_method_is_never_a_candidate(self):
        facts = account(*(method(f"m{n}") for n in range(4)), bound=("Ana",))
        assert set(order(facts)) == {"m0", "m1", "m2", "m3"}

    def test_the_same_facts_in_another_order_give_the_same_answer(self):
        methods = [method(f"m{n}") for n in range(5)]
        assert order(account(*methods)) == order(account(*reversed(methods)))


class WhenNothingMayGo:
    def test_a_free_place_means_that_nothing_has_to(self):
        plan = plan_place(account(method("app")))
        assert plan.goes is None
        assert "A place is free" in plan.hold

    def test_a_break_glass_account_is_not_touched(self):
        plan = plan_place(account(*(method(f"m{n}") for n in range(5)), break_glass=True))
        assert "break-glass" in plan.hold

    def test_an_open_enrolment_is_waited_for(self):
        plan = plan_place(account(*(method(f"m{n}") for n in range(5)), enrolling=("Ana",)))
        assert plan.hold.startswith("Ana: an enrolment is open")

    def test_the_last_way_in_stays_also_when_it_is_nobodys(self):
        """Four e-mail-like methods let nobody in, so the one that does is all there is."""
        never = [method(f"m{n}", lets_in=False) for n in range(4)]
        plan = plan_place(account(method("app", days=99), *never))
        assert [c.method.id for c in plan.passed_over] == ["app"]
        assert "last way in" in plan.passed_over[0].why


class WhenTheEndIsPlanned:
    def one(self, facts: AccountFacts, **choice: Any) -> Any:
        (removal,) = plan_removal([facts], **choice).accounts
        return removal

    def test_every_unknown_method_goes_and_sessions_end_and_it_is_looked_at_twice(self):
        removal = self.one(account(method("a"), method("b", PUSH), bound=("Ana",)))
        assert [m.id for m in removal.removals] == ["a", "b"]
        assert [step.kind for step in removal.steps][2:] == [
            StepKind.REVOKE_SESSIONS,
            StepKind.PROVE,
            StepKind.SECOND_LOOK,
        ]

    def test_the_password_changes_only_when_that_is_chosen(self):
        facts = account(method("a"), bound=("Ana",))
        assert StepKind.ROTATE_PASSWORD not in [step.kind for step in self.one(facts).steps]
        assert self.one(facts, rotate=True).steps[0].kind == StepKind.ROTATE_PASSWORD

    def test_an_account_on_which_somebody_has_no_way_in_is_held_and_names_them(self):
        removal = self.one(account(method("a"), bound=("Ana",), waiting=("Ben", "Cid")))
        assert removal.steps == ()
        assert removal.hold.startswith("Ben and Cid have no way in yet")

    def test_somebody_excused_holds_nothing_up(self):
        facts = account(method("a"), bound=("Ana",))
        excused = Concerned("Ben", "Ben", has_way_in=False, excused=True)
        assert self.one(replace(facts, people=(*facts.people, excused))).hold == ""

    def test_when_nobody_would_get_in_nothing_goes(self):
        assert "Nobody holds this account" in self.one(account(method("a"))).hold
        excused = Concerned("Ben", "Ben", has_way_in=False, excused=True)
        assert "last way in" in self.one(replace(account(method("a")), people=(excused,))).hold

    @pytest.mark.parametrize(
        ("facts", "word"),
        [({"break_glass": True}, "break-glass"), ({"was_read": False}, "never read"), ({"enrolling": ("Eve",)}, "Eve")],
    )
    def test_other_guards_say_what_they_are(self, facts: dict[str, Any], word: str):
        removal = self.one(account(method("a"), bound=("Ana",), **facts))
        assert word in removal.hold
        assert removal.steps == ()

    def test_an_account_with_nothing_unknown_is_closed_without_steps(self):
        plan = plan_removal([account(bound=("Ana",))])
        assert plan.targets == ()
        assert len(plan.at_the_end) == 1

    def test_an_account_with_nothing_unknown_stays_open_while_somebody_waits(self):
        plan = plan_removal([account(bound=("Ana",), waiting=("Ben",))])
        assert plan.at_the_end == []
        assert len(plan.held) == 1

    def test_a_kind_that_no_application_can_remove_is_left_to_a_person(self):
        removal = self.one(account(method("new kind", MethodKind.UNKNOWN), method("a"), bound=("Ana",)))
        assert [m.id for m in removal.by_hand] == ["new kind"]
        assert [m.id for m in removal.removals] == ["a"]
        assert "Entra admin center" in next(step.hold for step in removal.steps if step.method_id == "new kind")

    def test_the_mobile_phone_goes_after_the_alternate_one(self):
        phones = method("m", PHONE, directory_id=MOBILE), method("a", PHONE, directory_id=ALTERNATE)
        steps = self.one(account(*phones, bound=("Ana",))).steps
        assert [step.method_id for step in steps][:2] == ["a", "m"]

    def test_tenants_take_turns(self):
        accounts = [
            account(method("a"), bound=("Ana",), id=number, tenant_id=tenant, tenant=f"{tenant}.example")
            for number, tenant in enumerate(["contoso", "contoso", "fabrikam"])
        ]
        assert [target.account_id for target in plan_removal(accounts).targets] == [0, 2, 1]

    def test_the_counts_are_of_what_goes(self):
        plan = plan_removal([
            account(method("a"), method("b"), bound=("Ana",)),
            account(method("c"), waiting=("Ben",), id="held"),
        ])  # fmt: skip
        assert (plan.methods, plan.changed, plan.tenants, len(plan.held)) == (2, 1, 1, 1)


class WhenProgressIsCounted:
    def test_each_person_counts_on_each_account(self):
        facts = account(method("a"), bound=("Ana",), waiting=("Ben",))
        excused = replace(facts, people=(*facts.people, Concerned("Cid", "Cid", has_way_in=False, excused=True)))
        progress = progress_of([facts, excused], closed=3)
        assert (progress.people, progress.ready, progress.excused, progress.waiting) == (5, 2, 1, 2)
        assert (progress.accounts, progress.closed, progress.unknown) == (5, 3, 2)
