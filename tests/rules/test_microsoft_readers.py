"""A whole tenant and the partner's view: what each answer of Microsoft becomes in our words."""

from __future__ import annotations

import base64
import datetime as dt
import json
import weakref
from collections.abc import Callable
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from msp.errors import (
    AccountMissing,
    Busy,
    DirectoryError,
    NeedsLicence,
    NoConnection,
    NotAllowed,
    NotInThisCloud,
    Refused,
    Unreachable,
)
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.partner_ports import Grant, Partner, PartnerCustomer
from msp.microsoft.ports import Access, AccountRef, FoundAccount
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


@pytest.fixture
def partner(wire: Wire) -> Partner:
    return Graph(Connection("client-1", client_secret="s"), wire=wire).partner(TENANT, "global")


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


def many_users(count: int, size: int) -> Callable[[httpx.Request], httpx.Response]:
    """A tenant of `count` users, `size` of them on a page."""

    def answer(request: httpx.Request) -> httpx.Response:
        first = int(dict(request.url.params).get("$skiptoken", "0"))
        names = range(first, min(first + size, count))
        items = [{"id": f"u{n}", "userPrincipalName": f"u{n}@c.example", "displayName": f"User {n}"} for n in names]
        more = f"https://graph.microsoft.com/v1.0/users?$skiptoken={first + size}" if first + size < count else ""
        return listing(*items, next_link=more)

    return answer


class WhenUsersAreRead:
    def test_ten_thousand_come_page_by_page_each_once(self, wire, reader):
        wire.answers(many_users(10_000, 999))
        assert [user.object_id for user in reader.users()] == [f"u{n}" for n in range(10_000)]
        assert asked(wire, 0)[1]["$top"] == "999"

    def test_the_next_page_is_asked_for_only_when_it_is_needed(self, wire, reader):
        wire.answers(many_users(10_000, 999))
        users = reader.users()
        assert next(users) == FoundAccount("u0", "u0@c.example", "User 0")
        assert len(wire.graph_requests) == 1

    def test_none_that_was_passed_on_is_kept_in_memory(self, wire, reader):
        wire.answers(many_users(3_000, 999))
        alive: weakref.WeakSet[FoundAccount] = weakref.WeakSet()
        most = 0
        for user in reader.users():
            alive.add(user)
            most = max(most, len(alive))
        assert most <= 2

    @pytest.mark.parametrize("text", ["o'neil", "50% & more?", "a b#c+d", "Zoë"])
    def test_a_beginning_is_quoted_so_that_it_stays_one_text(self, wire, reader, text):
        wire.answers(listing())
        assert list(reader.users(starts_with=text)) == []
        literal = "'" + text.replace("'", "''") + "'"
        wanted = f"startsWith(displayName,{literal}) or startsWith(userPrincipalName,{literal})"
        path, options = asked(wire)
        assert (path, options["$filter"]) == ("/v1.0/users", wanted)

    def test_one_is_found_by_id_or_name(self, wire, reader):
        wire.answers(said(200, {"id": USER, "userPrincipalName": "admin@contoso.example", "displayName": None}))
        assert reader.find("admin@contoso.example") == FoundAccount(USER, "admin@contoso.example", "")

    def test_a_guests_name_is_found_whole(self, wire, reader):
        wire.answers(said(200, {"id": USER}))
        reader.find("ana_x.example#EXT#@contoso.example")
        assert b"ana_x.example%23EXT%23@contoso.example" in wire.graph_requests[0].url.raw_path

    def test_nobody_is_found_as_nobody(self, wire, reader):
        wire.answers(fault(404, "Request_ResourceNotFound"))
        assert reader.find("nobody@contoso.example") is None

    def test_no_name_is_nobody_and_not_everybody(self, wire, reader):
        assert reader.find("") is None
        assert wire.graph_requests == []

    def test_not_being_allowed_is_not_nobody(self, wire, reader):
        wire.answers(fault(403, "Authorization_RequestDenied"))
        with pytest.raises(NotAllowed, match=r"User\.Read\.All"):
            reader.find("admin@contoso.example")

    def test_the_facts_for_the_check_are_those_that_were_asked_for(self, wire, reader):
        wire.answers(said(200, {"userPrincipalName": "a@c.example", "userType": "Guest", "mobilePhone": "+1 555"}))
        facts = reader.raw_properties(ACCOUNT)
        assert (facts["userType"], facts["isManagementRestricted"]) == ("Guest", None)
        assert "mobilePhone" not in facts

    def test_the_facts_of_nobody_are_an_error(self, wire, reader):
        wire.answers(fault(404, "Request_ResourceNotFound"))
        with pytest.raises(AccountMissing, match=r"admin@contoso\.example"):
            reader.raw_properties(ACCOUNT)


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


