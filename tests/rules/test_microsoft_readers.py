"""A whole tenant and the partner's view: what each answer of Microsoft becomes in our words."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from msp.errors import (
    Busy,
    DirectoryError,
    NeedsLicence,
    NoConnection,
    NotAllowed,
    Unreachable,
)
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.ports import Access, AccountRef
from msp.microsoft.tenant_ports import AccessPolicy, Cursor, Domain, Role, TenantReader
from tests.support.wire import Wire, fault, said

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
USER = "22222222-bbbb-4bbb-8bbb-222222222222"
PRINCIPAL = "33333333-cccc-4ccc-8ccc-333333333333"
ACCOUNT = AccountRef(TENANT, USER, "admin@contoso.example")
PAA = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
PREMIUM = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def reader(wire: Wire) -> TenantReader:
    return Graph(Connection("client-1", client_secret="s"), wire=wire).reader(TENANT, "global")


def listing(*items: object, next_link: str = "") -> httpx.Response:
    return said(200, {"value": list(items)} | ({"@odata.nextLink": next_link} if next_link else {}))


def asked(wire: Wire, number: int = -1) -> tuple[str, dict[str, str]]:
    """(path, options) of one request."""
    url = urlsplit(str(wire.graph_requests[number].url))
    return url.path, {name: values[0] for name, values in parse_qs(url.query).items()}


def token_saying(**claims: object) -> httpx.Response:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": f"h.{payload}.s"})


ORGANISATION = {
    "id": TENANT,
    "displayName": "Contoso",
    "onPremisesSyncEnabled": None,
    "assignedPlans": [
        {
            "capabilityStatus": "Enabled",
            "service": "AADPremiumService",
            "servicePlanId": "41781FB2-bc02-4b7c-bd55-b576c07bb09d",
        },
        {"capabilityStatus": "Deleted", "service": "exchange", "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0"},
    ],
    "verifiedDomains": [
        {"name": "contoso.example", "isDefault": True, "type": "Managed"},
        {"name": "old.example", "isDefault": False, "type": "Federated"},
    ],
}


class WhenATenantIsRead:
    def test_its_name_default_domain_and_licence_are_told(self, wire, reader):
        wire.answers(listing(ORGANISATION))
        found = reader.organisation()
        assert (found.tenant_id, found.display_name, found.default_domain) == (TENANT, "Contoso", "contoso.example")
        assert found.premium
        assert not found.synced

    def test_a_plan_that_ended_is_not_in_force(self, wire, reader):
        wire.answers(listing(ORGANISATION))
        assert reader.organisation().plans == {"AADPremiumService", "AAD_PREMIUM"}

    @pytest.mark.parametrize("plans", [[], None, [{"capabilityStatus": "Enabled", "service": "exchange"}]])
    def test_one_without_a_licence_is_not_premium(self, wire, reader, plans):
        wire.answers(listing(ORGANISATION | {"assignedPlans": plans}))
        assert not reader.organisation().premium

    def test_an_answer_without_an_organisation_is_not_believed(self, wire, reader):
        wire.answers(listing())
        with pytest.raises(Unreachable):
            reader.organisation()

    def test_its_domains_say_which_of_them_sign_in_elsewhere(self, wire, reader):
        managed = {"id": "contoso.example", "isVerified": True, "isDefault": True, "authenticationType": "Managed"}
        federated = {"id": "f.example", "isVerified": False, "isDefault": False, "authenticationType": "Federated"}
        wire.answers(listing(managed, federated))
        assert reader.domains() == (
            Domain("contoso.example", verified=True, federated=False, default=True),
            Domain("f.example", verified=False, federated=True),
        )

    def test_without_the_permission_for_domains_the_verified_ones_of_the_organisation_stand_in(self, wire, reader):
        wire.answers(fault(403, "Authorization_RequestDenied"), listing(ORGANISATION))
        assert reader.domains() == (
            Domain("contoso.example", verified=True, federated=False, default=True),
            Domain("old.example", verified=True, federated=True),
        )

    def test_its_security_defaults_are_told(self, wire, reader):
        wire.answers(said(200, {"isEnabled": True}), said(200, {"isEnabled": False}), said(200, {}))
        assert (reader.security_defaults(), reader.security_defaults()) == (True, False)
        with pytest.raises(Unreachable):
            reader.security_defaults()

    def test_its_policy_says_which_methods_it_allows(self, wire, reader):
        states = [{"id": "SoftwareOath", "state": "enabled"}, {"id": "HardwareOath", "state": "disabled"}]
        wire.answers(said(200, {"authenticationMethodConfigurations": states}))
        policy = reader.method_policy()
        assert policy.allows("SoftwareOATH")
        assert not policy.allows("hardwareoath")
        assert not policy.allows("one that nobody named")

    def test_its_conditional_access_policies_are_told(self, wire, reader):
        wire.answers(listing({"id": "p", "displayName": "Block ROPC", "state": "enabled"}))
        assert reader.access_policies() == (AccessPolicy("p", "Block ROPC", "enabled"),)


class Kept:
    """The partner's sign-in, kept in memory."""

    token = "a-refresh-token"

    def read(self) -> str:
        return self.token

    def replace(self, used: str, new: str) -> None:
        self.token = new


