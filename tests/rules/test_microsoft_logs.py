"""Reading a log that is never finished: late, unordered and repeated events are each reported exactly once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msp.microsoft.logs import OVERLAP, audit_event, filter_time, reads_from, sign_in_event, unseen
from msp.microsoft.tenant_ports import Cursor
from tests.support.reference import reference_needed, sample

START = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)
LATER = START + dt.timedelta(days=2)
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Line:
    """An event as the log knows it: when it happened."""

    event_id: str
    at: dt.datetime


def line(name: str, minutes: float) -> Line:
    return Line(name, START + minutes * MINUTE)


def names(events: tuple[Line, ...]) -> list[str]:
    return [event.event_id for event in events]


@pytest.fixture
def cursor() -> Cursor:
    return Cursor(newest=START)


class WhenALogIsReadOn:
    def test_events_come_oldest_first_whatever_their_order(self, cursor):
        new, _ = unseen([line("c", 3), line("a", 1), line("b", 2)], cursor, now=LATER)
        assert names(new) == ["a", "b", "c"]

    def test_what_was_reported_is_not_reported_again(self, cursor):
        _, after = unseen([line("a", 1)], cursor, now=LATER)
        new, _ = unseen([line("b", 2), line("a", 1)], after, now=LATER)
        assert names(new) == ["b"]

    def test_one_that_comes_twice_in_one_answer_counts_once(self, cursor):
        new, _ = unseen([line("a", 1), line("b", 2), line("a", 1)], cursor, now=LATER)
        assert names(new) == ["a", "b"]

    def test_one_that_comes_late_is_found(self, cursor):
        _, after = unseen([line("b", 20)], cursor, now=LATER)
        new, _ = unseen([line("b", 20), line("late", 6)], after, now=LATER)
        assert names(new) == ["late"]

    def test_one_that_comes_too_late_is_left_out_rather_than_reported_twice(self, cursor):
        _, after = unseen([line("b", 20)], cursor, now=LATER)
        new, _ = unseen([line("too late", 4)], after, now=LATER)
        assert new == ()

    def test_one_that_a_reading_missed_and_the_next_shows_again_still_counts_once(self, cursor):
        _, after = unseen([line("a", 1), line("b", 2)], cursor, now=LATER)
        _, after = unseen([line("b", 2)], after, now=LATER)
        new, _ = unseen([line("a", 1), line("b", 2)], after, now=LATER)
        assert new == ()

    def test_an_empty_answer_leaves_the_cursor_where_it_is(self, cursor):
        _, read = unseen([line("a", 1)], cursor, now=LATER)
        assert unseen([], read, now=LATER) == ((), read)

    def test_the_next_reading_begins_before_the_newest_event(self, cursor):
        _, after = unseen([line("a", 40)], cursor, now=LATER)
        assert reads_from(after) == START + 40 * MINUTE - OVERLAP

    def test_a_date_far_ahead_does_not_hide_what_is_still_to_happen(self, cursor):
        now = START + 10 * MINUTE
        new, after = unseen([line("of next year", 500_000), line("a", 5)], cursor, now=now)
        assert names(new) == ["a", "of next year"]
        new, _ = unseen([line("of next year", 500_000), line("b", 12)], after, now=now + 5 * MINUTE)
        assert names(new) == ["b"]


@st.composite
def deliveries(draw) -> tuple[list[list[Line]], list[Line]]:
    """Readings of one log, and what happened.

    Each event is first shown at most `OVERLAP` later than the newest one that was shown before it, and from then on
    once or more in every reading, or not at all in some, in any order.
    """
    moments = draw(st.lists(st.integers(0, 3600 * 6), min_size=1, max_size=25))
    events = [Line(f"e{number}", START + dt.timedelta(seconds=at)) for number, at in enumerate(moments)]
    waiting = list(events)
    newest, shown, readings = START, list[Line](), list[list[Line]]()
    while waiting:
        in_time = [event for event in waiting if event.at >= newest - OVERLAP]
        waiting = in_time
        if not in_time:
            break
        now_shown = draw(st.lists(st.sampled_from(in_time), unique=True))
        if not now_shown:
            now_shown = [min(in_time, key=lambda event: event.at)]
        shown += now_shown
        waiting = [event for event in waiting if event not in now_shown]
        again = draw(st.lists(st.sampled_from(shown), max_size=10))
        readings.append(draw(st.permutations(now_shown + again)))
        newest = max([newest, *(event.at for event in now_shown)])
    readings += [draw(st.permutations(shown))] if draw(st.booleans()) else []
    return readings, shown


class EveryEvent:
    @given(deliveries())
    def test_is_reported_exactly_once_and_the_cursor_never_goes_back(self, delivered):
        readings, shown = delivered
        cursor, reported = Cursor(newest=START), list[str]()
        for reading in readings:
            begin = reads_from(cursor)
            # As Graph filters: whole seconds, and nothing from before.
            answer = [event for event in reading if filter_time(event.at) >= filter_time(begin)]
            new, after = unseen(answer, cursor, now=LATER)
            assert list(new) == sorted(new, key=lambda event: (event.at, event.event_id))
            assert after.newest >= cursor.newest
            assert all(at >= reads_from(after) for at in after.seen.values())
            reported += names(new)
            cursor = after
        assert sorted(reported) == sorted(event.event_id for event in shown)

    @given(st.integers(1, 12), st.integers(1, 40))
    def test_is_forgotten_once_it_cannot_come_again(self, each_minutes, count):
        cursor = Cursor(newest=START)
        for number in range(count):
            _, cursor = unseen([line(f"e{number}", number * each_minutes)], cursor, now=LATER)
        assert len(cursor.seen) <= OVERLAP / (each_minutes * MINUTE) + 1


class TheTimeInAFilter:
    def test_is_utc_without_a_fraction_and_never_later_than_asked(self):
        at = dt.datetime(2026, 11, 20, 10, 15, 2, 900000, tzinfo=dt.timezone(dt.timedelta(hours=1)))
        assert filter_time(at) == "2026-11-20T09:15:02Z"


AUDIT = {
    "id": "a-1",
    "activityDateTime": "2026-11-20T09:15:02.7215374Z",
    "activityDisplayName": "Admin deleted security info",
    "loggedByService": "Authentication Methods",
    "result": "success",
    "correlationId": "c-1",
    "initiatedBy": {"user": {"id": "u-1", "userPrincipalName": "ana@msp.example"}, "app": None},
    "targetResources": [{"id": "u-2", "type": "User"}, {"id": None}],
}
SIGN_IN = {
    "id": "s-1",
    "createdDateTime": "2026-11-20T08:15:41.6195833Z",
    "userId": "u-2",
    "appDisplayName": "Azure Portal",
    "ipAddress": "203.0.113.37",
    "isInteractive": True,
    "status": {"errorCode": 0},
    "deviceDetail": {"displayName": None, "operatingSystem": "Windows 10", "browser": "Edge"},
}


class AnAuditEvent:
    def test_says_who_did_what_to_whom_and_when(self):
        event = audit_event(AUDIT)
        assert (event.activity, event.by, event.by_id, event.targets) == (
            "Admin deleted security info",
            "ana@msp.example",
            "u-1",
            ("u-2",),
        )
        assert event.at == dt.datetime(2026, 11, 20, 9, 15, 2, 721537, tzinfo=dt.UTC)
        assert (event.service, event.result, event.correlation_id) == ("Authentication Methods", "success", "c-1")

    def test_of_an_app_names_its_service_principal(self):
        app = {"appId": None, "displayName": "Latchkey", "servicePrincipalId": "sp-1"}
        event = audit_event(AUDIT | {"initiatedBy": {"user": None, "app": app}})
        assert (event.by, event.by_id) == ("Latchkey", "sp-1")

    @pytest.mark.parametrize("initiated_by", [None, {}, {"user": None, "app": None}])
    def test_of_nobody_is_still_an_event(self, initiated_by):
        event = audit_event(AUDIT | {"initiatedBy": initiated_by, "targetResources": None})
        assert (event.by, event.by_id, event.targets) == ("", "", ())

    @pytest.mark.parametrize("absent", ["id", "activityDateTime"])
    def test_without_id_or_time_cannot_be_placed(self, absent):
        assert audit_event(AUDIT | {absent: None}) is None

    def test_is_read_from_the_documented_answer(self):
        reference_needed()
        event = audit_event(sample("directoryAudits-list")["value"][0])
        assert event.by == "MSP offboarding app"
        assert event.by_id == "00000000-0000-4000-8000-000000000093"
        assert event.targets == ("22222222-bbbb-4bbb-8bbb-222222222222",)


class ASignInEvent:
    def test_of_v1_says_who_from_where_and_with_what_result(self):
        event = sign_in_event(SIGN_IN)
        assert (event.object_id, event.app, event.ip_address, event.device) == (
            "u-2",
            "Azure Portal",
            "203.0.113.37",
            "Windows 10, Edge",
        )
        assert (event.succeeded, event.interactive, event.factors) == (True, True, ())

    def test_of_beta_says_by_which_factors_and_on_whose_device(self):
        steps = [
            {"authenticationMethod": "Password", "succeeded": True},
            {"authenticationMethod": "Authenticator App", "authenticationMethodDetail": "Ana", "succeeded": True},
        ]
        assert sign_in_event(SIGN_IN | {"authenticationDetails": steps}).factors == (
            "Password",
            "Authenticator App (Ana)",
        )

    def test_names_no_factor_that_failed(self):
        steps = [{"authenticationMethod": "SMS", "succeeded": False}]
        failed = SIGN_IN | {"authenticationDetails": steps, "status": {"errorCode": 50074}}
        event = sign_in_event(failed)
        assert (event.factors, event.error, event.succeeded) == ((), 50074, False)

    def test_hides_a_phones_number_but_its_end(self):
        steps = [{"authenticationMethod": "SMS", "authenticationMethodDetail": "+1 5555550101", "succeeded": True}]
        assert sign_in_event(SIGN_IN | {"authenticationDetails": steps}).factors == ("SMS (+1 ******0101)",)

    def test_falls_back_to_the_plain_list_of_methods(self):
        assert sign_in_event(SIGN_IN | {"authenticationMethodsUsed": ["SMS"]}).factors == ("SMS",)

    def test_without_a_number_is_not_a_success(self):
        assert not sign_in_event(SIGN_IN | {"status": None}).succeeded

    @pytest.mark.parametrize("absent", ["id", "createdDateTime"])
    def test_without_id_or_time_cannot_be_placed(self, absent):
        assert sign_in_event(SIGN_IN | {absent: None}) is None

    def test_is_read_from_the_documented_answers(self):
        reference_needed()
        event = sign_in_event(sample("beta-signIn-authenticationDetails"))
        assert event.factors == ("Password (Password in the cloud)", "Software OATH token")
        assert sign_in_event(sample("signIns-list")["value"][0]).succeeded
