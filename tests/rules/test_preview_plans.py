"""What a preview says: groups of passwords, guards and what lifts them, the time it takes, and what changed since."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from technicians.difference_plans import (
    ADDED,
    GONE,
    GUARD_CHANGED,
    KINDS,
    METHOD_APPEARED,
    METHOD_GONE,
    MISSING,
    RECREATED,
    RENAMED,
    differences,
    differences_at_first_look,
    snapshot,
    stopped_where_recreated,
)
from technicians.pace_plans import ENOUGH_TO_TELL, Pace, Worked, expected, measured
from technicians.plans import (
    REQUESTS_AT_ONCE,
    AccountPlan,
    DeparturePlan,
    HeldMethod,
    Holding,
    Remaining,
    plan_departure,
)
from technicians.preview_plans import (
    FILTERS,
    AccountPreview,
    Hindrance,
    Knows,
    Preview,
    Standing,
    Unread,
    shown,
    worst_known,
)

SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SEEN_BEFORE = Standing(object_id="object", customer="Contoso Ltd", observed_at=SINCE)


def holding(name: str = "a", tenant: str = "contoso", **facts: Any) -> Holding:
    """Ana leaves, and Ben stays with an authenticator of his own, unless said otherwise."""
    usual = {
        "account_id": name, "account": f"{name}@{tenant}", "tenant_id": tenant, "tenant": tenant,
        "break_glass": False, "methods": (HeldMethod(f"{name}-ana", "code", "Ana's phone", SINCE),),
        "saw_current_password": False, "remaining": (Remaining("Ben", True, "ben"),),
        "ways_in": frozenset({f"{name}-ben"}), "present": frozenset({f"{name}-ana", f"{name}-ben"}),
    }  # fmt: skip
    return Holding(**(usual | facts))


def alone(name: str = "a", **facts: Any) -> Holding:
    """Nobody who stays has an authenticator."""
    return holding(name, **({"remaining": (Remaining("Ben", False, "ben"),), "ways_in": frozenset()} | facts))


def preview(*holdings: Holding, standing: Standing = SEEN_BEFORE, **standings: Standing) -> Preview:
    plan = plan_departure(holdings)
    accounts = (AccountPreview(a, standings.get(a.holding.account_id, standing)) for a in plan.accounts)
    return Preview(tuple(accounts))


def of_one(made: Holding, **facts: Any) -> AccountPreview:
    [account] = preview(made, standing=replace(SEEN_BEFORE, **facts)).accounts
    return account


class TheGroupsOfPasswords:
    def test_every_password_is_in_exactly_one(self):
        some = preview(
            holding("a"), holding("b"), holding("c"),
            a=replace(SEEN_BEFORE, knows=Knows.SEEN), b=replace(SEEN_BEFORE, knows=Knows.COULD),
            c=replace(SEEN_BEFORE, knows=Knows.NOT_READABLE, unread=Unread.NOT_HERE),
        )  # fmt: skip
        assert some.knowledge == {Knows.SEEN: 1, Knows.COULD: 1, Knows.NOT_READABLE: 1}
        assert some.unread == {Unread.NOT_HERE: 1}

    @given(st.lists(st.tuples(st.sampled_from(Knows), st.sampled_from(Unread)), max_size=6))
    def test_of_several_leavers_the_one_who_knows_most_decides(self, known):
        group, _why = worst_known(known)
        order = list(Knows)
        assert group == min((knows for knows, _ in known), key=order.index, default=Knows.NOT_READABLE)


class WhenAGuardHolds:
    def test_it_says_who_would_have_to_enrol_and_where(self):
        [lift] = of_one(alone()).lifts
        assert (lift.words, lift.person_id) == ("Enrol Ben on a@contoso.", "ben")

    def test_where_nobody_stays_somebody_has_to_be_assigned_first(self):
        [lift] = of_one(alone(remaining=())).lifts
        assert "assign a@contoso to somebody who stays" in lift.words
        assert lift.person_id is None

    def test_a_break_glass_account_is_changed_by_hand(self):
        account = of_one(holding(break_glass=True))
        assert not account.is_last_way_in
        assert "by hand" in account.lifts[0].words

    def test_where_no_guard_holds_there_is_nothing_to_lift(self):
        assert of_one(holding()).lifts == []

    def test_whoever_lifts_most_is_named_first(self):
        cleo = Remaining("Cleo", False, "cleo")
        some = preview(
            alone("a"), alone("b"), holding("c", remaining=(Remaining("Ben", True, "ben"), cleo)),
            holding("d", remaining=(Remaining("Ben", True, "ben"), cleo)),
            holding("e", remaining=(Remaining("Ben", True, "ben"), cleo)),
        )  # fmt: skip
        assert [(one.name, one.accounts, one.lifts) for one in some.to_enrol] == [("Ben", 2, 2), ("Cleo", 3, 0)]


class WhenSomethingStandsInTheWay:
    @pytest.mark.parametrize(
        ("facts", "kind"),
        [
            ({"connection_problem": "Nobody consented."}, Hindrance.NO_CONNECTION),
            ({"gone": "It was deleted and made anew."}, Hindrance.GONE),
            ({"hands_off": True}, Hindrance.HANDS_OFF),
            ({"guided": "Firewall"}, Hindrance.GUIDED),
            ({"synced": True}, Hindrance.SYNCED),
            ({"enabled": False}, Hindrance.DISABLED),
            ({"observed_at": None}, Hindrance.NEVER_READ),
        ],
    )
    def test_each_is_named_with_what_it_means(self, facts, kind):
        [hindered] = of_one(holding(), **facts).hindrances
        assert hindered.kind == kind
        assert hindered.means

    def test_what_the_directory_said_is_said_again(self):
        [hindered] = of_one(holding(), gone="It was deleted and made anew.").hindrances
        assert hindered.means == "It was deleted and made anew."

    def test_a_synced_password_is_not_counted_as_changed(self):
        assert preview(holding(), standing=replace(SEEN_BEFORE, synced=True)).passwords_to_rotate == 0

    def test_an_ordinary_account_has_none(self):
        assert of_one(holding()).hindrances == []


class TheExpectedTime:
    def test_says_when_it_is_assumed(self):
        assert measured([]) == Pace()
        assert Pace().measured_on == 0

    def test_is_measured_from_the_last_runs_when_there_are_any(self):
        pace = measured([worked("run", 0, 3, requests=4), worked("run", 0, 5, requests=4), worked("run", 0, 4)])
        assert (pace.seconds_per_account, pace.requests_per_account, pace.measured_on) == (4, 4, 3)

    def test_a_small_run_does_not_tell_how_many_are_worked_on_at_a_time(self):
        pace = measured([worked("run", 0, 3)])
        assert (pace.at_once, pace.at_once_is_measured) == (REQUESTS_AT_ONCE, False)

    def test_a_large_one_does(self):
        ten_at_a_time = [worked("run", number // 10 * 2, number // 10 * 2 + 2) for number in range(ENOUGH_TO_TELL * 5)]
        assert measured(ten_at_a_time).at_once == pytest.approx(10)

    def test_an_account_that_somebody_tried_again_on_another_day_does_not_count(self):
        usual = [worked("run", 0, 3) for _ in range(9)]
        assert measured([*usual, worked("run", 0, 86_400)]) == measured(usual)

    def test_an_account_that_needs_a_person_is_not_in_it(self):
        some = preview(holding("a"), holding("b"), b=replace(SEEN_BEFORE, guided="Firewall"))
        assert (some.for_a_person, some.expected.requests) == (1, 3)

    def test_the_fullest_tenant_is_held_up_by_microsofts_limit_and_the_others_are_not(self):
        crowded = expected(plans(20, tenants=1), Pace())
        spread = expected(plans(20, tenants=20), Pace())
        assert (crowded.throttled_tenants, spread.throttled_tenants) == (1, 0)
        assert crowded.seconds > spread.seconds + 60

    @given(st.integers(0, 60), st.integers(1, 8), st.floats(0.1, 60), st.floats(1, 200))
    def test_more_accounts_never_take_less(self, count, tenants, seconds, at_once):
        pace = Pace(seconds_per_account=seconds, at_once=at_once)
        less, more = (expected(plans(n, tenants=tenants), pace) for n in (count, count + 1))
        assert more.seconds >= less.seconds
        assert more.requests >= less.requests
        assert less.minutes >= 1


class TheListOfAccounts:
    @given(st.lists(st.booleans(), max_size=12))
    def test_a_filter_shows_as_many_as_its_figure_says(self, held):
        some = preview(*(alone(f"a{n}") if each else holding(f"a{n}") for n, each in enumerate(held)))
        assert len(shown(some, only="held")) == some.held_back == sum(held)
        assert len(shown(some, only="enrol")) == some.without_colleague
        assert sum(len(shown(some, only=name)) for name in ("seen", "could", "unread")) == len(held)

    def test_words_are_looked_for_in_account_tenant_and_customer(self):
        some = preview(holding("a"), holding("b", "fabrikam"))
        assert [a.holding.account for a in shown(some, words="FABRI b@")] == ["b@fabrikam"]
        assert len(shown(some, words="contoso ltd")) == 2

    def test_an_unknown_filter_hides_nothing(self):
        assert len(shown(preview(holding()), only="nonsense")) == 1
        assert "nonsense" not in FILTERS


class WhenSomethingChangedSinceThePreview:
    def between(self, then: Preview, now: Preview) -> list[tuple[str, str]]:
        found = differences(through_json(snapshot(then)), snapshot(now))
        return [(one["kind"], one["account_id"]) for one in found]

    def test_nothing_is_different_from_itself(self):
        same = preview(holding("a"), alone("b"))
        assert self.between(same, same) == []

    def test_an_account_more_and_one_less(self):
        assert self.between(preview(holding("a")), preview(holding("b"))) == [(ADDED, "b"), (GONE, "a")]

    def test_a_renamed_user_is_the_same_one(self):
        [one] = differences(snapshot(preview(holding())), snapshot(preview(holding(account="new@contoso"))))
        assert (one["kind"], one["stops"]) == (RENAMED, False)
        assert "a@contoso is called new@contoso now" in one["words"]

    def test_a_user_who_was_deleted_and_created_again_stops(self):
        now = preview(holding(), standing=replace(SEEN_BEFORE, object_id="another"))
        [one] = differences(snapshot(preview(holding())), snapshot(now))
        assert (one["kind"], one["stops"]) == (RECREATED, True)
        assert "deleted and created again" in one["words"]

    def test_so_does_one_that_was_put_in_anew_under_the_same_name(self):
        now = preview(holding("b", account="A@contoso"), standing=replace(SEEN_BEFORE, object_id="another"))
        assert self.between(preview(holding("a")), now) == [(RECREATED, "b")]

    def test_a_method_more_and_one_less(self):
        other = HeldMethod("new", "code", "Ana's tablet", SINCE)
        now = preview(holding(methods=(other,), present=frozenset({"new", "a-ben"})))
        assert self.between(preview(holding()), now) == [(METHOD_APPEARED, "a"), (METHOD_GONE, "a")]

    def test_a_guard_that_holds_now_and_one_that_does_not_any_more(self):
        then, now = preview(alone("a"), holding("b")), preview(holding("a"), alone("b"))
        assert sorted(self.between(then, now)) == [(GUARD_CHANGED, "a"), (GUARD_CHANGED, "b")]

    def test_what_stops_is_told_first(self):
        then = preview(holding("a"), holding("b"))
        now = preview(alone("a"), holding("b"), b=replace(SEEN_BEFORE, object_id="another"))
        assert [kind for kind, _ in self.between(then, now)] == [RECREATED, GUARD_CHANGED]
        assert KINDS[0] == RECREATED

    def test_without_a_preview_there_is_nothing_to_compare_with(self):
        assert differences({}, snapshot(preview(holding()))) == []

    def test_a_name_that_the_first_look_found_is_told_too(self):
        look = {"a": {"user_principal_name": "new@contoso"}}
        [one] = differences_at_first_look(snapshot(preview(holding())), look, {})
        assert (one["kind"], one["stops"]) == (RENAMED, False)

    def test_a_user_whom_the_first_look_did_not_find_stops_in_the_directorys_own_words(self):
        [one] = differences_at_first_look(snapshot(preview(holding())), {}, {"a": "It was 100 % deleted."})
        assert (one["kind"], one["stops"], one["words"]) == (MISSING, True, "It was 100 % deleted.")

    @given(st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8)))
    def test_going_back_tells_the_opposite(self, before, after):
        then, now = (preview(*(holding(f"n{n}") for n in sorted(some))) for some in (before, after))
        opposite = {ADDED: GONE, GONE: ADDED}
        there = {(kind, pk) for kind, pk in self.between(then, now)}
        assert there == {(opposite[kind], pk) for kind, pk in self.between(now, then)}


class WhenAUserIsAnotherOneNow:
    def test_every_step_there_is_held_and_nowhere_else(self):
        then = preview(holding("a"), holding("b"))
        now = preview(holding("a"), holding("b"), b=replace(SEEN_BEFORE, object_id="another"))
        plan = DeparturePlan(tuple(a.plan for a in now.accounts))
        stopped = stopped_where_recreated(plan, differences(snapshot(then), snapshot(now)))
        held = {a.holding.account_id: a.holds for a in stopped.accounts}
        assert held["a"] == []
        assert "deleted and created again" in held["b"][0]
        assert all(step.hold for a in stopped.accounts if a.holding.account_id == "b" for step in a.steps)

    def test_without_differences_the_plan_is_untouched(self):
        plan = plan_departure([holding()])
        assert stopped_where_recreated(plan, []) is plan


def worked(run: str, began: float, ended: float, *, requests: int = 4) -> Worked:
    return Worked(run, SINCE + dt.timedelta(seconds=began), SINCE + dt.timedelta(seconds=ended), requests)


def plans(count: int, *, tenants: int) -> list[AccountPlan]:
    return list(plan_departure([holding(f"n{n}", f"t{n % tenants}") for n in range(count)]).accounts)


def through_json(taken: dict[str, Any]) -> dict[str, Any]:
    """As the database gives it back."""
    kept: dict[str, Any] = json.loads(json.dumps(taken))
    return kept
