"""Which policy applies, when a password changes next, and what a ticket number looks like."""

from __future__ import annotations

import datetime as dt
from itertools import chain, combinations, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tenants.password_plans import (
    Demanded,
    NextChange,
    Place,
    Rules,
    after_quiet_hours,
    nearest,
    next_change,
    staggered,
    ticket_fits,
)

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe")

NEAREST_FIRST = {
    "of the account": Place(account="admin"),
    "of the tenant": Place(tenant="contoso"),
    "of its first group": Place(group="gold"),
    "of its second group": Place(group="silver"),
    "of the whole reseller": Place(),
}
ELSEWHERE = {
    "of another account": Place(account="contoso"),
    "of another tenant": Place(tenant="admin"),
    "of another group": Place(group="admin"),
}
SETS = list(chain.from_iterable(combinations(NEAREST_FIRST, n) for n in range(len(NEAREST_FIRST) + 1)))


def hours(number: float) -> dt.timedelta:
    return dt.timedelta(hours=number)


class ThePolicyThatApplies:
    """Contoso is in the groups Gold and Silver."""

    def found(self, names: Any) -> Any:
        places = NEAREST_FIRST | ELSEWHERE
        return nearest(
            [(places[name], name) for name in names], account="admin", tenant="contoso", groups=["gold", "silver"]
        )

    @pytest.mark.parametrize("names", SETS, ids=lambda names: ", ".join(names) or "none")
    def test_is_the_nearest_of_those_that_are_set_in_whatever_order_they_come(self, names: tuple[str, ...]):
        expected = names[0] if names else None
        assert self.found([*names, *ELSEWHERE]) == expected
        assert self.found([*ELSEWHERE, *reversed(names)]) == expected


class TheNextChange:
    def change(self, rules: Rules, *demands: Demanded, since: dt.datetime | None = NOON, **facts: Any) -> Any:
        return next_change(rules, break_glass=facts.get("break_glass", False), in_force_since=since, demands=demands)

    def test_comes_when_the_password_is_old_enough(self):
        assert self.change(Rules(rotate_every_days=90)) == NextChange(NOON + dt.timedelta(days=90), "schedule")

    def test_is_not_planned_without_a_schedule_and_without_a_demand(self):
        assert self.change(Rules()) is None
        assert self.change(Rules(rotate_every_days=90), since=None) is None

    def test_is_the_earliest_of_schedule_and_demands(self):
        late, early = Demanded("drift", NOON + hours(30)), Demanded("reveal", NOON + hours(8))
        assert self.change(Rules(rotate_every_days=1), late, early) == NextChange(NOON + hours(8), "reveal")
        assert self.change(Rules(rotate_every_days=1), late) == NextChange(NOON + hours(24), "schedule")

    def test_waits_for_the_end_of_the_quiet_hours(self):
        rules = Rules(quiet_from=dt.time(8), quiet_until=dt.time(18))
        assert self.change(rules, Demanded("drift", NOON)) == NextChange(NOON + hours(6), "drift")

    @pytest.mark.parametrize("rules", [Rules(), Rules(rotate_every_days=1), Rules(rotate_after_drift=True)])
    def test_never_comes_to_a_break_glass_account(self, rules: Rules):
        assert self.change(rules, Demanded("person", NOON), break_glass=True) is None


class WhenTheHoursAreQuiet:
    def end(self, quiet: tuple[int, int], zone: str, moment: str) -> str:
        rules = Rules(quiet_from=dt.time(quiet[0]), quiet_until=dt.time(quiet[1]), quiet_zone=zone)
        local = ZoneInfo(zone)
        asked = dt.datetime.fromisoformat(moment)
        asked = asked if asked.tzinfo else asked.replace(tzinfo=local)
        return after_quiet_hours(rules, asked).astimezone(local).strftime("%d %H:%M")

    @pytest.mark.parametrize(
        ("quiet", "moment", "end"),
        [
            ((8, 18), "2026-11-25T07:59", "25 07:59"),
            ((8, 18), "2026-11-25T08:00", "25 18:00"),
            ((8, 18), "2026-11-25T17:59", "25 18:00"),
            ((8, 18), "2026-11-25T18:00", "25 18:00"),
            ((22, 6), "2026-11-25T21:59", "25 21:59"),
            ((22, 6), "2026-11-25T22:00", "26 06:00"),
            ((22, 6), "2026-11-25T23:59", "26 06:00"),
            ((22, 6), "2026-11-26T00:00", "26 06:00"),
            ((22, 6), "2026-11-26T05:59", "26 06:00"),
            ((22, 6), "2026-11-26T06:00", "26 06:00"),
            ((22, 0), "2026-11-25T23:00", "26 00:00"),
            ((0, 6), "2026-11-26T00:00", "26 06:00"),
        ],
    )
    @pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
    def test_what_is_due_in_them_is_due_at_their_end_also_over_midnight(
        self, quiet: tuple[int, int], moment: str, end: str, zone: str
    ):
        assert self.end(quiet, zone, moment) == end

    def test_their_clock_is_the_local_one_in_summer_and_in_winter(self):
        rules = Rules(quiet_from=dt.time(8), quiet_until=dt.time(18), quiet_zone="Europe/Berlin")
        for month, ends_at_utc in ((1, 17), (7, 16)):
            noon = dt.datetime(2026, month, 15, 12, tzinfo=dt.UTC)
            assert after_quiet_hours(rules, noon).hour == ends_at_utc

    def test_they_end_once_when_the_clock_is_put_forward_or_back(self):
        assert self.end((22, 6), "Europe/Berlin", "2026-03-28T23:00") == "29 06:00"
        assert self.end((22, 6), "Europe/Berlin", "2026-10-24T23:00") == "25 06:00"

    def test_an_end_that_the_clock_passes_twice_is_never_in_the_past(self):
        """At 2:10 for the second time, quiet until 2:30: the second 2:30 is meant."""
        rules = Rules(quiet_from=dt.time(22), quiet_until=dt.time(2, 30), quiet_zone="Europe/Berlin")
        second_time = dt.datetime(2026, 10, 25, 1, 10, tzinfo=dt.UTC)
        assert after_quiet_hours(rules, second_time) == dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC)

    @pytest.mark.parametrize("ends", [(None, None), (dt.time(8), dt.time(8))])
    def test_there_are_none_without_a_beginning_and_another_end(self, ends: tuple[Any, Any]):
        assert after_quiet_hours(Rules(quiet_from=ends[0], quiet_until=ends[1]), NOON) == NOON

    @given(
        moment=some.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: NOON + dt.timedelta(minutes=minutes)),
        start=some.times(),
        end=some.times(),
        zone=some.sampled_from(ZONES),
    )
    def test_what_comes_out_is_not_earlier_and_not_quiet(
        self, moment: dt.datetime, start: dt.time, end: dt.time, zone: str
    ):
        rules = Rules(quiet_from=start, quiet_until=end, quiet_zone=zone)
        found = after_quiet_hours(rules, moment)
        assert moment <= found <= moment + hours(49)
        assert after_quiet_hours(rules, found) == found


