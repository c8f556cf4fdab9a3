"""Tokens as the partner's user: one kept refresh token opens every customer's tenant, and is replaced as it is used."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import httpx
import pytest

from msp.errors import KeyTrouble, NoConnection
from msp.microsoft.clouds import CLOUDS
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.ports import Access
from msp.microsoft.tokens import TokenStore
from msp.microsoft.transport import Transport
from tests.support.wire import said, sign_in_fault

CONTOSO, FABRIKAM = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"
GLOBAL = CLOUDS["global"]
PARTNER, APPLICATION = Access.PARTNER, Access.APPLICATION


class Drawer:
    """Keeps one secret as the port describes it."""

    def __init__(self, kept: str = "") -> None:
        self.kept = kept
        self._guard = threading.Lock()

    def read(self) -> str:
        return self.kept

    def replace(self, used: str, new: str) -> None:
        with self._guard:
            if self.kept == used:
                self.kept = new


class SignInService:
    """Redeems refresh tokens that it gave out, at every tenant, and gives a new one along each time."""

    def __init__(self, first: str) -> None:
        self.good = {first}
        self.lives = 3599
        self.gives_new_ones = True
        self.fault: httpx.Response | None = None
        self.forms: list[dict[str, str]] = []
        self.issued: list[str] = []
        self._guard = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        tenant = request.url.path.split("/")[1]
        if request.url.host == "graph.microsoft.com":
            return said(200, {"authorization": request.headers["authorization"]})
        with self._guard:
            self.forms.append(form | {"tenant": tenant})
            if form["grant_type"] == "client_credentials":
                return said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "the-apps-own"})
            if self.fault or form["refresh_token"] not in self.good:
                return self.fault or sign_in_fault(70008)
            number = len(self.issued) + 1
            self.issued.append(f"access-{number}-{tenant}")
            new = {"refresh_token": f"refresh-{number}"} if self.gives_new_ones else {}
            self.good |= set(new.values())
            return said(200, {"expires_in": self.lives, "access_token": self.issued[-1], **new})


class Scene:
    @pytest.fixture(autouse=True)
    def _scene(self):
        self.drawer = Drawer("refresh-0")
        self.service = SignInService("refresh-0")
        self.connection = Connection("client-1", client_secret="an-app-secret")
        self.tokens = self.store()

    def store(self, keeper: object = ...) -> TokenStore:
        transport = Transport(self.connection, wire=httpx.MockTransport(self.service))
        return TokenStore(self.connection, transport, keeper=self.drawer if keeper is ... else keeper)


class WhenATenantIsReachedAsThePartner(Scene):
    def test_the_refresh_token_is_redeemed_at_the_customers_own_endpoint(self):
        assert self.tokens.token(CONTOSO, GLOBAL, PARTNER) == f"access-1-{CONTOSO}"
        assert self.service.forms == [
            {
                "tenant": CONTOSO,
                "grant_type": "refresh_token",
                "client_id": "client-1",
                "client_secret": "an-app-secret",
                "refresh_token": "refresh-0",
                "scope": "https://graph.microsoft.com/.default",
            }
        ]

    def test_the_new_refresh_token_takes_the_place_of_the_kept_one(self):
        self.tokens.token(CONTOSO, GLOBAL, PARTNER)
        assert self.drawer.kept == "refresh-1"
        self.tokens.token(FABRIKAM, GLOBAL, PARTNER)
        assert [form["refresh_token"] for form in self.service.forms] == ["refresh-0", "refresh-1"]

    def test_without_a_new_one_the_kept_one_stays(self):
        self.service.gives_new_ones = False
        self.tokens.token(CONTOSO, GLOBAL, PARTNER)
        assert self.drawer.kept == "refresh-0"

    def test_what_a_person_stored_meanwhile_is_not_overwritten(self):
        class Meanwhile(Drawer):
            def read(self) -> str:
                found, self.kept = self.kept, "a-persons-new-one"
                return found

        keeper = Meanwhile("refresh-0")
        self.store(keeper).token(CONTOSO, GLOBAL, PARTNER)
        assert keeper.kept == "a-persons-new-one"

    def test_its_token_is_remembered_apart_from_the_apps_own(self):
        both = {self.tokens.token(CONTOSO, GLOBAL, access) for _ in range(3) for access in (PARTNER, APPLICATION)}
        assert both == {f"access-1-{CONTOSO}", "the-apps-own"}
        assert len(self.service.forms) == 2

    def test_a_token_that_is_at_its_end_is_replaced(self):
        self.service.lives = 0
        assert self.tokens.token(CONTOSO, GLOBAL, PARTNER) != self.tokens.token(CONTOSO, GLOBAL, PARTNER)

    def test_a_token_that_graph_refuses_is_replaced_once_for_all_threads(self):
        old = self.tokens.token(CONTOSO, GLOBAL, PARTNER)
        with ThreadPoolExecutor(8) as pool:
            new = set(pool.map(lambda _: self.tokens.renewed(CONTOSO, GLOBAL, old, PARTNER), range(32)))
        assert new == {f"access-2-{CONTOSO}"}

    def test_many_tenants_at_once_leave_a_good_refresh_token_behind(self):
        tenants = [f"{number:08}-aaaa-4aaa-8aaa-111111111111" for number in range(24)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda tenant: self.tokens.token(tenant, GLOBAL, PARTNER), tenants))
        assert self.drawer.kept in self.service.good - {"refresh-0"}

    def test_a_line_speaks_with_that_token(self):
        graph = Graph(self.connection, keeper=self.drawer, wire=httpx.MockTransport(self.service))
        for access, token in ((PARTNER, f"access-1-{CONTOSO}"), (APPLICATION, "the-apps-own")):
            line = graph.line(CONTOSO, "global", access)
            said_by_us = line.read(line.reading("/v1.0/x", "reading", needs="P"))
            assert said_by_us["authorization"] == f"Bearer {token}"


class WhenThePartnersSignInIsNoLongerGood(Scene):
    @pytest.mark.parametrize(
        ("code", "remedy"),
        [
            (50173, "partner_token"),
            (70008, "partner_token"),
            (700082, "partner_token"),
            (50076, "partner_token"),
            (65001, "Partner Center"),
            (90099, "Partner Center"),
            (530034, "Clear the risk"),
        ],
    )
    def test_a_person_is_told_what_to_do(self, code, remedy):
        self.service.fault = sign_in_fault(code)
        with pytest.raises(NoConnection, match=remedy) as caught:
            self.tokens.token(CONTOSO, GLOBAL, PARTNER)
        assert caught.value.code == f"AADSTS{code}"
        assert self.drawer.kept == "refresh-0"

    def test_it_goes_on_as_soon_as_a_new_one_is_stored(self):
        self.drawer.kept = "refresh-expired"
        with pytest.raises(NoConnection):
            self.tokens.token(CONTOSO, GLOBAL, PARTNER)
        self.drawer.kept = "refresh-0"
        assert self.tokens.token(CONTOSO, GLOBAL, PARTNER) == f"access-1-{CONTOSO}"


class WhenNothingCanBeRedeemed(Scene):
    @pytest.mark.parametrize("keeper", [None, Drawer("")])
    def test_without_a_kept_token_the_command_is_named(self, keeper):
        with pytest.raises(NoConnection, match=r"manage\.py partner_token"):
            self.store(keeper).token(CONTOSO, GLOBAL, PARTNER)
        assert self.service.forms == []

    def test_a_vault_that_does_not_open_is_told(self):
        class Stuck(Drawer):
            def read(self) -> str:
                raise KeyTrouble("root.key is missing.")

        with pytest.raises(NoConnection, match=r"root\.key is missing"):
            self.store(Stuck()).token(CONTOSO, GLOBAL, PARTNER)

    def test_a_vault_that_cannot_keep_the_new_one_does_not_stop_the_work(self):
        class Full(Drawer):
            def replace(self, used: str, new: str) -> None:
                raise KeyTrouble("The data key is gone.")

        assert self.store(Full("refresh-0")).token(CONTOSO, GLOBAL, PARTNER) == f"access-1-{CONTOSO}"

    @pytest.mark.parametrize("cloud", ["us_gov_l4", "us_gov_l5", "china"])
    def test_a_cloud_without_delegated_administration_is_told_before_anything_is_sent(self, cloud):
        with pytest.raises(NoConnection, match="no delegated administration"):
            self.tokens.token(CONTOSO, CLOUDS[cloud], PARTNER)
        assert self.service.forms == []


class TheSecrets(Scene):
    def test_are_in_no_log_line_no_message_and_no_description(self, caplog):
        caplog.set_level(logging.DEBUG)
        told = [self.tokens.token(CONTOSO, GLOBAL, PARTNER), repr(self.tokens._doors), repr(vars(self.tokens))][1:]
        self.service.fault = sign_in_fault(50173)
        with pytest.raises(NoConnection) as caught:
            self.tokens.token(FABRIKAM, GLOBAL, PARTNER)
        words = caplog.text + " ".join(told) + f"{caught.value!r} {caught.value.__cause__!r}"
        for secret in ("refresh-0", "refresh-1", "access-1", "an-app-secret"):
            assert secret not in words