class WhenOurOwnAccessIsRead:
    def test_it_is_that_of_a_new_token_and_the_roles_of_our_service_principal(self, wire, reader):
        wire.signs_in_with(
            token_saying(roles=["User.Read.All"], oid=PRINCIPAL),
            token_saying(roles=["User.Read.All", "Policy.Read.All"], oid=PRINCIPAL),
        )
        wire.answers(listing({"roleDefinitionId": PAA, "directoryScopeId": "/"}))
        own = reader.own_access()
        assert own.permissions == {"User.Read.All", "Policy.Read.All"}
        assert (own.service_principal_id, own.enabled) == (PRINCIPAL, True)
        assert [role.template_id for role in own.roles] == [PAA]
        assert asked(wire)[1]["$filter"] == f"principalId eq '{PRINCIPAL}'"

    def test_a_token_that_does_not_say_whose_it_is_is_looked_up_by_the_apps_id(self, wire, reader):
        wire.signs_in_with(*[token_saying(roles=["Application.Read.All"], appid="client-1")] * 2)
        wire.answers(listing({"id": PRINCIPAL, "accountEnabled": False}), listing())
        own = reader.own_access()
        assert (own.service_principal_id, own.enabled, own.roles) == (PRINCIPAL, False, ())
        assert asked(wire, 0) == (
            "/v1.0/servicePrincipals",
            {"$filter": "appId eq 'client-1'", "$select": "id,accountEnabled"},
        )

    @pytest.mark.parametrize(
        "answers",
        [
            [fault(403, "Authorization_RequestDenied")],
            [listing()],
            [listing({"id": PRINCIPAL}), fault(403, "Authorization_RequestDenied")],
        ],
    )
    def test_roles_that_could_not_be_read_are_unknown_and_not_none_held(self, wire, reader, answers):
        wire.signs_in_with(*[token_saying(roles=["User.Read.All"], appid="client-1")] * 2)
        wire.answers(*answers)
        own = reader.own_access()
        assert own.roles is None
        assert own.permissions == {"User.Read.All"}

    def test_a_delegated_token_says_what_it_may_and_nothing_of_roles(self, wire, reader):
        wire.signs_in_with(*[token_saying(scp="User.Read.All Policy.Read.All", oid=USER)] * 2)
        own = reader.own_access()
        assert own.permissions == {"User.Read.All", "Policy.Read.All"}
        assert (own.roles, own.service_principal_id) == (None, "")
        assert wire.graph_requests == []

    def test_as_the_partner_it_is_the_partners_token_that_counts(self, wire):
        graph = Graph(Connection("client-1", client_secret="s"), keeper=Kept(), wire=wire)
        wire.signs_in_with(*[token_saying(scp="User.Read.All", oid=USER)] * 2)
        own = graph.reader(TENANT, "global", Access.PARTNER).own_access()
        assert (own.permissions, own.roles) == ({"User.Read.All"}, None)
        assert {form["grant_type"] for form in wire.token_forms} == {"refresh_token"}

    def test_a_token_that_cannot_be_read_grants_nothing(self, wire, reader):
        own = reader.own_access()
        assert (own.permissions, own.roles) == (frozenset(), None)

    def test_a_busy_directory_is_not_mistaken_for_unknown_roles(self, wire, reader):
        wire.signs_in_with(*[token_saying(oid=PRINCIPAL)] * 2)
        wire.answers(fault(429, "TooManyRequests"))
        with pytest.raises(Busy):
            reader.own_access()


class WhenRolesAreRead:
    def test_each_has_its_template_name_and_scope(self, wire, reader):
        definition = {"templateId": PAA, "displayName": "Privileged Authentication Administrator"}
        wire.answers(
            listing(
                {"roleDefinitionId": PAA, "directoryScopeId": "/", "roleDefinition": definition},
                {"roleDefinitionId": "custom", "directoryScopeId": "/administrativeUnits/au", "roleDefinition": None},
            )
        )
        assert reader.roles_of(USER) == (
            Role(PAA, "Privileged Authentication Administrator", "/"),
            Role("custom", "", "/administrativeUnits/au"),
        )
        assert asked(wire)[1] == {"$filter": f"principalId eq '{USER}'", "$expand": "roleDefinition"}


LICENSED: dict[str, Callable[[TenantReader], object]] = {
    "access_policies": lambda reader: reader.access_policies(),
    "registrations": lambda reader: list(reader.registrations()),
    "sign_ins": lambda reader: reader.sign_ins(ACCOUNT, Cursor(NOON)),
}


