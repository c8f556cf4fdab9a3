"""Each trouble has its own plain sentence and a next act, and is known by the message that really comes."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest

from msp.microsoft.answers import Call, Reply, lost, no
from msp.microsoft.refusals import default_method_refused, password_refused
from msp.microsoft.sign_in_codes import no_token
from msp.microsoft.transport import _silence
from tenants import trouble_words
from tenants.plans import StepKind, StepState, break_glass, hands_off, last_way_in
from tenants.trouble_words import Trouble, gap_ended, trouble_of

NOW = dt.datetime(2026, 11, 25, 10, 0, tzinfo=dt.UTC)
TROUBLES = [found for found in vars(trouble_words).values() if isinstance(found, Trouble)]


def call(*, changes: bool = True) -> Call:
    return Call(
        "PATCH", "/v1.0/users/x", "changing the password of x in tenant t", "The old password still works.",
        "Some.Permission", changes,
    )  # fmt: skip


def reply(status: int, code: str = "badRequest", message: str = "no") -> Reply:
    return Reply(status, {"request-id": "r-1"}, {"error": {"code": code, "message": message}}, "c-1", NOW)


def name_of(problem: object, state: str = StepState.REFUSED, kind: str = StepKind.ROTATE_PASSWORD) -> str:
    found = trouble_of(kind=kind, state=state, problem=str(problem))
    return found.name if found else ""


class WhenMicrosoftSaidNo:
    @pytest.mark.parametrize(
        ("message", "name"),
        [
            ("The specified password does not comply with password complexity requirements.", "password_refused"),
            ("The password contains a banned word.", "password_refused"),
            ("The user is on-premises mastered.", "mastered_elsewhere"),
            ("The domain is federated.", "mastered_elsewhere"),
        ],
    )
    def test_a_refused_password_says_whose_rules_they_were(self, message, name):
        assert name_of(password_refused(reply(400, message=message), call(), may_set=True)) == name

    def test_a_protected_role_names_the_role_that_is_missing(self):
        refused = password_refused(reply(403, "Authorization_RequestDenied"), call(), may_set=True)
        found = trouble_of(kind=StepKind.ROTATE_PASSWORD, state=StepState.REFUSED, problem=str(refused))
        assert found.name == "protected_role"
        assert "Privileged Authentication Administrator" in str(found.what_to_do)

    def test_any_other_403_leads_to_the_check_of_the_tenant(self):
        found = trouble_of(kind=StepKind.REMOVE_METHOD, state=StepState.REFUSED, problem=str(no(reply(403), call())))
        assert (found.name, found.where) == ("not_allowed", trouble_words.CHECK)

    def test_the_rule_of_the_default_method_is_named(self):
        refused = default_method_refused(reply(400, message="Cannot delete the default method"), call())
        assert name_of(refused, kind=StepKind.REMOVE_METHOD) == "default_method"

    def test_a_missing_account_is_no_mere_refusal(self):
        assert name_of(no(reply(404, "Request_ResourceNotFound"), call()), StepState.BLOCKED) == "account_gone"

    def test_what_nobody_foresaw_is_still_a_refusal_with_a_next_act(self):
        assert name_of(no(reply(409, "somethingNew"), call())) == "refused"

    def test_the_words_of_microsoft_inside_a_message_do_not_decide(self):
        refused = no(reply(409, "conflict", "the credential asked for patience"), call())
        assert name_of(refused) == "refused"


class WhenTheAnswerIsLateOrLost:
    def test_a_lost_answer_is_read_back_and_not_sent_blindly(self):
        problem = str(lost(call(), "the time ran out"))
        found = trouble_of(kind=StepKind.ROTATE_PASSWORD, state=StepState.SENDING, problem=problem)
        assert found.name == "answer_lost"
        assert "reads the account first" in str(found.what_to_do)

    def test_the_lag_of_a_reading_is_no_failure(self):
        found = trouble_of(kind=StepKind.REMOVE_METHOD, state=StepState.ACCEPTED, problem="", looks=2)
        assert found.name == "read_lag"

    def test_what_was_never_seen_is_named_as_such(self):
        problem = "Microsoft accepted this, but it is not visible when read back."
        assert name_of(problem, StepState.UNVERIFIED) == "not_seen"

    def test_throttling_asks_nothing_of_anybody(self):
        busy = no(reply(429), call())
        assert name_of(busy, StepState.PLANNED) == "throttled"


class WhenNothingCouldBeSent:
    def test_a_line_that_does_not_open_is_told_from_a_tenant_that_says_no(self):
        line = _silence(httpx.ConnectError("refused"), call(changes=False))
        assert name_of(line, StepState.PLANNED) == "unreachable"
        closed = no_token({"error": "invalid_client"}, "t")
        assert name_of(closed, StepState.BLOCKED) == "no_connection"


class WhenAGuardStopsAStep:
    @pytest.mark.parametrize("words", [last_way_in(), last_way_in(password_changes=False)])
    def test_the_last_way_in_says_whom_to_enrol(self, words):
        assert name_of(words, StepState.BLOCKED, StepKind.REMOVE_METHOD) == "last_way_in"

    def test_a_break_glass_account_is_left_to_people(self):
        assert name_of(break_glass(), StepState.BLOCKED) == "break_glass"

    def test_a_tenant_that_is_only_read_asks_for_the_script(self):
        assert name_of(hands_off(), StepState.BLOCKED) == "hands_off"

    def test_a_gap_that_ended_is_known_again(self):
        assert name_of(gap_ended(dt.date(2026, 11, 1), "the phone is lost"), StepState.BLOCKED) == "gap_ended"


class WhenAllIsWell:
    @pytest.mark.parametrize("state", sorted(trouble_words.QUIET))
    def test_a_settled_step_has_no_trouble(self, state):
        assert name_of("whatever it met before", state) == ""

    @pytest.mark.parametrize("state", [StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED])
    def test_a_step_that_goes_its_way_has_none_either(self, state):
        assert name_of("", state) == ""


class EveryTrouble:
    @pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
    def test_has_a_meaning_and_a_next_act_in_whole_sentences(self, trouble):
        for words in (str(trouble.meaning), str(trouble.what_to_do)):
            assert words[0].isupper()
            assert words.endswith(".")

    def test_has_words_of_its_own(self):
        assert len({str(trouble.meaning) for trouble in TROUBLES}) == len(TROUBLES)
