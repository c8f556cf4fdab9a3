"""The budget: we slow down before Microsoft tells us to, and nothing sleeps for it."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from msp.errors import BadInput, Busy
from msp.microsoft.answers import Call, Reply
from msp.microsoft.budget import Budget
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from tests.support.wire import Wire, fault, said

CONTOSO, FABRIKAM = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"
METHODS = "/beta/users/u-1/authentication/methods"


def call(path: str, body: dict[str, Any] | None = None) -> Call:
    return Call("GET", path, f"reading {path}", "Nothing was changed.", "P", changes=False, body=body)


def batch(*urls: str) -> Call:
    requests = [{"id": str(number), "method": "GET", "url": url} for number, url in enumerate(urls)]
    return call("/beta/$batch", {"requests": requests})


def reply(status: int, body: dict[str, Any] | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, body, "c", dt.datetime(2026, 11, 25, 10, 0, tzinfo=dt.UTC))


class Scene:
    """A budget of five, and a clock that stands still unless it is moved."""

    MOST = 5

    @pytest.fixture(autouse=True)
    def _scene(self):
        self.time = 1000.0
        self.budget = Budget(self.MOST, now=lambda: self.time)

    def wait(self, asked: Call, tenant: str = CONTOSO) -> float:
        """0 when it was let through, else the seconds to wait."""
        try:
            self.budget.take(tenant, asked)
        except Busy as busy:
            assert busy.code == "own_limit"
            return busy.retry_after
        return 0.0

    def let_through(self, asked: Call, times: int, tenant: str = CONTOSO) -> int:
        return sum(self.wait(asked, tenant) == 0 for _ in range(times))


class WhenATenantIsAskedOften(Scene):
    def test_five_method_calls_pass_and_the_sixth_is_told_when_to_come(self):
        assert self.let_through(call(METHODS), 5) == 5
        assert 10 <= self.wait(call(METHODS)) <= 11

    def test_there_is_room_again_as_the_window_slides(self):
        self.let_through(call(METHODS), 3)
        self.time += 6
        self.let_through(call(METHODS), 2)
        self.time += self.wait(call(METHODS))
        assert self.let_through(call(METHODS), 5) == 3

    def test_never_more_than_five_fall_into_any_ten_seconds(self):
        moments = []
        for _ in range(200):
            if self.wait(call(METHODS)) == 0:
                moments.append(self.time)
            self.time += 0.7
        assert len(moments) > 50
        assert all(later - first > 10 for first, later in zip(moments, moments[5:], strict=False))

    @pytest.mark.parametrize("size", [1, 2, 5, 8])
    def test_whoever_waits_as_long_as_was_said_is_let_through(self, size):
        self.let_through(call(METHODS), 2)
        self.time += 4
        self.let_through(call(METHODS), 3)
        asked = batch(*["/users/u-1/authentication/methods"] * size)
        told = self.wait(asked)
        assert told > 5
        self.time += told
        assert self.wait(asked) == 0

    def test_what_was_turned_away_by_us_is_not_counted(self):
        self.let_through(call(METHODS), 50)
        self.time += 10.5
        assert self.let_through(call(METHODS), 5) == 5

    def test_each_tenant_has_a_window_of_its_own(self):
        self.let_through(call(METHODS), 5)
        assert self.let_through(call(METHODS), 5, FABRIKAM) == 5

    def test_the_message_says_what_where_and_when(self):
        self.let_through(call(METHODS), 5)
        with pytest.raises(Busy, match=rf"{CONTOSO}.*reading {METHODS}.*Nothing was changed.*11 seconds"):
            self.budget.take(CONTOSO, call(METHODS))

    def test_many_threads_share_one_count(self):
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(lambda _: self.let_through(call(METHODS), 1), range(64))) == 5


class EveryCall(Scene):
    @pytest.mark.parametrize(
        "path",
        [
            "/v1.0/users/u-1/authentication/methods",
            "/beta/users/a%40b/authentication/hardwareOathMethods/assignAndActivate",
            "/v1.0/reports/authenticationMethods/userRegistrationDetails",
            "/v1.0/auditLogs/signIns?$top=5",
        ],
    )
    def test_to_methods_reports_and_logs_counts(self, path):
        assert self.let_through(call(path), 9) == 5

    @pytest.mark.parametrize(
        "path", ["/v1.0/users/u-1", "/v1.0/users/u-1/revokeSignInSessions", "/v1.0/users?$filter=authentication"]
    )
    def test_to_something_else_does_not(self, path):
        assert self.let_through(call(path), 99) == 99

    def test_inside_a_batch_counts_by_itself(self):
        asked = batch("/users/u-1", "/users/u-1/authentication/methods", "/users/u-1/authentication/phoneMethods/p")
        assert self.let_through(asked, 9) == 2
        assert self.let_through(call(METHODS), 9) == 1

    def test_of_a_batch_that_is_larger_than_the_window_passes_when_nothing_else_was_asked(self):
        large = batch(*[f"/users/u-1/authentication/fido2Methods/{n}" for n in range(20)])
        assert self.wait(large) == 0
        assert self.wait(call(METHODS)) > 10
        self.time += self.wait(large)
        assert self.wait(large) == 0


class WhenMicrosoftSaysThatItIsTooMuch(Scene):
    def test_no_method_call_is_sent_before_its_time(self):
        self.budget.learn(CONTOSO, call(METHODS), reply(429, retry_after="7"))
        assert self.wait(call(METHODS)) == 7
        assert self.wait(call("/v1.0/users/u-1")) == 0
        assert self.wait(call(METHODS), FABRIKAM) == 0
        self.time += 7
        assert self.wait(call(METHODS)) == 0

    def test_a_part_of_a_batch_counts_as_much(self):
        asked = batch("/users/u-1", "/users/u-1/authentication/methods")
        answer = {
            "responses": [{"id": "1", "status": 429, "headers": {"Retry-After": "3.5"}}, {"id": "0", "status": 200}]
        }
        self.budget.learn(CONTOSO, asked, reply(200, answer))
        assert self.wait(call(METHODS)) == 3.5

    def test_for_any_other_call_the_whole_tenant_waits(self):
        self.budget.learn(CONTOSO, call("/v1.0/users/u-1"), reply(429, retry_after="4"))
        assert (self.wait(call("/v1.0/users/u-1")), self.wait(call(METHODS))) == (4, 4)

    def test_a_shorter_wait_does_not_cut_a_longer_one(self):
        self.budget.learn(CONTOSO, call(METHODS), reply(429, retry_after="9"))
        self.budget.learn(CONTOSO, call(METHODS), reply(429, retry_after="1"))
        assert self.wait(call(METHODS)) == 9


class WhenALimitIsNearlyUsedUp(Scene):
    @pytest.mark.parametrize("said", ["0.8", "0.95", "1.8"])
    def test_the_tenant_is_left_alone_for_a_moment(self, said):
        self.budget.learn(CONTOSO, call("/v1.0/users"), reply(200, x_ms_throttle_limit_percentage=said))
        waits = self.wait(call("/v1.0/users"))
        assert 0 < waits <= 5
        self.time += waits
        assert self.wait(call("/v1.0/users")) == 0

    @pytest.mark.parametrize("said", ["0.79", "", "much", "nan", "-1"])
    def test_below_that_nothing_changes(self, said):
        self.budget.learn(CONTOSO, call("/v1.0/users"), reply(200, x_ms_throttle_limit_percentage=said))
        assert self.wait(call("/v1.0/users")) == 0


class WhenThereIsNoLimitOfOurOwn(Scene):
    MOST = 0

    def test_everything_passes_whatever_microsoft_says(self):
        self.budget.learn(CONTOSO, call(METHODS), reply(429, retry_after="7"))
        assert self.let_through(call(METHODS), 100) == 100


class TheSetting:
    def test_below_nought_is_refused_by_name(self):
        with pytest.raises(BadInput, match="LATCHKEY_METHOD_CALLS_PER_10_S"):
            Graph(Connection("client-1", client_secret="s", method_calls_per_10_s=-1))


class TheWayToATenant:
    def test_sends_nothing_beyond_the_budget(self):
        wire = Wire()
        wire.answers(said(200, {}))
        graph = Graph(Connection("client-1", client_secret="s", method_calls_per_10_s=2), wire=wire)
        line = graph.line(CONTOSO, "global")
        asked = line.reading(METHODS, "reading methods", needs="P")
        for _ in range(2):
            line.send(asked)
        with pytest.raises(Busy, match="Not sent yet"):
            graph.line(CONTOSO, "global").send(asked)
        assert len(wire.graph_requests) == 2

    def test_learns_from_what_comes_back(self):
        wire = Wire()
        wire.answers(fault(429, "tooManyRequests", retry_after="600"))
        graph = Graph(Connection("client-1", client_secret="s", method_calls_per_10_s=5), wire=wire)
        line = graph.line(CONTOSO, "global")
        assert line.send(call(METHODS)).status == 429
        with pytest.raises(Busy) as caught:
            line.send(call(METHODS))
        assert 500 < caught.value.retry_after <= 600