@pytest.mark.parametrize("ask", LICENSED.values(), ids=LICENSED)
class WhenTheTenantHasNoLicence:
    @pytest.mark.parametrize(
        ("code", "message"),
        [
            (PREMIUM, "Neither tenant is B2C or tenant doesn't have premium license"),
            ("AccessDenied", "Your tenant is not licensed for this feature: a license is missing."),
            ("Forbidden", "This needs Azure AD Premium"),
        ],
    )
    def test_that_is_told_with_the_licence_it_takes(self, wire, reader, ask, code, message):
        wire.answers(fault(403, code, message))
        with pytest.raises(NeedsLicence, match="Entra ID P1") as caught:
            ask(reader)
        assert caught.value.code == code

    def test_a_missing_permission_is_not_mistaken_for_it(self, wire, reader, ask):
        wire.answers(fault(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."))
        with pytest.raises(NotAllowed) as caught:
            ask(reader)
        assert not isinstance(caught.value, NeedsLicence)


class WhenTheRegistrationReportIsRead:
    def test_each_line_says_who_registered_what_and_when_that_was_known(self, wire, reader):
        line = {
            "id": USER,
            "userPrincipalName": "admin@contoso.example",
            "isAdmin": True,
            "isMfaRegistered": True,
            "methodsRegistered": ["softwareOneTimePasscode"],
            "userPreferredMethodForSecondaryAuthentication": "oath",
            "lastUpdatedDateTime": "2026-11-19T19:15:41.6195833Z",
        }
        wire.answers(listing(line, {"id": "u2", "methodsRegistered": None}))
        first, second = reader.registrations()
        assert (first.admin, first.mfa_registered, first.kinds, first.preferred) == (
            True,
            True,
            ("softwareOneTimePasscode",),
            "oath",
        )
        assert first.updated_at == dt.datetime(2026, 11, 19, 19, 15, 41, 619583, tzinfo=dt.UTC)
        assert (second.admin, second.kinds, second.updated_at) == (False, (), None)


class WhenClocksAreCompared:
    @pytest.mark.parametrize("ahead", [-3600, 0, 3600])
    def test_the_difference_is_told_in_seconds(self, wire, reader, ahead):
        def answer(_: httpx.Request) -> httpx.Response:
            theirs = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead)
            return said(200, {"value": []}, date=format_datetime(theirs, usegmt=True))

        wire.answers(answer)
        assert abs(reader.clock_difference() - ahead) < 60

    def test_the_time_for_a_token_is_not_counted(self, wire, reader):
        wire.seconds_for_a_token = 1.5
        theirs = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).replace(microsecond=0)
        wire.answers(said(200, {}, date=format_datetime(theirs, usegmt=True)))
        began = dt.datetime.now(dt.UTC)
        # The exchange came after the token, so at its middle our clock had gone on by at least that time.
        assert reader.clock_difference() <= (theirs - began).total_seconds() + 0.5 - 1.5

    def test_a_no_tells_the_time_as_well_as_a_yes(self, wire, reader):
        theirs = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
        wire.answers(fault(403, "Authorization_RequestDenied", date=format_datetime(theirs, usegmt=True)))
        assert abs(reader.clock_difference() + 7200) < 60

    @pytest.mark.parametrize("header", [{}, {"date": "yesterday"}])
    def test_an_answer_without_a_time_tells_nothing(self, wire, reader, header):
        wire.answers(said(200, {}, **header))
        with pytest.raises(Unreachable):
            reader.clock_difference()


READINGS: dict[str, Callable[[TenantReader], object]] = {
    "organisation": lambda reader: reader.organisation(),
    "domains": lambda reader: reader.domains(),
    "roles": lambda reader: reader.roles_of(USER),
    "users": lambda reader: list(reader.users()),
    "find": lambda reader: reader.find(USER),
    "properties": lambda reader: reader.raw_properties(ACCOUNT),
    "security_defaults": lambda reader: reader.security_defaults(),
    "method_policy": lambda reader: reader.method_policy(),
    "audits": lambda reader: reader.audits(Cursor(NOON)),
    **LICENSED,
}


@pytest.mark.parametrize("ask", READINGS.values(), ids=READINGS)
class EveryReading:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (fault(429, "TooManyRequests", retry_after="7"), Busy),
            (fault(503, "ServiceUnavailable"), Busy),
            (fault(500, "InternalServerError"), Busy),
            (fault(403, "Authorization_RequestDenied"), NotAllowed),
            (fault(401, "InvalidAuthenticationToken"), NoConnection),
            (said(200), Unreachable),
            (said(200, {"something": "else"}), Unreachable),
            (httpx.ConnectError("no route"), Unreachable),
            (httpx.ReadTimeout("silence"), Unreachable),
        ],
        ids=lambda value: str(getattr(value, "status_code", value)),
    )
    def test_that_fails_says_what_failed_and_where(self, wire, reader, ask, answer, expected):
        wire.answers(answer)
        with pytest.raises(DirectoryError) as caught:
            ask(reader)
        assert type(caught.value) is expected
        assert TENANT in str(caught.value)
        assert "hanged" in str(caught.value)
