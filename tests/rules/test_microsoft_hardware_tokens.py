"""Hardware tokens: into the inventory, onto an account, and back; what is sent, and what each answer means."""

from __future__ import annotations

import httpx
import pytest

from msp.errors import (
    AccountMissing,
    AnswerLost,
    BadInput,
    CodeRefused,
    DuplicateSerial,
    GuestRefused,
    NoFreeSlot,
    PolicyForbids,
    Refused,
)
from msp.microsoft.enrolment_ports import HardwareToken, NewToken, TokenStatus
from tests.rules.test_microsoft_registrar import (
    ACCOUNT,
    CODE,
    DEVICE,
    POLICY_OFF,
    SEED,
    TOKEN,
    USER,
    registrar,
    sent,
    wire,
)
from tests.support.reference import reference_needed, sample
from tests.support.wire import fault, said

__all__ = ["registrar", "wire"]

MADE = {"id": DEVICE, "serialNumber": "LK-0001", "displayName": "Ana", "status": "available", "assignedTo": None}


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
