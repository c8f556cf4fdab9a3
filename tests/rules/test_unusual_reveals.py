"""What is asked before a password leaves, how many are too many in an hour, and how many are unusual."""

from __future__ import annotations

import datetime as dt

import pytest

from technicians.reveal_plans import Fetched, is_unusual, may_fetch_again_at, most_in_an_hour, unanswered
from tenants.password_plans import Rules

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


def at(minute: float) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minute)


class WhenAPersonTakesTheAccountsOfAnHour:
    @pytest.mark.parametrize(
        ("accounts", "most_before", "unusual"),
        [
            (1, 0, False),
            (10, 0, False),  # so many surprise nobody, not even from somebody new
            (11, 0, True),
            (11, 5, True),
            (11, 6, False),
            (12, 6, False),  # twice as many is not more than twice
            (13, 6, True),
            (60, 30, False),
            (61, 30, True),
        ],
    )
    def test_more_than_ten_and_more_than_twice_as_many_as_ever_are_unusual(
        self, accounts: int, most_before: int, unusual: bool
    ):
        assert is_unusual(accounts, most_before=most_before) is unusual


class TheHighestHour:
    @pytest.mark.parametrize(
        ("fetched", "most"),
        [
            ([], 0),
            ([(0, "a")], 1),
            ([(0, "a"), (10, "a"), (20, "a")], 1),  # one account, three times
            ([(0, "a"), (59, "b")], 2),
            ([(0, "a"), (60, "b")], 1),  # a full hour lies between them
            ([(0, "a"), (30, "b"), (61, "c")], 2),
            ([(50, "a"), (70, "b"), (80, "c")], 3),  # the hour does not begin with the clock's
            ([(0, "a"), (50, "a"), (70, "b")], 2),  # the first one of `a` is gone, the second is not
            ([(80, "c"), (50, "a"), (70, "b")], 3),  # in any order
        ],
    )
    def test_counts_different_accounts_within_any_sixty_minutes(self, fetched: list[tuple[float, str]], most: int):
        assert most_in_an_hour(Fetched(at(minute), account) for minute, account in fetched) == most


class WhenThePolicyAllowsThreeInAnHour:
    @pytest.mark.parametrize(
        ("minutes_ago", "again_in"),
        [
            ([], None),
            ([1, 2], None),
            ([1, 2, 3], 57),
            ([1, 2, 3, 61], 57),
            ([60, 2, 3], None),  # an hour ago to the minute is over
            ([59, 2, 3], 1),
            ([50, 40, 30, 20], 20),  # the limit was lowered since: until but two of them are over
            ([1, 1, 2], None),  # two versions of one reveal
        ],
    )
    def test_the_next_one_comes_when_the_third_last_is_an_hour_old(self, minutes_ago: list[int], again_in: int | None):
        again = may_fetch_again_at((at(-minutes) for minutes in minutes_ago), limit=3, now=NOON)
        assert again == (None if again_in is None else at(again_in))


class ThePolicysQuestion:
    @pytest.mark.parametrize(
        ("asks", "reason", "ticket"),
        [
            ("nothing", "", ""),
            ("nothing", "just looking", ""),
            ("reason", "the printer is down", ""),
            ("ticket", "", "INC0042"),
            ("ticket", "the printer is down", "inc7"),
        ],
    )
    def test_is_answered(self, asks: str, reason: str, ticket: str):
        assert unanswered(Rules(asks=asks, ticket_pattern="INC#"), reason=reason, ticket=ticket) == ""

    @pytest.mark.parametrize(
        ("asks", "reason", "ticket", "said"),
        [
            ("reason", "", "", "Say what you need the password for"),
            ("reason", "", "INC0042", "Say what you need the password for"),
            ("ticket", "the printer is down", "", "asks for a ticket number"),
            ("ticket", "", "printer", "printer is no ticket number as the policy of this account wants it: INC#"),
            ("nothing", "x" * 501, "", "at most 500 characters"),
            ("nothing", "", "x" * 65, "at most 64"),
            ("nothing", "nul\0", "", "control character"),
            ("nothing", "", "two\nlines", "control character"),
        ],
    )
    def test_is_not_answered_and_says_what_is_missing(self, asks: str, reason: str, ticket: str, said: str):
        assert said in unanswered(Rules(asks=asks, ticket_pattern="INC#"), reason=reason, ticket=ticket)

    def test_any_ticket_will_do_where_the_policy_names_no_form(self):
        assert unanswered(Rules(asks="ticket"), reason="", ticket="the one from Monday") == ""
