"""Several reads in one request, and their answers in any order."""

from __future__ import annotations

import datetime as dt

import pytest

from msp.microsoft.answers import Reply
from msp.microsoft.batch import MOST, envelope, opened

NOW = dt.datetime(2026, 11, 25, 10, 0, tzinfo=dt.UTC)


def outer(body: dict | None) -> Reply:
    return Reply(200, {"request-id": "outer"}, body, "ours", NOW)


def inner(name: str, status: object = 200, **more: object) -> dict:
    return {"id": name, "status": status} | more


class WhenAnswersComeBack:
    def test_their_order_does_not_matter(self):
        found = opened(outer({"responses": [inner("b", 404), inner("a", 200)]}))
        assert {name: reply.status for name, reply in found.items()} == {"a": 200, "b": 404}

    def test_each_keeps_its_own_headers_and_request_id(self):
        item = inner("a", 429, headers={"Retry-After": "7", "Request-Id": "inner"}, body={"error": {}})
        reply = opened(outer({"responses": [item]}))["a"]
        assert (reply.headers["retry-after"], reply.request_id) == ("7", "inner")

    def test_one_without_a_request_id_has_the_envelopes(self):
        assert opened(outer({"responses": [inner("a")]}))["a"].request_id == "outer"

    def test_one_that_is_missing_or_unreadable_is_simply_not_there(self):
        found = opened(outer({"responses": [inner("a", "200"), "nonsense", inner("b")]}))
        assert set(found) == {"b"}

    @pytest.mark.parametrize("body", [None, {}, {"responses": None}, {"responses": {}}])
    def test_an_envelope_without_answers_opens_to_nothing(self, body):
        assert opened(outer(body)) == {}

    def test_a_body_that_is_no_object_is_no_body(self):
        assert opened(outer({"responses": [inner("a", 200, body="e30=")]}))["a"].body is None


class AnEnvelope:
    def test_holds_at_most_what_microsoft_takes(self):
        assert len(envelope({str(n): "/x" for n in range(MOST)})["requests"]) == 20
        with pytest.raises(ValueError, match="at most 20"):
            envelope({str(n): "/x" for n in range(MOST + 1)})
