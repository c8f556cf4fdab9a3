"""The circuit breaker: a tenant that fails again and again is left alone, and no other tenant notices."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from msp.errors import AnswerLost, Busy, DirectoryError, NoConnection, Unreachable
from msp.microsoft.answers import Call, Reply
from msp.microsoft.breaker import CircuitBreaker
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from tests.support.wire import Wire, said

CONTOSO, FABRIKAM = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"
CALL = Call("GET", "/v1.0/x", "reading a in tenant t", "Nothing was changed.", "P", changes=False)


class Scene:
    """A breaker, a clock that stands still unless it is moved, and a tenant that answers as it is told."""

    @pytest.fixture(autouse=True)
    def _scene(self):
        self.time = 1000.0
        self.breaker = CircuitBreaker(now=lambda: self.time)
        self.sent = 0

    def ask(self, outcome: int | DirectoryError, tenant: str = CONTOSO) -> None:
        with self.breaker.watching(tenant, CALL) as answered:
            self.sent += 1
            if isinstance(outcome, DirectoryError):
                raise outcome
            answered(Reply(outcome, {}, None, "c", dt.datetime.now(dt.UTC)))

    def fail(self, times: int, outcome: int | DirectoryError | None = None, tenant: str = CONTOSO) -> None:
        for _ in range(times):
            try:
                self.ask(outcome if outcome is not None else Unreachable("no answer"), tenant)
            except (Unreachable, AnswerLost) as trouble:
                assert trouble.code != "circuit_open"

    def is_open(self, tenant: str = CONTOSO) -> bool:
        before = self.sent
        try:
            self.ask(200, tenant)
        except Unreachable as resting:
            assert resting.code == "circuit_open"
            assert self.sent == before
            return True
        return False


class WhenATenantFailsAgainAndAgain(Scene):
    @pytest.mark.parametrize(
        "outcome", [Unreachable("x"), AnswerLost("x"), 500, 502, 503, 504], ids=lambda outcome: str(outcome)
    )
    def test_nothing_more_is_sent_to_it_after_five_failures(self, outcome):
        self.fail(5, outcome)
        assert self.is_open()

    def test_four_are_not_enough(self):
        self.fail(4)
        assert not self.is_open()

    def test_it_is_said_until_when(self):
        self.fail(5)
        with pytest.raises(Unreachable, match=r"after \d\d:\d\d:\d\d UTC \(30 seconds\)") as caught:
            self.ask(200)
        assert CONTOSO in str(caught.value)

    def test_no_other_tenant_is_held_up(self):
        self.fail(5)
        assert not self.is_open(FABRIKAM)

    @pytest.mark.parametrize("answer", [200, 204, 400, 401, 403, 404, 429])
    def test_any_answer_in_between_begins_the_count_anew(self, answer):
        self.fail(4)
        self.ask(answer)
        self.fail(4)
        assert not self.is_open()

    def test_failures_far_apart_do_not_add_up(self):
        for _ in range(8):
            self.fail(1)
            self.time += 16
        assert not self.is_open()

    @pytest.mark.parametrize("elsewhere", [Busy("own limit", retry_after=3), NoConnection("no consent")])
    def test_what_says_nothing_about_the_connection_neither_counts_nor_forgives(self, elsewhere):
        self.fail(4)
        for _ in range(9):
            with pytest.raises(type(elsewhere)):
                self.ask(elsewhere)
        self.fail(1)
        assert self.is_open()


class WhenTheRestIsOver(Scene):
    @pytest.fixture(autouse=True)
    def _rested(self, _scene):
        self.fail(5)
        self.time += 30

    def test_a_success_opens_the_way_again(self):
        self.ask(200)
        self.fail(4)
        assert not self.is_open()

    def test_one_call_alone_passes_as_a_probe(self):
        with self.breaker.watching(CONTOSO, CALL):
            with pytest.raises(Unreachable, match="several times in a row"):
                self.ask(200)
            assert self.sent == 5

    def test_each_failed_probe_doubles_the_rest_up_to_five_minutes(self):
        rests = []
        for _ in range(6):
            self.fail(1)
            began = self.time
            while self.is_resting():
                self.time += 1
            rests.append(self.time - began)
        assert rests == [60, 120, 240, 300, 300, 300]

    def test_a_probe_that_tells_nothing_leaves_the_place_to_the_next(self):
        with pytest.raises(Busy):
            self.ask(Busy("own limit", retry_after=3))
        self.ask(200)
        assert not self.is_open()

    def test_a_call_that_was_on_its_way_before_does_not_lengthen_the_rest(self):
        breaker = CircuitBreaker(now=lambda: self.time)
        with pytest.raises(Unreachable, match="late"), breaker.watching(CONTOSO, CALL):
            for _ in range(5):
                with pytest.raises(Unreachable), breaker.watching(CONTOSO, CALL):
                    raise Unreachable("no answer")
            self.time += 30
            raise Unreachable("late")
        with breaker.watching(CONTOSO, CALL) as answered:
            answered(Reply(200, {}, None, "c", dt.datetime.now(dt.UTC)))

    def is_resting(self) -> bool:
        """Whether a call would be turned away; one that is let in tells nothing and leaves things as they are."""
        try:
            with self.breaker.watching(CONTOSO, CALL):
                return False
        except Unreachable:
            return True


class WhenManyThreadsAsk(Scene):
    def test_exactly_one_of_them_is_the_probe(self):
        self.fail(5)
        self.time += 30
        with ThreadPoolExecutor(8) as pool, self.breaker.watching(CONTOSO, CALL):
            assert all(pool.map(lambda _: self.is_open(), range(64)))

    def test_every_failure_is_counted(self):
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda _: self.fail(1), range(5)))
        assert self.is_open()


class TheWayToATenant:
    def test_is_closed_by_failures_on_the_wire_and_the_neighbour_goes_on(self):
        wire = Wire()

        def answer(request: httpx.Request) -> httpx.Response:
            if "broken" in request.url.path:
                raise httpx.ConnectError("refused")
            return said(200, {"value": []})

        wire.answers(answer)
        graph = Graph(Connection("client-1", client_secret="s"), wire=wire)
        broken, sound = graph.line(CONTOSO, "global"), graph.line(FABRIKAM, "global")
        codes = []
        for _ in range(7):
            with pytest.raises(Unreachable) as caught:
                broken.read(broken.reading("/v1.0/broken", "reading", needs="P"))
            codes.append(caught.value.code)
        assert codes == ["no_connection_opened"] * 5 + ["circuit_open"] * 2
        assert sound.read(sound.reading("/v1.0/sound", "reading", needs="P")) == {"value": []}
