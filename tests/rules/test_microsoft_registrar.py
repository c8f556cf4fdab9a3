"""The making of methods: what is sent, what is not, and what each answer of Microsoft becomes in our words."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import httpx
import pytest

from msp.errors import (
    AnswerLost,
    BadInput,
    Busy,
    DirectoryError,
    GuestRefused,
    NotAllowed,
    NotInThisCloud,
    PolicyForbids,
    Refused,
    Unreachable,
)
from msp.microsoft.connection import Connection
from msp.microsoft.enrolment_ports import MfaState, NewToken, Registrar
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