def sign_in(name: str, at: str, **more: object) -> dict:
    return {"id": name, "createdDateTime": at, "userId": USER, "status": {"errorCode": 0}} | more


class WhenLogsAreRead:
    def test_the_audit_log_is_asked_for_from_before_the_newest_event(self, wire, reader):
        wire.answers(listing({"id": "a", "activityDateTime": "2026-11-20T12:05:00Z"}, {"id": "no time"}))
        events, cursor = reader.audits(Cursor(NOON))
        assert [event.event_id for event in events] == ["a"]
        assert cursor.newest == NOON + dt.timedelta(minutes=5)
        assert asked(wire) == (
            "/v1.0/auditLogs/directoryAudits",
            {"$filter": "activityDateTime ge 2026-11-20T11:45:00Z"},
        )

    def test_every_page_of_it_is_read(self, wire, reader):
        more = "https://graph.microsoft.com/v1.0/auditLogs/directoryAudits?$skiptoken=x"
        second = {"id": "b", "activityDateTime": "2026-11-20T12:01:00Z"}
        wire.answers(listing({"id": "a", "activityDateTime": "2026-11-20T12:05:00Z"}, next_link=more), listing(second))
        events, _ = reader.audits(Cursor(NOON))
        assert [event.event_id for event in events] == ["b", "a"]

    def test_a_page_that_fails_fails_the_reading_so_that_nothing_is_lost(self, wire, reader):
        more = "https://graph.microsoft.com/v1.0/auditLogs/directoryAudits?$skiptoken=x"
        wire.answers(
            listing({"id": "a", "activityDateTime": "2026-11-20T12:05:00Z"}, next_link=more),
            fault(429, "TooManyRequests"),
        )
        with pytest.raises(Busy):
            reader.audits(Cursor(NOON))

    def test_sign_ins_are_those_of_one_account_with_and_without_a_person(self, wire, reader):
        wire.answers(listing(sign_in("s", "2026-11-20T12:05:00Z", isInteractive=False)))
        events, _ = reader.sign_ins(ACCOUNT, Cursor(NOON))
        assert [(event.event_id, event.interactive) for event in events] == [("s", False)]
        path, options = asked(wire)
        assert path == "/beta/auditLogs/signIns"
        assert options["$filter"] == (
            f"userId eq '{USER}' and createdDateTime ge 2026-11-20T11:45:00Z and "
            "signInEventTypes/any(t: t eq 'interactiveUser' or t eq 'nonInteractiveUser')"
        )

    def test_an_account_without_an_id_is_asked_for_by_name(self, wire, reader):
        wire.answers(listing())
        reader.sign_ins(AccountRef(TENANT, "", "O'Neil@Contoso.example"), Cursor(NOON))
        assert asked(wire)[1]["$filter"].startswith("userPrincipalName eq 'o''neil@contoso.example' and ")

    @pytest.mark.parametrize("status", [400, 404])
    def test_where_beta_says_no_v1_is_read(self, wire, reader, status):
        wire.answers(fault(status, "BadRequest"), listing(sign_in("s", "2026-11-20T12:05:00Z")))
        events, _ = reader.sign_ins(ACCOUNT, Cursor(NOON))
        assert [event.event_id for event in events] == ["s"]
        path, options = asked(wire)
        assert path == "/v1.0/auditLogs/signIns"
        assert options["$filter"] == f"userId eq '{USER}' and createdDateTime ge 2026-11-20T11:45:00Z"

    def test_a_busy_beta_is_not_a_reason_to_read_less(self, wire, reader):
        wire.answers(fault(429, "TooManyRequests"), listing())
        with pytest.raises(Busy):
            reader.sign_ins(ACCOUNT, Cursor(NOON))


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


