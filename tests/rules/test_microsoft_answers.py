"""What Microsoft's answers mean: patience, the shapes of an error, and the error of ours each becomes."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest

from msp.errors import AccountMissing, AnswerLost, Busy, NoConnection, NotAllowed, Refused
from msp.microsoft.answers import Call, Reply, fault_in, no, patience

NOW = dt.datetime(2026, 11, 25, 10, 0, tzinfo=dt.UTC)


def reply(status: int, body: dict | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"request-id": "r-9"} | named, body, "c-9", NOW)


def call(*, changes: bool, secret: str = "") -> Call:
    return Call(
        "PATCH", "/v1.0/users/x", "changing the password of x in tenant t", "The old password still works.",
        "Some.Permission", changes, secret=secret,
    )  # fmt: skip


def error(code: str, message: str) -> dict:
    return {"error": {"code": code, "message": message}}


class WhenMicrosoftAsksForPatience:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7.0),
            ("0", 1.0),
            ("-5", 1.0),
            ("2.5", 2.5),
            ("999999", 3600.0),
            ("nan", 10.0),
            ("inf", 10.0),
            ("soon", 10.0),
            ("", 10.0),
            (" 8 ", 8.0),
            ("0.001", 1.0),
            ("1e9", 3600.0),
            ("1e999", 10.0),
            ("7, 8", 10.0),
            ("7;8", 10.0),
            ("Wed, 25 Nov 99999 10:00:00 GMT", 10.0),
            ("Wed, 25 Nov 2026 10:00:00 +9999", 10.0),
            ("Wed, 25 Nov", 10.0),
            ("Wed, 25 Nov 2099 10:00:00 GMT", 3600.0),
            ("\x00", 10.0),
            (format_datetime(NOW + dt.timedelta(seconds=42), usegmt=True), 42.0),
            (format_datetime(NOW - dt.timedelta(seconds=42), usegmt=True), 1.0),
        ],
    )
    def test_seconds_and_dates_are_understood_and_nonsense_costs_ten_seconds(self, header, seconds):
        assert patience(reply(429, retry_after=header)) == seconds

    def test_a_date_is_measured_by_the_clock_of_the_same_answer(self):
        fast = NOW + dt.timedelta(hours=3)
        until = format_datetime(fast + dt.timedelta(seconds=20), usegmt=True)
        assert patience(reply(429, retry_after=until, date=format_datetime(fast, usegmt=True))) == 20.0
        assert patience(reply(429, retry_after=until, date="no date")) == 3600.0

    def test_without_the_header_ten_seconds_are_waited(self):
        assert patience(reply(429)) == 10.0


class WhenAnErrorComesInOneOfItsShapes:
    def test_both_dialects_give_code_and_message(self):
        assert str(fault_in(reply(403, error("accessDenied", "Request Authorization failed")))) == (
            "accessDenied (Request Authorization failed)"
        )

    def test_a_path_that_graph_does_not_know_is_told_from_an_object_it_does_not_know(self):
        unknown_path = {"Message": "No HTTP resource was found.", "MessageDetail": "No route data was found."}
        assert not fault_in(reply(404, unknown_path)).known_path
        assert fault_in(reply(404, error("resourceNotFound", ""))).known_path

    def test_no_body_gives_no_words(self):
        assert str(fault_in(reply(500))) == ""

    def test_a_secret_that_comes_back_is_withheld_and_control_characters_go(self):
        said = fault_in(reply(400, error("bad\x1b[31m", "the password S3cret! is\r\nweak")), secret="S3cret!")
        assert said.message == "the password [withheld] is weak"
        assert "\x1b" not in said.code

    def test_a_very_long_message_is_cut(self):
        assert len(fault_in(reply(400, error("c", "x" * 5000))).message) == 300


class TheErrorOfAnAnswer:
    @pytest.mark.parametrize(
        ("status", "for_a_change", "for_a_read"),
        [
            (400, Refused, Refused),
            (401, NoConnection, NoConnection),
            (403, NotAllowed, NotAllowed),
            (404, AccountMissing, AccountMissing),
            (409, Refused, Refused),
            (302, Refused, Refused),
            (408, Busy, Busy),
            (429, Busy, Busy),
            (503, Busy, Busy),
            (500, AnswerLost, Busy),
            (502, AnswerLost, Busy),
            (504, AnswerLost, Busy),
        ],
    )
    def test_depends_on_the_status_and_on_whether_there_was_an_effect_to_lose(self, status, for_a_change, for_a_read):
        answer = reply(status, error("someCode", "some words"))
        assert type(no(answer, call(changes=True))) is for_a_change
        assert type(no(answer, call(changes=False))) is for_a_read

    def test_keeps_microsofts_code_and_request_id(self):
        found = no(reply(403, error("accessDenied", "no")), call(changes=True))
        assert (found.code, found.request_id) == ("accessDenied", "r-9")

    def test_says_what_failed_where_what_stands_and_what_to_do(self):
        said = str(no(reply(403, error("accessDenied", "no")), call(changes=True)))
        assert "changing the password of x in tenant t" in said
        assert "The old password still works." in said
        assert "Some.Permission" in said

    def test_of_an_unknown_path_is_not_a_missing_account(self):
        found = no(reply(404, {"Message": "No HTTP resource was found."}), call(changes=True))
        assert type(found) is Refused

    def test_never_claims_that_nothing_happened_after_a_fault_inside(self):
        said = str(no(reply(504), call(changes=True)))
        assert "It may have happened" in said
        assert "still works" not in said
