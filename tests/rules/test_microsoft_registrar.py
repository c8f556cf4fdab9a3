"""The making of methods: what is sent, what is not, and what each answer of Microsoft becomes in our words."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import httpx
import pytest

from msp.errors import (
    AccountMissing,
    AnswerLost,
    BadInput,
    Busy,
    CodeRefused,
    DirectoryError,
    DuplicateSerial,
    GuestRefused,
    NoFreeSlot,
    NotAllowed,
    NotInThisCloud,
    PolicyForbids,
    Refused,
    Unreachable,
)
from msp.microsoft.connection import Connection
from msp.microsoft.enrolment_ports import HardwareToken, MfaState, NewToken, Registrar, TokenStatus
from msp.microsoft.graph import Graph
from msp.microsoft.ports import AccountRef
from tests.support.reference import reference_needed, sample
from tests.support.wire import Wire, fault, said

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
USER = "22222222-bbbb-4bbb-8bbb-222222222222"
DEVICE = "00000000-0000-4000-8000-000000000051"
ACCOUNT = AccountRef(TENANT, USER, "admin@contoso.example")
GUEST = AccountRef(TENANT, USER, "ana_x.example#EXT#@contoso.example")
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
TOKEN = NewToken("LK-0001", SEED, "Ana")
CODE = "482915"
PASS = "Pl4nted+Pass"
POLICY_OFF = (
    "Converged UserCredentialPolicy does not allow creating or updating this authentication method. "
    "AuthMethodType [TemporaryAccessPass]."
)
MADE = {"id": DEVICE, "serialNumber": "LK-0001", "displayName": "Ana", "status": "available", "assignedTo": None}
ISSUED = {
    "id": "p-1",
    "temporaryAccessPass": PASS,
    "startDateTime": "2026-11-20T09:20:00Z",
    "lifetimeInMinutes": 60,
    "isUsableOnce": False,
}


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def registrar(wire: Wire) -> Registrar:
    return registrar_in("global", wire)


def registrar_in(cloud: str, wire: Wire) -> Registrar:
    return Graph(Connection("client-1", client_secret="s"), wire=wire).registrar(TENANT, cloud)


def sent(wire: Wire) -> tuple[str, str, dict]:
    """(method, path, body) of the last request."""
    request = wire.graph_requests[-1]
    return request.method, request.url.path, json.loads(request.content or b"{}")


class WhenAPassIsIssued:
    def test_it_is_told_once_with_its_time_and_use(self, wire, registrar):
        wire.answers(said(201, ISSUED))
        issued = registrar.issue_pass(ACCOUNT, minutes=60, once=False)
        assert (issued.method_id, issued.code, issued.minutes, issued.once) == ("p-1", PASS, 60, False)
        assert issued.starts_at.isoformat() == "2026-11-20T09:20:00+00:00"
        assert sent(wire) == (
            "POST",
            f"/v1.0/users/{USER}/authentication/temporaryAccessPassMethods",
            {"lifetimeInMinutes": 60, "isUsableOnce": False},
        )

    def test_it_is_not_in_what_is_printed_of_it(self, wire, registrar):
        wire.answers(said(201, ISSUED))
        assert PASS not in repr(registrar.issue_pass(ACCOUNT, minutes=60))

    @pytest.mark.parametrize("minutes", [-1, 0, 9, 43_201])
    def test_a_time_that_microsoft_does_not_take_is_not_sent(self, wire, registrar, minutes):
        with pytest.raises(BadInput, match="Nothing was sent"):
            registrar.issue_pass(ACCOUNT, minutes=minutes)
        assert wire.graph_requests == []

    @pytest.mark.parametrize("minutes", [10, 43_200])
    def test_the_shortest_and_the_longest_time_are_sent(self, wire, registrar, minutes):
        wire.answers(said(201, ISSUED | {"lifetimeInMinutes": minutes}))
        assert registrar.issue_pass(ACCOUNT, minutes=minutes).minutes == minutes

    @pytest.mark.parametrize("status", [400, 403])
    def test_a_policy_that_forbids_it_is_told_with_the_place_to_change_it(self, wire, registrar, status):
        wire.answers(fault(status, "badRequest", POLICY_OFF))
        with pytest.raises(PolicyForbids, match=r"Authentication methods, Policies.*") as caught:
            registrar.issue_pass(ACCOUNT, minutes=60)
        assert "No pass was made" in str(caught.value)

    def test_a_missing_permission_is_no_policy(self, wire, registrar):
        wire.answers(fault(403, "accessDenied", "Request Authorization failed"))
        with pytest.raises(NotAllowed, match=r"UserAuthenticationMethod\.ReadWrite\.All"):
            registrar.issue_pass(ACCOUNT, minutes=60)

    @pytest.mark.parametrize("body", [None, {}, {"id": "p-1"}, {"temporaryAccessPass": PASS}])
    def test_a_yes_without_the_pass_is_a_lost_answer(self, wire, registrar, body):
        wire.answers(said(201, body))
        with pytest.raises(AnswerLost, match="Issue another one"):
            registrar.issue_pass(ACCOUNT, minutes=60)

    def test_it_is_read_from_the_documented_answer(self, wire, registrar):
        reference_needed()
        wire.answers(said(201, sample("temporaryAccessPass-create-201")))
        issued = registrar.issue_pass(ACCOUNT, minutes=60)
        assert (issued.code, issued.once) == ("Fake+Pass1", False)


class WhenMfaIsDemanded:
    @pytest.mark.parametrize("state", MfaState)
    def test_the_state_is_read_and_set(self, wire, registrar, state):
        wire.answers(said(200, {"perUserMfaState": str(state)}), said(204))
        assert registrar.mfa_state(ACCOUNT) is state
        registrar.set_mfa_state(ACCOUNT, state)
        assert sent(wire) == (
            "PATCH",
            f"/beta/users/{USER}/authentication/requirements",
            {"perUserMfaState": str(state)},
        )

    @pytest.mark.parametrize("body", [{}, {"perUserMfaState": None}, {"perUserMfaState": "somewhat"}])
    def test_a_state_that_nobody_knows_is_not_guessed(self, wire, registrar, body):
        wire.answers(said(200, body))
        with pytest.raises(Unreachable):
            registrar.mfa_state(ACCOUNT)

    def test_without_the_permission_it_is_named(self, wire, registrar):
        wire.answers(fault(403, "accessDenied"))
        with pytest.raises(NotAllowed, match=r"Policy\.ReadWrite\.AuthenticationMethod"):
            registrar.set_mfa_state(ACCOUNT, MfaState.ENFORCED)


class WhenAMethodIsPreferred:
    def test_the_word_is_read_and_set(self, wire, registrar):
        wire.answers(said(200, {"userPreferredMethodForSecondaryAuthentication": "push"}), said(204))
        assert registrar.preferred_method(ACCOUNT) == "push"
        registrar.set_preferred_method(ACCOUNT, "oath")
        assert sent(wire) == (
            "PATCH",
            f"/beta/users/{USER}/authentication/signInPreferences",
            {"userPreferredMethodForSecondaryAuthentication": "oath"},
        )

    @pytest.mark.parametrize("body", [{}, {"userPreferredMethodForSecondaryAuthentication": None}])
    def test_none_is_told_as_none(self, wire, registrar, body):
        wire.answers(said(200, body))
        assert registrar.preferred_method(ACCOUNT) == ""

    def test_a_word_that_is_none_is_not_sent(self, wire, registrar):
        with pytest.raises(BadInput, match="carrier pigeon"):
            registrar.set_preferred_method(ACCOUNT, "carrier pigeon")
        assert wire.graph_requests == []

    def test_one_that_is_not_registered_is_refused(self, wire, registrar):
        wire.answers(fault(400, "badRequest", "The user has no such method."))
        with pytest.raises(Refused, match="The preferred method is what it was"):
            registrar.set_preferred_method(ACCOUNT, "oath")


class WhenTheInventoryIsRead:
    def test_tokens_come_from_every_page(self, wire, registrar):
        more = "https://graph.microsoft.com/beta/directory/authenticationMethodDevices/hardwareOathDevices?$skiptoken=x"
        second = MADE | {"id": "d2", "status": "activated", "assignedTo": {"id": USER, "displayName": "Admin"}}
        wire.answers(said(200, {"value": [MADE], "@odata.nextLink": more}), said(200, {"value": [second]}))
        first, last = registrar.tokens()
        assert first == HardwareToken(DEVICE, "LK-0001", "Ana", TokenStatus.AVAILABLE)
        assert (last.status, last.assigned_to) == (TokenStatus.ACTIVATED, USER)

    def test_one_serial_is_asked_for_as_one_text(self, wire, registrar):
        wire.answers(said(200, {"value": []}))
        assert list(registrar.tokens(serial="O'Neil 1&2")) == []
        assert dict(wire.graph_requests[0].url.params) == {"$filter": "serialNumber eq 'O''Neil 1&2'"}

    def test_a_status_that_microsoft_adds_later_is_unknown(self, wire, registrar):
        wire.answers(said(200, {"value": [MADE | {"status": "lost"}]}))
        assert next(registrar.tokens()).status is TokenStatus.UNKNOWN

    def test_a_nested_device_is_read_like_a_flat_one(self, wire, registrar):
        wire.answers(said(200, {"value": [{"id": "m", "device": MADE}]}))
        assert next(registrar.tokens()).serial == "LK-0001"


class WhenATokenIsPutIntoTheInventory:
    def test_all_that_microsoft_needs_is_sent(self, wire, registrar):
        wire.answers(said(201, MADE))
        made = registrar.create_token(TOKEN)
        assert (made.device_id, made.status) == (DEVICE, TokenStatus.AVAILABLE)
        assert sent(wire) == (
            "POST",
            "/beta/directory/authenticationMethodDevices/hardwareOathDevices",
            {
                "serialNumber": "LK-0001",
                "manufacturer": "Latchkey",
                "model": "TOTP",
                "secretKey": SEED,
                "timeIntervalInSeconds": 30,
                "hashFunction": "hmacsha1",
                "displayName": "Ana",
            },
        )

    def test_sixty_seconds_and_sha256_are_sent_in_microsofts_words(self, wire, registrar):
        wire.answers(said(201, MADE))
        registrar.create_token(NewToken("LK-2", SEED, interval=60, digest="sha256"))
        body = sent(wire)[2]
        assert (body["timeIntervalInSeconds"], body["hashFunction"], body["displayName"]) == (60, "hmacsha256", "LK-2")

    @pytest.mark.parametrize(
        "wrong",
        [
            NewToken("", SEED),
            NewToken("no spaces", SEED),
            NewToken("x" * 65, SEED),
            NewToken("LK-1", ""),
            NewToken("LK-1", SEED.lower()),
            NewToken("LK-1", SEED + "===="),
            NewToken("LK-1", "0189" * 8),
            NewToken("LK-1", "A" * 129),
            NewToken("LK-1", SEED, interval=45),
            NewToken("LK-1", SEED, digest="md5"),
            NewToken("LK-1", SEED, manufacturer=""),
            NewToken("LK-1", SEED, model=""),
        ],
    )
    def test_one_that_cannot_be_used_is_not_sent_and_its_seed_not_told(self, wire, registrar, wrong):
        with pytest.raises(BadInput, match="Nothing was sent") as caught:
            registrar.create_token(wrong)
        assert wire.graph_requests == []
        assert not wrong.seed or wrong.seed not in str(caught.value)

    @pytest.mark.parametrize(
        "answer",
        [
            fault(409, "Conflict"),
            fault(400, "Request_BadRequest", "A token with the same serial number already exists."),
            fault(400, "Request_BadRequest", "Duplicate serialNumber."),
        ],
    )
    def test_a_serial_that_is_there_already_is_told_as_such(self, wire, registrar, answer):
        wire.answers(answer)
        with pytest.raises(DuplicateSerial, match="LK-0001"):
            registrar.create_token(TOKEN)

    def test_another_no_is_not_mistaken_for_it(self, wire, registrar):
        wire.answers(fault(400, "Request_BadRequest", "Invalid value specified for property 'serialNumber'."))
        with pytest.raises(Refused) as caught:
            registrar.create_token(TOKEN)
        assert not isinstance(caught.value, DuplicateSerial)

    @pytest.mark.parametrize("answer", [said(201), httpx.ReadTimeout("silence"), said(500)])
    def test_a_lost_answer_says_that_it_may_have_happened(self, wire, registrar, answer):
        wire.answers(answer)
        with pytest.raises(AnswerLost):
            registrar.create_token(TOKEN)

    def test_it_is_read_from_the_documented_answers(self, wire, registrar):
        reference_needed()
        wire.answers(
            said(201, sample("beta-hardwareOathDevice-create-201")),
            said(201, sample("beta-hardwareOathDevice-create-assigned-201")),
        )
        assert registrar.create_token(TOKEN).status is TokenStatus.AVAILABLE
        assigned = registrar.create_token(TOKEN)
        assert (assigned.status, assigned.assigned_to) == (TokenStatus.ASSIGNED, USER)


class WhenATokenIsActivated:
    def test_it_is_assigned_and_activated_in_one_call(self, wire, registrar):
        wire.answers(said(204, request_id="r-9"))
        assert registrar.activate_token(ACCOUNT, DEVICE, CODE, display_name="Ana").request_id == "r-9"
        assert sent(wire) == (
            "POST",
            f"/beta/users/{USER}/authentication/hardwareOathMethods/assignAndActivate",
            {"device": {"id": DEVICE}, "verificationCode": CODE, "displayName": "Ana"},
        )

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "12a456", " 482915", "４８２９１５"])
    def test_what_is_no_code_is_not_sent(self, wire, registrar, code):
        with pytest.raises(BadInput, match="six digits"):
            registrar.activate_token(ACCOUNT, DEVICE, code)
        assert wire.graph_requests == []

    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ("The verification code is not valid.", CodeRefused),
            ("Invalid OTP.", CodeRefused),
            ("The code has expired.", CodeRefused),
            ("The code does not match.", CodeRefused),
            ("The user has reached the maximum number of authentication methods.", NoFreeSlot),
            ("A user can have at most 5 tokens: limit reached.", NoFreeSlot),
            ("Policy allows no more than the maximum of 5 authenticators.", NoFreeSlot),
            ("Hardware OATH is not enabled for this user.", PolicyForbids),
            (POLICY_OFF, PolicyForbids),
            ("Guest users cannot be assigned hardware tokens.", GuestRefused),
            ("The device is assigned to another user.", Refused),
            ("Something failed with error code 17.", Refused),
            ("", Refused),
        ],
    )
    def test_each_no_is_told_by_its_reason(self, wire, registrar, message, expected):
        wire.answers(fault(400, "badRequest", message))
        with pytest.raises(Refused) as caught:
            registrar.activate_token(ACCOUNT, DEVICE, CODE)
        assert type(caught.value) is expected
        assert "admin@contoso.example" in str(caught.value)
        assert "The token is not active" in str(caught.value)

    def test_a_user_that_is_gone_is_told_from_a_token_that_is_gone(self, wire, registrar):
        wire.answers(
            fault(404, "resourceNotFound", f"Resource '{USER}' does not exist."),
            fault(404, "resourceNotFound", "The device was not found."),
        )
        with pytest.raises(AccountMissing):
            registrar.activate_token(ACCOUNT, DEVICE, CODE)
        with pytest.raises(Refused, match="no such token") as caught:
            registrar.activate_token(ACCOUNT, DEVICE, CODE)
        assert type(caught.value) is Refused


class WhenATokenIsTakenAway:
    def test_it_is_deactivated_unassigned_and_deleted_at_its_own_addresses(self, wire, registrar):
        wire.answers(said(204))
        methods = f"/beta/users/{USER}/authentication/hardwareOathMethods/{DEVICE}"
        assert not registrar.deactivate_token(ACCOUNT, DEVICE).already
        assert sent(wire) == ("POST", f"{methods}/deactivate", {})
        assert not registrar.unassign_token(ACCOUNT, DEVICE).already
        assert sent(wire) == ("DELETE", methods, {})
        assert not registrar.delete_token(DEVICE).already
        inventory = f"/beta/directory/authenticationMethodDevices/hardwareOathDevices/{DEVICE}"
        assert sent(wire) == ("DELETE", inventory, {})

    def test_what_is_gone_already_is_success(self, wire, registrar):
        wire.answers(fault(404, "resourceNotFound"))
        assert registrar.unassign_token(ACCOUNT, DEVICE).already
        assert registrar.delete_token(DEVICE).already

    def test_an_address_that_graph_does_not_know_is_not_success(self, wire, registrar):
        wire.answers(said(404, {"Message": "No HTTP resource was found"}))
        for ask in (lambda: registrar.unassign_token(ACCOUNT, DEVICE), lambda: registrar.delete_token(DEVICE)):
            with pytest.raises(Refused):
                ask()

    def test_one_that_is_gone_cannot_be_deactivated(self, wire, registrar):
        wire.answers(fault(404, "resourceNotFound"))
        with pytest.raises(Refused, match="no such token"):
            registrar.deactivate_token(ACCOUNT, DEVICE)

    def test_one_that_is_assigned_is_not_deleted(self, wire, registrar):
        wire.answers(fault(400, "badRequest", "The device must be unassigned first."))
        with pytest.raises(Refused, match="The token is still there"):
            registrar.delete_token(DEVICE)


HARDWARE: dict[str, Callable[[Registrar], object]] = {
    "tokens": lambda registrar: registrar.tokens(),
    "create": lambda registrar: registrar.create_token(TOKEN),
    "activate": lambda registrar: registrar.activate_token(ACCOUNT, DEVICE, CODE),
    "deactivate": lambda registrar: registrar.deactivate_token(ACCOUNT, DEVICE),
    "unassign": lambda registrar: registrar.unassign_token(ACCOUNT, DEVICE),
    "delete": lambda registrar: registrar.delete_token(DEVICE),
}
CHANGES: dict[str, Callable[[Registrar], object]] = {
    **{name: ask for name, ask in HARDWARE.items() if name != "tokens"},
    "pass": lambda registrar: registrar.issue_pass(ACCOUNT, minutes=60),
    "mfa": lambda registrar: registrar.set_mfa_state(ACCOUNT, MfaState.ENFORCED),
    "preferred": lambda registrar: registrar.set_preferred_method(ACCOUNT, "oath"),
}


class WhenTheCloudLacksIt:
    @pytest.mark.parametrize("cloud", ["us_gov_l4", "us_gov_l5", "china"])
    @pytest.mark.parametrize("ask", HARDWARE.values(), ids=HARDWARE)
    def test_nothing_of_hardware_tokens_is_sent(self, wire, cloud, ask):
        with pytest.raises(NotInThisCloud):
            ask(registrar_in(cloud, wire))
        assert wire.graph_requests == []

    def test_no_pass_is_asked_for_in_china(self, wire):
        with pytest.raises(NotInThisCloud):
            registrar_in("china", wire).issue_pass(ACCOUNT, minutes=60)
        assert wire.graph_requests == []


class WhenTheAccountIsAGuest:
    @pytest.mark.parametrize(
        "ask",
        [lambda r: r.issue_pass(GUEST, minutes=60), lambda r: r.activate_token(GUEST, DEVICE, CODE)],
        ids=["pass", "activate"],
    )
    def test_no_method_is_made_and_nothing_sent(self, wire, registrar, ask):
        with pytest.raises(GuestRefused, match="home directory"):
            ask(registrar)
        assert wire.graph_requests == []

    def test_a_token_can_still_be_taken_away(self, wire, registrar):
        wire.answers(said(204))
        registrar.unassign_token(GUEST, DEVICE)
        assert sent(wire)[0] == "DELETE"


@pytest.mark.parametrize("ask", CHANGES.values(), ids=CHANGES)
class EveryChange:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (httpx.ReadTimeout("silence"), AnswerLost),
            (httpx.ReadError("reset"), AnswerLost),
            (fault(500, "InternalServerError"), AnswerLost),
            (fault(504, "GatewayTimeout"), AnswerLost),
            (fault(429, "TooManyRequests"), Busy),
            (httpx.ConnectError("no route"), Unreachable),
            (fault(403, "accessDenied", "Request Authorization failed"), NotAllowed),
        ],
        ids=lambda value: str(getattr(value, "status_code", value)),
    )
    def test_that_was_not_answered_with_yes_says_what_still_stands(self, wire, registrar, ask, answer, expected):
        wire.answers(answer)
        with pytest.raises(DirectoryError) as caught:
            ask(registrar)
        assert type(caught.value) is expected
        assert TENANT in str(caught.value)


class WhenMicrosoftWritesASecretBack:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500])
    @pytest.mark.parametrize(("change", "secret"), [("create", SEED), ("activate", CODE)])
    def test_neither_the_error_nor_a_log_repeats_it(self, wire, registrar, status, change, secret, caplog):
        caplog.set_level(logging.DEBUG)
        wire.answers(fault(status, secret, f"the verification code or serial {secret} exists already"))
        with pytest.raises(DirectoryError) as caught:
            CHANGES[change](registrar)
        assert secret not in str(caught.value) + repr(caught.value) + caught.value.code + caplog.text

    def test_a_pass_is_in_no_log(self, wire, registrar, caplog):
        caplog.set_level(logging.DEBUG)
        wire.answers(said(201, ISSUED))
        registrar.issue_pass(ACCOUNT, minutes=60)
        assert PASS not in caplog.text

    def test_a_seed_is_not_in_what_is_printed_of_a_token(self):
        assert SEED not in repr(TOKEN)
