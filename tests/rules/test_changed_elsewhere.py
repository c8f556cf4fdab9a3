"""Was the password changed by somebody else? Four facts, one answer."""

from __future__ import annotations

import datetime as dt

import pytest

from tenants.password_plans import changed_elsewhere

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def minutes(number: float) -> dt.datetime:
    return NOON + dt.timedelta(minutes=number)


CASES = {
    "never changed at all": (None, None, None, False, False),
    "the directory tells no time any more": (NOON, None, None, False, False),
    "read again, and the same": (NOON, NOON, None, False, False),
    "a replica that is behind": (NOON, minutes(-5), None, False, False),
    "ours, then changed": (NOON, minutes(1), None, False, True),
    "ours, then changed a second later": (NOON, NOON + dt.timedelta(seconds=1), None, False, True),
    "while a change of ours is on the way": (NOON, minutes(1), None, True, False),
    "ours, first reading": (None, NOON, None, False, False),
    "typed in a moment after the change": (minutes(-60), NOON, minutes(0.2), False, False),
    "typed in, by a clock that is a little behind": (minutes(-60), NOON, minutes(-0.5), False, False),
    "typed in, changed an hour later": (minutes(-60), minutes(60), NOON, False, True),
    "imported before the first reading, changed earlier": (None, minutes(-60), NOON, False, False),
    "imported, changed before anybody read": (None, minutes(60), NOON, False, True),
    "imported, and a change is on the way": (minutes(-60), minutes(60), NOON, True, False),
}


class TheTimeOfTheLastChange:
    @pytest.mark.parametrize(("before", "now", "given_at", "on_the_way", "expected"), CASES.values(), ids=CASES)
    def test_tells_a_change_of_somebody_else_from_ours(self, before, now, given_at, on_the_way, expected):
        assert changed_elsewhere(before=before, now=now, given_at=given_at, on_the_way=on_the_way) is expected