RELATIONSHIP = {
    "id": f"44444444-cccc-4ccc-8ccc-444444444444-{TENANT}",
    "displayName": "Helpdesk",
    "customer": {"tenantId": TENANT, "displayName": "Northwind"},
    "accessDetails": {"unifiedRoles": [{"roleDefinitionId": PAA}, {"roleDefinitionId": None}]},
    "status": "active",
    "autoExtendDuration": "P180D",
    "endDateTime": "2028-02-10T11:24:42.3148266Z",
}


class WhenThePartnerIsRead:
    def test_each_relationship_says_with_whom_until_when_and_which_roles(self, wire, partner):
        wire.answers(listing(RELATIONSHIP))
        (found,) = partner.relationships()
        assert (found.customer_tenant_id, found.customer_name, found.display_name) == (TENANT, "Northwind", "Helpdesk")
        assert (found.active, found.auto_extends, found.roles) == (True, True, {PAA})
        assert found.ends_at == dt.datetime(2028, 2, 10, 11, 24, 42, 314826, tzinfo=dt.UTC)
        assert asked(wire) == ("/v1.0/tenantRelationships/delegatedAdminRelationships", {"$top": "300"})

    @pytest.mark.parametrize("duration", ["PT0S", "", None])
    def test_one_that_is_not_prolonged_is_told_as_such(self, wire, partner, duration):
        wire.answers(listing(RELATIONSHIP | {"autoExtendDuration": duration}))
        assert not next(partner.relationships()).auto_extends

    def test_one_that_nobody_accepted_yet_has_no_customer(self, wire, partner):
        wire.answers(listing(RELATIONSHIP | {"customer": None, "accessDetails": None, "status": "approvalPending"}))
        (found,) = partner.relationships()
        assert (found.customer_tenant_id, found.roles, found.active) == ("", frozenset(), False)

    def test_every_page_of_relationships_is_read(self, wire, partner):
        more = "https://graph.microsoft.com/v1.0/tenantRelationships/delegatedAdminRelationships?$skiptoken=x"
        wire.answers(listing(RELATIONSHIP, next_link=more), listing(RELATIONSHIP | {"id": "second"}))
        assert [found.relationship_id for found in partner.relationships()][1] == "second"

    def test_the_grants_of_a_relationship_say_which_group_holds_which_roles(self, wire, partner):
        container = {"accessContainerId": "g-1", "accessContainerType": "securityGroup"}
        roles = {"unifiedRoles": [{"roleDefinitionId": PAA}]}
        wire.answers(listing({"id": "x", "status": "active", "accessContainer": container, "accessDetails": roles}))
        assert partner.grants_of("r-1") == (Grant("x", "g-1", "active", frozenset({PAA})),)
        assert asked(wire)[0] == "/v1.0/tenantRelationships/delegatedAdminRelationships/r-1/accessAssignments"

    def test_a_relationship_that_is_gone_is_not_a_missing_user(self, wire, partner):
        wire.answers(fault(404, "notFound"))
        with pytest.raises(Refused, match="no such relationship") as caught:
            partner.grants_of("r-1")
        assert type(caught.value) is Refused

    def test_customers_and_contracts_are_told(self, wire, partner):
        wire.answers(listing({"tenantId": TENANT, "displayName": "Northwind"}))
        assert list(partner.customers()) == [PartnerCustomer(TENANT, "Northwind")]
        contract = {"id": "c", "customerId": TENANT, "defaultDomainName": "n.example", "displayName": "Northwind"}
        wire.answers(listing(contract))
        wire._answers.popleft()
        assert list(partner.contracts()) == [PartnerCustomer(TENANT, "Northwind", "n.example")]

    @pytest.mark.parametrize("cloud", ["us_gov_l4", "us_gov_l5", "china"])
    @pytest.mark.parametrize(
        "ask",
        [lambda p: list(p.relationships()), lambda p: p.grants_of("r-1"), lambda p: list(p.customers())],
        ids=["relationships", "grants", "customers"],
    )
    def test_delegated_administration_is_asked_for_in_the_global_cloud_only(self, wire, cloud, ask):
        elsewhere = Graph(Connection("client-1", client_secret="s"), wire=wire).partner(TENANT, cloud)
        with pytest.raises(NotInThisCloud, match="nothing was sent"):
            ask(elsewhere)
        assert wire.graph_requests == []
