"""The Graph directory: what each answer of Microsoft becomes in our words."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from msp.errors import (
    AccountMissing,
    AnswerLost,
    BadInput,
    Busy,
    CannotRemove,
    DefaultMethodRefused,
    DirectoryError,
    NoConnection,
    NotAllowed,
    PasswordRefused,
    Refused,
    Unreachable,
)
from msp.microsoft.connection import Connection
from msp.microsoft.graph import graph_directories
from msp.microsoft.ports import AccountRef, Directory, MethodKind, ObservedMethod, ProbeResult
from tests.support.wire import Wire, fault, said, sign_in_fault

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
ACCOUNT = AccountRef(TENANT, "22222222-bbbb-4bbb-8bbb-222222222222", "admin@contoso.example")
CODES = ObservedMethod(MethodKind.SOFTWARE_OATH, "m-1")
PUSH = ObservedMethod(MethodKind.MICROSOFT_AUTHENTICATOR, "m-2", label="Ana's phone")
USER = {
    "id": ACCOUNT.object_id,
    "userPrincipalName": ACCOUNT.user_principal_name,
    "displayName": "Shared Admin",
    "accountEnabled": True,
    "userType": "Member",
    "onPremisesSyncEnabled": None,
    "lastPasswordChangeDateTime": "2026-11-20T09:15:02Z",
    "signInSessionsValidFromDateTime": "2026-11-20T09:15:03.5Z",
}
METHODS = {"value": [{"@odata.type": "#microsoft.graph.softwareOathAuthenticationMethod", "id": "m-1"}]}
DEFAULT_METHOD = "Cannot delete default method with other methods configured. Please change default method first."
DEFAULT_PHONE = "id of [3179] matches the user's current default authentication method, and cannot be deleted"
WEAK = "The specified password does not comply with password complexity requirements."


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def directory(wire: Wire) -> Directory:
    return directory_in("global", wire)


def directory_in(cloud: str, wire: Wire, **settings) -> Directory:
    return graph_directories(Connection("client-1", client_secret="s", **settings), wire=wire)(TENANT, cloud)


def part(name: str, status: int, body: dict | None, **headers: str) -> dict:
    return {"id": name, "status": status, "headers": headers, "body": body}


def reading(*parts: dict) -> httpx.Response:
    return said(200, {"responses": list(parts)})


def whole(user: dict = USER, methods: dict = METHODS) -> httpx.Response:
    return reading(part("methods", 200, methods), part("user", 200, user))


def error(code: str, message: str = "") -> dict:
    return {"error": {"code": code, "message": message}}


class WhenAnAccountIsObserved:
    def test_one_request_tells_user_and_methods(self, wire, directory):
        wire.answers(whole())
        seen = directory.observe(ACCOUNT)
        assert (seen.object_id, seen.display_name, seen.enabled, seen.synced) == (
            ACCOUNT.object_id,
            "Shared Admin",
            True,
            False,
        )
        assert seen.password_changed_at == dt.datetime(2026, 11, 20, 9, 15, 2, tzinfo=dt.UTC)
        assert seen.sessions_valid_from == dt.datetime(2026, 11, 20, 9, 15, 3, 500000, tzinfo=dt.UTC)
        assert seen.has("m-1", MethodKind.SOFTWARE_OATH)
        assert seen.read_at.tzinfo is dt.UTC
        assert seen.request_ids == ("r-1",)
        assert len(wire.graph_requests) == 1

    def test_a_kind_that_nobody_knows_is_among_its_methods(self, wire, directory):
        wire.answers(whole(methods={"value": [{"@odata.type": "#microsoft.graph.newMethod", "id": "n"}, "nonsense"]}))
        assert [method.kind for method in directory.observe(ACCOUNT).methods] == [MethodKind.UNKNOWN] * 2

    def test_synced_and_disabled_are_seen(self, wire, directory):
        wire.answers(whole(USER | {"onPremisesSyncEnabled": True, "accountEnabled": False}))
        seen = directory.observe(ACCOUNT)
        assert (seen.synced, seen.enabled) == (True, False)

    def test_every_page_of_its_methods_is_read(self, wire, directory):
        link = "https://graph.microsoft.com/beta/users/x/authentication/methods?$skiptoken=a%2Bb"
        second = {"value": [{"@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "id": "m-9"}]}
        wire.answers(whole(methods=METHODS | {"@odata.nextLink": link}), said(200, second))
        assert [method.directory_id for method in directory.observe(ACCOUNT).methods] == ["m-1", "m-9"]
        assert str(wire.graph_requests[1].url) == link

    @pytest.mark.parametrize("link", ["https://graph.microsoft.com.evil.example/x", "https://evil.example/", "/beta/x"])
    def test_our_token_never_follows_a_link_to_another_host(self, wire, directory, link):
        wire.answers(whole(methods=METHODS | {"@odata.nextLink": link}))
        with pytest.raises(Unreachable):
            directory.observe(ACCOUNT)
        assert len(wire.graph_requests) == 1

    def test_a_list_that_never_ends_is_not_believed(self, wire, directory):
        endless = METHODS | {"@odata.nextLink": "https://graph.microsoft.com/beta/more"}
        wire.answers(whole(methods=endless), lambda _: said(200, endless))
        with pytest.raises(Unreachable):
            directory.observe(ACCOUNT)


class WhenAPartOfTheReadingFails:
    @pytest.mark.parametrize(
        ("parts", "expected"),
        [
            ([part("user", 404, error("Request_ResourceNotFound")), part("methods", 404, error("x"))], AccountMissing),
            ([part("user", 403, error("Authorization_RequestDenied")), part("methods", 200, METHODS)], NotAllowed),
            ([part("user", 200, USER), part("methods", 403, error("accessDenied"))], NotAllowed),
            ([part("user", 200, USER), part("methods", 404, error("resourceNotFound"))], Refused),
            ([part("user", 200, USER), part("methods", 404, {"Message": "No HTTP resource"})], Refused),
            ([part("user", 200, USER), part("methods", 500, None)], Busy),
            ([part("user", 200, USER)], Unreachable),
            ([part("methods", 200, METHODS)], Unreachable),
            ([part("user", 200, {}), part("methods", 200, METHODS)], Unreachable),
            ([part("user", 200, USER), part("methods", 200, {})], Unreachable),
            ([part("user", 200, USER), part("methods", 200, None)], Unreachable),
            ([part("user", 200, USER), part("methods", 200, {"value": None})], Unreachable),
            ([], Unreachable),
        ],
    )
    def test_the_whole_reading_fails_with_that_parts_reason(self, wire, directory, parts, expected):
        wire.answers(reading(*parts))
        with pytest.raises(DirectoryError) as caught:
            directory.observe(ACCOUNT)
        assert type(caught.value) is expected
        assert "admin@contoso.example" in str(caught.value)

    def test_a_throttled_part_says_how_long_to_wait(self, wire, directory):
        slow = part("methods", 429, error("TooManyRequests"), **{"Retry-After": "7"})
        wire.answers(reading(slow, part("user", 200, USER)))
        with pytest.raises(Busy) as caught:
            directory.observe(ACCOUNT)
        assert caught.value.retry_after == 7

    @pytest.mark.parametrize(
        ("answer", "expected"), [(fault(400, "BadRequest"), Refused), (said(503), Busy), (said(200), Unreachable)]
    )
    def test_an_envelope_that_was_not_taken_fails_as_a_whole(self, wire, directory, answer, expected):
        wire.answers(answer)
        with pytest.raises(expected):
            directory.observe(ACCOUNT)


class WhenMicrosoftNoLongerTakesTheToken:
    def test_the_call_is_sent_once_more_with_a_new_one(self, wire, directory):
        wire.answers(fault(401, "InvalidAuthenticationToken"), said(204))
        directory.set_password(ACCOUNT, "New-pass-1")
        assert [r.headers["authorization"] for r in wire.graph_requests] == ["Bearer t0ken-1", "Bearer t0ken-2"]

    def test_inside_a_reading_too(self, wire, directory):
        wire.answers(
            reading(part("user", 401, error("InvalidAuthenticationToken")), part("methods", 200, METHODS)), whole()
        )
        assert directory.observe(ACCOUNT).object_id == ACCOUNT.object_id

    def test_a_second_no_is_for_a_person(self, wire, directory):
        wire.answers(fault(401, "InvalidAuthenticationToken"))
        with pytest.raises(NoConnection, match="The old password still works"):
            directory.set_password(ACCOUNT, "New-pass-1")
        assert len(wire.graph_requests) == 2


class WhenAPasswordIsSet:
    def test_the_answer_carries_the_ids_of_the_call(self, wire, directory):
        wire.answers(said(204, request_id="r-5"))
        answer = directory.set_password(ACCOUNT, "New-pass-1")
        assert (answer.request_id, answer.already) == ("r-5", False)
        assert answer.client_request_id == wire.graph_requests[0].headers["client-request-id"]

    def test_a_weak_one_may_be_replaced_by_another(self, wire, directory):
        wire.answers(fault(400, "Request_BadRequest", WEAK))
        with pytest.raises(PasswordRefused, match="The old one still works"):
            directory.set_password(ACCOUNT, "weak")

    def test_another_bad_request_is_no_fault_of_the_password(self, wire, directory):
        wire.answers(fault(400, "Request_BadRequest", "on-premises mastered objects cannot be updated"))
        with pytest.raises(Refused) as caught:
            directory.set_password(ACCOUNT, "New-pass-1")
        assert not isinstance(caught.value, PasswordRefused)

    def test_without_the_role_the_role_is_named(self, wire, directory):
        wire.answers(fault(403, "Authorization_RequestDenied", "Insufficient privileges"))
        with pytest.raises(NotAllowed, match="Privileged Authentication Administrator"):
            directory.set_password(ACCOUNT, "New-pass-1")

    @pytest.mark.parametrize(
        "answer",
        [
            fault(400, "Request_BadRequest", "password Pl4nted-pass! is on the banned list"),
            fault(403, "Denied", "Pl4nted-pass!"),
            fault(500, "Pl4nted-pass!", "Pl4nted-pass!"),
            httpx.ReadError("Pl4nted-pass!"),
            httpx.Response(400, text="you sent Pl4nted-pass!"),
        ],
    )
    def test_it_is_in_no_message_and_no_log_line_even_if_microsoft_repeats_it(self, wire, directory, caplog, answer):
        caplog.set_level(logging.DEBUG)
        wire.answers(answer)
        with pytest.raises(DirectoryError) as caught:
            directory.set_password(ACCOUNT, "Pl4nted-pass!")
        told = f"{caught.value} {caught.value!r} {caught.value.code} {caught.value.__cause__} {caplog.text}"
        assert "Pl4nted-pass!" not in told


class WhenAMethodIsRemoved:
    def test_one_that_was_gone_before_is_success_and_said_so(self, wire, directory):
        wire.answers(fault(404, "resourceNotFound"))
        assert directory.remove(ACCOUNT, CODES).already

    def test_an_address_that_microsoft_does_not_know_is_no_success(self, wire, directory):
        wire.answers(said(404, {"Message": "No HTTP resource was found that matches the request URI."}))
        with pytest.raises(Refused, match="still there"):
            directory.remove(ACCOUNT, CODES)

    def test_a_bare_404_is_no_success(self, wire, directory):
        wire.answers(said(404))
        with pytest.raises(Refused):
            directory.remove(ACCOUNT, CODES)

    @pytest.mark.parametrize("words", [DEFAULT_METHOD, DEFAULT_PHONE])
    def test_the_default_must_move_first(self, wire, directory, words):
        wire.answers(fault(400, "badRequest", words))
        with pytest.raises(DefaultMethodRefused, match="Move the default"):
            directory.remove(ACCOUNT, CODES)

    def test_another_bad_request_is_told_in_microsofts_words(self, wire, directory):
        wire.answers(fault(400, "badRequest", "Alternate mobile must go first."))
        with pytest.raises(Refused, match="Alternate mobile must go first") as caught:
            directory.remove(ACCOUNT, CODES)
        assert not isinstance(caught.value, DefaultMethodRefused)

    @pytest.mark.parametrize("kind", [MethodKind.PASSWORD, MethodKind.UNKNOWN])
    def test_a_kind_that_no_application_can_remove_is_not_even_tried(self, wire, directory, kind):
        with pytest.raises(CannotRemove, match="newMethod"):
            directory.remove(ACCOUNT, ObservedMethod(kind, "m", raw_type="newMethod"))
        assert wire.graph_requests == []

    def test_its_label_is_in_the_message_so_that_a_person_knows_which(self, wire, directory):
        wire.answers(fault(403, "accessDenied"))
        with pytest.raises(NotAllowed, match="Ana's phone"):
            directory.remove(ACCOUNT, PUSH)


class WhenTheDefaultIsMoved:
    def test_a_kind_that_stays_is_chosen(self, wire, directory):
        wire.answers(said(204))
        directory.move_default(ACCOUNT, CODES, (PUSH,))
        assert json.loads(wire.graph_requests[0].content) == {"userPreferredMethodForSecondaryAuthentication": "push"}

    def test_without_one_nothing_is_sent(self, wire, directory):
        with pytest.raises(Refused, match="nothing was sent"):
            directory.move_default(ACCOUNT, CODES, (ObservedMethod(MethodKind.PASSWORD, "p"),))
        assert wire.graph_requests == []


class WhenSessionsAreEnded:
    @pytest.mark.parametrize("answer", [said(200, {"value": True}), said(204), said(200)])
    def test_every_form_of_yes_is_taken(self, wire, directory, answer):
        wire.answers(answer)
        assert not directory.revoke_sessions(ACCOUNT).already

    def test_a_yes_that_says_false_is_a_no(self, wire, directory):
        wire.answers(said(200, {"value": False}))
        with pytest.raises(Refused, match="did nothing"):
            directory.revoke_sessions(ACCOUNT)


CHANGES: dict[str, Callable[[Directory], object]] = {
    "set_password": lambda directory: directory.set_password(ACCOUNT, "New-pass-1"),
    "remove": lambda directory: directory.remove(ACCOUNT, CODES),
    "move_default": lambda directory: directory.move_default(ACCOUNT, CODES, (PUSH,)),
    "revoke_sessions": lambda directory: directory.revoke_sessions(ACCOUNT),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
class EveryChange:
    @pytest.mark.parametrize("answer", [httpx.ReadTimeout("x"), httpx.ReadError("x"), said(500), said(502), said(504)])
    def test_whose_answer_is_lost_is_told_as_lost(self, wire, directory, change, answer):
        wire.answers(answer)
        with pytest.raises(AnswerLost):
            change(directory)
        assert len(wire.graph_requests) == 1

    @pytest.mark.parametrize("answer", [said(429, retry_after="3"), said(503, retry_after="3")])
    def test_that_was_turned_away_may_be_tried_again(self, wire, directory, change, answer):
        wire.answers(answer)
        with pytest.raises(Busy) as caught:
            change(directory)
        assert caught.value.retry_after == 3

    def test_that_found_no_connection_was_not_sent(self, wire, directory, change):
        wire.answers(httpx.ConnectError("x"))
        with pytest.raises(Unreachable):
            change(directory)

    def test_waits_for_nothing_when_the_tenant_does_not_let_us_in(self, wire, directory, change):
        wire.signs_in_with(sign_in_fault(700016, "unauthorized_client"))
        with pytest.raises(NoConnection):
            change(directory)
        assert wire.graph_requests == []


class WhenASignInIsProbed:
    def test_it_is_inconclusive_unless_the_reseller_allows_it(self, wire, directory):
        assert directory.sign_in_probe(ACCOUNT, "pw") is ProbeResult.INCONCLUSIVE
        assert wire.token_forms == []

    def test_the_number_of_the_answer_decides(self, wire):
        wire.signs_in_with(sign_in_fault(50126), sign_in_fault(50076))
        directory = directory_in("global", wire, sign_in_probe=True)
        assert directory.sign_in_probe(ACCOUNT, "old") is ProbeResult.PASSWORD_REFUSED
        assert directory.sign_in_probe(ACCOUNT, "new") is ProbeResult.PASSWORD_ACCEPTED

    @pytest.mark.parametrize(
        ("name", "password"), [("", "pw"), ("a_x.example#EXT#@t.example", "pw"), ("a@t.example", " pw"), ("a@t", "pw ")]
    )
    def test_what_this_grant_cannot_judge_is_not_tried(self, wire, name, password):
        directory = directory_in("global", wire, sign_in_probe=True)
        assert directory.sign_in_probe(AccountRef(TENANT, "id", name), password) is ProbeResult.INCONCLUSIVE
        assert wire.token_forms == []


class WhenACloudLacksSomething:
    def test_china_has_no_methods_and_that_is_said_before_anything_is_sent(self, wire):
        directory = directory_in("china", wire)
        with pytest.raises(Refused, match="cloud china has no API"):
            directory.observe(ACCOUNT)
        with pytest.raises(CannotRemove, match="cloud china has no API"):
            directory.remove(ACCOUNT, CODES)
        assert wire.graph_requests == []

    def test_a_hardware_token_goes_in_the_global_cloud_alone(self, wire):
        wire.answers(said(204))
        token = ObservedMethod(MethodKind.HARDWARE_OATH, "h-1")
        directory_in("global", wire).remove(ACCOUNT, token)
        with pytest.raises(CannotRemove):
            directory_in("us_gov_l4", wire).remove(ACCOUNT, token)

    def test_a_cloud_that_is_not_in_the_table_is_refused_by_name(self, wire):
        with pytest.raises(NoConnection, match="germany"):
            directory_in("germany", wire)


class TheAddresses:
    def test_of_every_cloud_can_be_replaced(self, wire):
        wire.answers(whole())
        directory_in("us_gov_l4", wire, graph_url="https://box.example:8443/").observe(ACCOUNT)
        assert str(wire.graph_requests[0].url) == "https://box.example:8443/beta/$batch"

    def test_must_be_https(self):
        with pytest.raises(BadInput, match="LATCHKEY_LOGIN_URL"):
            graph_directories(Connection("c", login_url="http://box.example"))
        with pytest.raises(BadInput, match="LATCHKEY_GRAPH_URL"):
            graph_directories(Connection("c", graph_url="http://box.example"))


class TheProduct:
    def test_speaks_to_microsoft_without_django(self):
        here = Path(__file__).resolve().parents[2] / "msp" / "microsoft"
        assert not [path.name for path in here.glob("*.py") if "django" in path.read_text()]
