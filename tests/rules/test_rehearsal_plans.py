"""What a rehearsal says in words, how it compares with the real run, and whose turn is next."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from technicians.rehearsal_plans import (
    differences,
    digest_of,
    needs_a_person,
    reasons,
    still_under_way,
    verdict,
    whose_turn,
)

NOW = dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)
EVERY = dt.timedelta(days=30)


def step(kind: str, state: str = "verified", *, method: str | None = None, **facts: Any) -> dict[str, Any]:
    return {"kind": kind, "method": method, "held": False, "state": state, "problem": "", **facts}


def account(name: str, *steps: dict[str, Any]) -> dict[str, Any]:
    told = list(steps) or [step("rotate_password"), step("remove_method", method="m1"), step("second_look")]
    return {"id": name, "account": f"{name}@x.example", "tenant": "x.example", "steps": told}


def result(*accounts: dict[str, Any], state: str = "clean") -> dict[str, Any]:
    return {"accounts": list(accounts), "run": {"state": state}}


class ADigest:
    def test_is_the_same_for_the_same_plan_however_it_ends(self):
        assert digest_of([account("a")]) == digest_of([account("a", *(s | {"state": "refused"} for s in ends()))])

    @pytest.mark.parametrize(
        "other",
        [
            [account("b")],
            [account("a"), account("b")],
            [account("a", step("remove_method", method="m1"), step("rotate_password"), step("second_look"))],
            [account("a", step("rotate_password"), step("remove_method", method="m2"), step("second_look"))],
            [account("a", step("rotate_password", held=True), step("remove_method", method="m1"), step("second_look"))],
        ],
        ids=["another account", "one more", "another order", "another method", "a hold"],
    )
    def test_is_another_for_another_plan(self, other: list[dict[str, Any]]):
        assert digest_of([account("a")]) != digest_of(other)

    def test_knows_the_order_of_the_accounts(self):
        assert digest_of([account("a"), account("b")]) != digest_of([account("b"), account("a")])


def ends() -> list[dict[str, Any]]:
    return list(account("a")["steps"])


class WhenTheRealRunIsComparedWithItsRehearsal:
    def test_the_same_end_is_no_difference(self):
        assert differences([account("a"), account("b")], [account("a"), account("b")]) == []

    def test_another_end_of_a_step_is_told_in_words(self):
        real = account("a", step("rotate_password", "refused"), *ends()[1:])
        [found] = differences([account("a")], [real])
        assert found.account == "a@x.example"
        assert found.words == "Change the password: verified in the rehearsal, refused in the run"

    def test_what_has_not_ended_yet_is_no_difference(self):
        real = account(
            "a", step("rotate_password", "sending"), step("remove_method", method="m1"), step("second_look", "planned")
        )
        assert differences([account("a")], [real]) == []
        assert still_under_way([real]) == 1

    def test_an_account_or_a_step_on_one_side_alone_is_told(self):
        real = account("a", *ends(), step("remove_method", method="m9"))
        words = [found.words for found in differences([account("a"), account("gone")], [real, account("new")])]
        assert words == [
            "was in the rehearsal and not in the run",
            "Remove the authenticator: not in the rehearsal",
            "was in the run and not in the rehearsal",
        ]

    def test_a_step_that_the_run_did_not_have_is_told(self):
        [found] = differences([account("a")], [account("a", *ends()[:2])])
        assert found.words == "Second look: in the rehearsal alone"

    def test_another_order_is_told_once(self):
        [found] = differences([account("a"), account("b")], [account("b"), account("a")])
        assert found.account == ""
        assert "another order" in found.words


class AVerdict:
    def test_says_clean_only_when_the_run_in_the_copy_was(self):
        assert verdict(result(account("a"))).startswith("Would end clean: 1 account")
        said = verdict(result(account("a"), state="clean_with_exceptions"))
        assert "Would end clean" not in said
        assert "Clean with exceptions" in said

    @pytest.mark.parametrize("state", ["refused", "blocked", "unverified", "planned"])
    def test_counts_the_accounts_that_need_a_person(self, state: str):
        stopped = account("a", step("rotate_password", state, problem="Microsoft said no."))
        said = verdict(result(stopped, account("b"), state="needs_attention"))
        assert said == "Would not end clean by itself: of 2 accounts, 1 needs a person."
        assert needs_a_person(stopped)
        assert not needs_a_person(account("b"))

    def test_gives_each_reason_once(self):
        stopped = account("a", *(step(kind, "blocked", problem="No consent.") for kind in ("rotate_password", "prove")))
        assert reasons(stopped) == ["No consent."]

    def test_of_nobodys_accounts_says_that(self):
        assert "No account is concerned" in verdict(result())


class WhoIsRehearsedNext:
    def days_ago(self, days: float) -> dt.datetime:
        return NOW - dt.timedelta(days=days)

    def turn(self, *last: tuple[str, dt.datetime | None]) -> str | None:
        return whose_turn(last, every=EVERY, now=NOW)

    def test_is_that_of_whoever_was_never_rehearsed(self):
        assert self.turn(("ana", self.days_ago(40)), ("ben", None)) == "ben"

    def test_is_that_of_whoever_waits_longest(self):
        assert self.turn(("ana", self.days_ago(40)), ("ben", self.days_ago(50))) == "ben"

    def test_is_nobodys_before_the_interval_is_over(self):
        assert self.turn(("ana", self.days_ago(29))) is None
        assert self.turn(("ana", self.days_ago(30))) == "ana"

    def test_is_spread_over_the_interval(self):
        """With three people and thirty days, one every ten days."""
        assert self.turn(("ana", self.days_ago(9)), ("ben", None), ("cid", None)) is None
        assert self.turn(("ana", self.days_ago(10)), ("ben", None), ("cid", None)) == "ben"

    def test_is_nobodys_where_there_is_nobody(self):
        assert self.turn() is None
