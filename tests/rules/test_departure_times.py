"""When a departure starts: the time on a wall somewhere, and the moment that it is."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msp.errors import BadInput
from technicians.departure_times import in_words, start_at, zone_named


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)


class WhenADayAndATimeAreGiven:
    def test_they_are_read_by_the_clocks_of_the_zone(self):
        start = start_at(dt.date(2026, 12, 18), dt.time(16, 0), "Europe/Berlin")
        assert start.at == utc(2026, 12, 18, 15, 0)
        assert (start.kind, start.zone, start.remark) == ("at", "Europe/Berlin", "")

    def test_without_a_time_it_starts_when_the_day_is_over_there(self):
        assert start_at(dt.date(2026, 6, 30), None, "America/New_York").at == utc(2026, 7, 1, 4, 0)

    def test_no_zone_is_utc(self):
        assert start_at(dt.date(2026, 6, 30), dt.time(9, 30), "").at == utc(2026, 6, 30, 9, 30)

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe/Berlin\n x"])
    def test_a_zone_that_is_none_is_said_so(self, zone: str):
        with pytest.raises(BadInput, match="no time zone called"):
            start_at(dt.date(2026, 6, 30), None, zone)

    def test_a_day_at_the_edge_of_the_calendar_is_too_far_away(self):
        with pytest.raises(BadInput, match="too far away"):
            start_at(dt.date.max, None, "Europe/Berlin")

    @given(
        day=st.dates(min_value=dt.date(2000, 1, 1), max_value=dt.date(2037, 1, 1)),
        time=st.times(),
        zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    )
    def test_the_clocks_there_show_what_was_meant_or_a_sentence_says_what_they_show(
        self, day: dt.date, time: dt.time, zone: str
    ):
        meant = dt.datetime.combine(day, time).replace(second=0, microsecond=0)
        start = start_at(day, time, zone)
        shown = start.at.astimezone(zone_named(zone)).replace(tzinfo=None)
        assert shown == meant or f"{shown:%H:%M}" in start.remark


class WhenTheClocksGoForward:
    """In Berlin 2 o'clock becomes 3 o'clock on 29 March 2026."""

    def test_a_time_that_does_not_exist_starts_after_the_jump_and_is_said_so(self):
        start = start_at(dt.date(2026, 3, 29), dt.time(2, 30), "Europe/Berlin")
        assert start.at == utc(2026, 3, 29, 1, 30)
        assert "02:30 does not exist on 2026-03-29 in Europe/Berlin" in start.remark
        assert "starts at 03:30 there" in start.remark

    def test_the_hours_around_it_are_as_meant(self):
        assert start_at(dt.date(2026, 3, 29), dt.time(1, 59), "Europe/Berlin").at == utc(2026, 3, 29, 0, 59)
        assert start_at(dt.date(2026, 3, 29), dt.time(3, 0), "Europe/Berlin").at == utc(2026, 3, 29, 1, 0)

    def test_a_midnight_that_does_not_exist_ends_the_day_all_the_same(self):
        """In Beirut the clocks go from 0 to 1 o'clock at the end of 28 March 2026."""
        start = start_at(dt.date(2026, 3, 28), None, "Asia/Beirut")
        assert start.at == utc(2026, 3, 28, 22, 0)
        assert "00:00 does not exist" in start.remark


class WhenTheClocksGoBack:
    """In Berlin 3 o'clock becomes 2 o'clock on 25 October 2026."""

    def test_a_time_that_comes_twice_starts_the_first_time_so_that_access_ends_no_later(self):
        start = start_at(dt.date(2026, 10, 25), dt.time(2, 30), "Europe/Berlin")
        assert start.at == utc(2026, 10, 25, 0, 30)
        assert "comes twice" in start.remark

    def test_the_hours_around_it_are_as_meant(self):
        assert start_at(dt.date(2026, 10, 25), dt.time(1, 30), "Europe/Berlin").remark == ""
        assert start_at(dt.date(2026, 10, 25), dt.time(3, 0), "Europe/Berlin").at == utc(2026, 10, 25, 2, 0)


class TheTimeInWords:
    def test_names_the_zone_and_utc(self):
        assert (
            in_words(utc(2026, 12, 18, 15), "Europe/Berlin") == "2026-12-18 16:00 Europe/Berlin (2026-12-18 15:00 UTC)"
        )

    def test_says_utc_once(self):
        assert in_words(utc(2026, 12, 18, 15), "UTC") == "2026-12-18 15:00 UTC"