class WhenOtherAccountsOfTheTenantChange:
    RULES = Rules(stagger_minutes=15)

    def minutes(self, *numbers: int) -> list[dt.datetime]:
        return [NOON + dt.timedelta(minutes=n) for n in numbers]

    @pytest.mark.parametrize(
        ("others", "expected"),
        [((), 0), ((15,), 0), ((-15,), 0), ((0,), 15), ((-14,), 1), ((14,), 29), ((0, 20, 35, 66), 50), ((90, 0), 15)],
    )
    def test_the_first_free_moment_is_taken(self, others: tuple[int, ...], expected: int):
        found = staggered(self.RULES, wanted=NOON, others=self.minutes(*others))
        assert [found] == self.minutes(expected)

    def test_a_moment_that_falls_into_the_quiet_hours_comes_after_them_and_keeps_its_distance(self):
        rules = Rules(stagger_minutes=15, quiet_from=dt.time(12, 5), quiet_until=dt.time(13))
        others = self.minutes(0, 60)
        assert staggered(rules, wanted=NOON, others=others) == NOON + dt.timedelta(minutes=75)

    @given(
        wanted=some.lists(some.integers(0, 600), min_size=1, max_size=12),
        gap=some.integers(1, 90),
        quiet=some.booleans(),
    )
    def test_one_after_another_no_two_are_ever_close(self, wanted: list[int], gap: int, quiet: bool):
        ends = (dt.time(14), dt.time(15, 30)) if quiet else (None, None)
        rules = Rules(stagger_minutes=gap, quiet_from=ends[0], quiet_until=ends[1])
        taken: list[dt.datetime] = []
        for number in wanted:
            [asked] = self.minutes(number)
            taken.append(staggered(rules, wanted=asked, others=taken))
            assert taken[-1] >= asked
            assert after_quiet_hours(rules, taken[-1]) == taken[-1]
        assert all(later - earlier >= dt.timedelta(minutes=gap) for earlier, later in pairwise(sorted(taken)))


class TheFormOfATicketNumber:
    @pytest.mark.parametrize(
        ("pattern", "ticket"),
        [
            ("INC#", "INC0012345"),
            ("INC#", " inc7 "),
            ("INC#######", "INC0012345"),
            ("OPS-#, INC#", "OPS-17"),
            ("OPS-#, INC#", "INC17"),
            ("#-####", "2026-0001"),
            ("(CR).#", "(cr).4"),
            ("", "anything at all"),
            (" , ", "x"),
        ],
    )
    def test_lets_through_what_has_it(self, pattern: str, ticket: str):
        assert ticket_fits(pattern, ticket)

    @pytest.mark.parametrize(
        ("pattern", "ticket"),
        [
            ("INC#", "INC"),
            ("INC#", "INC12x"),
            ("INC#", "INC١٢"),
            ("INC#", "the INC12"),
            ("INC#######", "INC001234"),
            ("INC#######", "INC00123456"),
            ("(CR).#", "(CR)-4"),
            ("INC#", "INC1\nINC2"),
            ("INC#", ""),
            ("", "  "),
        ],
    )
    def test_refuses_what_has_not(self, pattern: str, ticket: str):
        assert not ticket_fits(pattern, ticket)

    def test_cannot_be_made_to_search_for_ever(self):
        assert not ticket_fits("#" + "1#" * 49, "1" * 64)
