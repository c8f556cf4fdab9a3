"""Reading tenants and the partner: every request against Microsoft's contract, every answer from a cloud in a box."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from msp.errors import AccountMissing, NeedsLicence, NotAllowed
from msp.microsoft import partner, tenant_reader
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.partner_ports import Partner
from msp.microsoft.ports import AccountRef, FoundAccount
from msp.microsoft.tenant_ports import Cursor, TenantReader
from msp.simulator import delegation
from msp.simulator.server import Simulator
from msp.simulator.state import DEFAULT_PERMISSIONS, GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from tests.support.box import CLIENT_ID
from tests.support.published import may_be_asked_by, misfits
from tests.support.reference import reference_needed, sample
from tests.support.wire import Wire, said

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
USER = "22222222-bbbb-4bbb-8bbb-222222222222"
ACCOUNT = AccountRef(TENANT, USER, "admin@contoso.example")
PASSWORD = "Old-Password-1!"
LONG_AGO = Cursor(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))

READINGS: dict[str, Callable[[TenantReader], object]] = {
    "organisation": lambda reader: reader.organisation(),
    "domains": lambda reader: reader.domains(),
    "roles_of": lambda reader: reader.roles_of(USER),
    "users": lambda reader: list(reader.users()),
    "users_by_beginning": lambda reader: list(reader.users(starts_with="o'n")),
    "find": lambda reader: reader.find(USER),
    "raw_properties": lambda reader: reader.raw_properties(ACCOUNT),
    "security_defaults": lambda reader: reader.security_defaults(),
    "method_policy": lambda reader: reader.method_policy(),
    "access_policies": lambda reader: reader.access_policies(),
    "registrations": lambda reader: list(reader.registrations()),
    "audits": lambda reader: reader.audits(LONG_AGO),
    "sign_ins": lambda reader: reader.sign_ins(ACCOUNT, LONG_AGO),
    "clock_difference": lambda reader: reader.clock_difference(),
}
PARTNERS: dict[str, Callable[[Partner], object]] = {
    "relationships": lambda partner: list(partner.relationships()),
    "grants_of": lambda partner: partner.grants_of("r-1"),
    "customers": lambda partner: list(partner.customers()),
    "contracts": lambda partner: list(partner.contracts()),
}
ANYTHING = {
    "value": [{"id": "1"}],
    "id": "1",
    "userPrincipalName": "a@b.example",
    "isEnabled": True,
    "authenticationMethodConfigurations": [],
}


class EveryReadingWeSend:
    @pytest.fixture(autouse=True)
    def _reference(self) -> None:
        reference_needed()

    @pytest.fixture
    def wire(self) -> Wire:
        wire = Wire()
        wire.answers(lambda _: said(200, ANYTHING, date="Fri, 20 Nov 2026 12:00:00 GMT"))
        return wire

    @pytest.mark.parametrize("ask", READINGS.values(), ids=READINGS)
    def test_of_a_tenant_is_published_with_its_options_and_names(self, wire, ask):
        ask(Graph(Connection("client-1", client_secret="s"), wire=wire).reader(TENANT, "global"))
        (request,) = wire.graph_requests
        assert misfits(request) == []

    @pytest.mark.parametrize("ask", PARTNERS.values(), ids=PARTNERS)
    def test_of_the_partner_is_published_with_its_options_and_names(self, wire, ask):
        ask(Graph(Connection("client-1", client_secret="s"), wire=wire).partner(TENANT, "global"))
        (request,) = wire.graph_requests
        assert misfits(request) == []

    def test_of_sign_ins_is_published_on_v1_too(self, wire):
        wire._answers.appendleft(said(400, {"error": {"code": "BadRequest", "message": ""}}))
        Graph(Connection("client-1", client_secret="s"), wire=wire).reader(TENANT, "global").sign_ins(ACCOUNT, LONG_AGO)
        assert [request.url.path for request in wire.graph_requests] == [
            "/beta/auditLogs/signIns",
            "/v1.0/auditLogs/signIns",
        ]
        assert misfits(wire.graph_requests[1]) == []

    @pytest.mark.parametrize(
        ("url", "wrong"),
        [
            ("/v1.0/users?$select=id,shoeSize", ["property shoeSize"]),
            ("/v1.0/users?$filter=shoeSize eq '1'", ["property shoeSize"]),
            ("/v1.0/users?$filter=startsWith(shoe,'x')", ["property shoe"]),
            ("/v1.0/users?$skip=1", ["option $skip"]),
        ],
    )
    def test_would_be_found_out_if_it_were_not(self, url, wrong):
        assert misfits(httpx.Request("GET", f"https://graph.microsoft.com{url}")) == wrong


class ThePermissions:
    @pytest.mark.parametrize(("module", "count"), [(tenant_reader, 11), (partner, 4)], ids=["reader", "partner"])
    def test_that_are_named_are_enough_by_microsofts_list(self, module, count):
        reference_needed()
        rows = re.findall(r"^\| ([A-Z]+) (\S.*?) +\| (\S+) +\|$", module.__doc__ or "", re.MULTILINE)
        assert len(rows) == count
        assert [row for row in rows if not may_be_asked_by(row[2], row[0], row[1])] == []

    def test_that_we_ask_a_tenant_for_open_every_reading_but_that_of_domains(self):
        needed = set(re.findall(r"^\| [A-Z]+ \S.*?\| (\S+) +\|$", tenant_reader.__doc__ or "", re.MULTILINE))
        assert needed - set(DEFAULT_PERMISSIONS) == {"Domain.Read.All"}


class TheDocumentedAnswers:
    @pytest.fixture(autouse=True)
    def _reference(self) -> None:
        reference_needed()

    @pytest.fixture
    def graph(self) -> Graph:
        self.wire = Wire()
        return Graph(Connection("client-1", client_secret="s"), wire=self.wire)

    def test_of_the_tenant_are_read(self, graph):
        reader = graph.reader(TENANT, "global")
        self.wire.answers(
            said(200, sample("securityDefaults-get")),
            said(200, sample("userRegistrationDetails-list")),
            said(200, sample("roleAssignments-list-expand-principal")),
            said(200, sample("directoryAudits-list")),
        )
        assert reader.security_defaults()
        assert next(reader.registrations()).kinds == ("microsoftAuthenticatorPush", "softwareOneTimePasscode")
        assert [role.template_id for role in reader.roles_of(USER)] == [GLOBAL_ADMINISTRATOR]
        events, _ = reader.audits(LONG_AGO)
        assert [event.activity for event in events] == ["Admin deleted security info"]

    def test_of_a_missing_licence_is_told_as_such(self, graph):
        self.wire.answers(said(403, sample("error-403-no-premium-licence")))
        with pytest.raises(NeedsLicence):
            graph.reader(TENANT, "global").sign_ins(ACCOUNT, LONG_AGO)

    def test_of_the_partner_are_read(self, graph):
        partner = graph.partner(TENANT, "global")
        self.wire.answers(
            said(200, sample("delegatedAdminRelationships-list")),
            said(200, sample("delegatedAdmin-accessAssignments-list")),
            said(200, sample("delegatedAdminCustomers-list")),
            said(200, sample("contracts-list")),
        )
        (relationship,) = partner.relationships()
        assert (relationship.active, relationship.auto_extends, len(relationship.roles)) == (True, True, 2)
        (grant,) = partner.grants_of(relationship.relationship_id)
        assert grant.roles < relationship.roles
        assert grant.group_id
        assert [customer.tenant_id for customer in partner.customers()] == [TENANT]
        assert [customer.domain for customer in partner.contracts()] == ["northwinddental.example"]


@dataclass
class Place:
    """One tenant with one shared account, and the reader of it."""

    box: Simulator
    tenant: str
    account: AccountRef
    reader: TenantReader

    @property
    def state(self) -> Any:
        return self.box.cloud.tenant(self.tenant)

    def grant(self, *permissions: str, roles: tuple[str, ...] = (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,)) -> None:
        self.box.cloud.consent(CLIENT_ID, self.tenant, permissions=permissions or DEFAULT_PERMISSIONS, roles=roles)


@pytest.fixture
def place(box, graph) -> Iterator[Place]:
    tenant = box.cloud.add_tenant("Contoso", domain=f"t{len(box.cloud.tenants)}.example")
    box.cloud.consent(CLIENT_ID, tenant.id)
    user = box.cloud.add_user(tenant.id, "admin", "Shared Admin", PASSWORD)
    yield Place(box, tenant.id, AccountRef(tenant.id, user.id, user.upn), graph.reader(tenant.id, "global"))
    box.cloud.faults.clear()
    box.cloud.knobs.reset()


class WhenATenantIsRead:
    def test_its_name_domains_and_licence_are_told(self, place):
        place.state.plans, place.state.federated = ["AAD_PREMIUM"], ["old.example"]
        found = place.reader.organisation()
        assert (found.tenant_id, found.display_name, found.default_domain) == (
            place.tenant,
            "Contoso",
            place.state.domain,
        )
        assert found.premium
        assert {d.name: d.federated for d in place.reader.domains()} == {place.state.domain: False, "old.example": True}

    def test_with_the_permission_its_domains_are_the_same(self, place):
        place.state.federated = ["old.example"]
        poor = place.reader.domains()
        place.grant(*DEFAULT_PERMISSIONS, "Domain.Read.All")
        place.box.cloud.expire_tokens(place.tenant)
        assert place.reader.domains() == poor

    def test_its_policies_are_told(self, place):
        place.state.policies.security_defaults = False
        place.state.policies.methods = {"HardwareOath": "enabled", "SoftwareOath": "disabled"}
        assert not place.reader.security_defaults()
        policy = place.reader.method_policy()
        assert policy.allows("HardwareOath")
        assert not policy.allows("SoftwareOath")

    def test_a_licence_is_needed_for_conditional_access(self, place):
        with pytest.raises(NeedsLicence):
            place.reader.access_policies()
        place.state.plans = ["AAD_PREMIUM"]
        assert place.reader.access_policies() == ()

    def test_a_licence_is_needed_for_the_registration_report(self, place):
        with pytest.raises(NeedsLicence):
            list(place.reader.registrations())
        place.state.plans = ["AAD_PREMIUM"]
        place.box.cloud.register(place.tenant, place.account.object_id, "software_oath")
        (line,) = place.reader.registrations()
        assert (line.object_id, line.admin, line.mfa_registered) == (place.account.object_id, True, True)
        assert "softwareOneTimePasscode" in line.kinds

    def test_its_clock_is_ours(self, place):
        assert abs(place.reader.clock_difference()) < 30

    def test_what_is_not_permitted_is_told_with_the_permission(self, place):
        place.grant("User.Read.All")
        place.box.cloud.expire_tokens(place.tenant)
        with pytest.raises(NotAllowed, match=r"Policy\.Read\.All"):
            place.reader.security_defaults()


class WhenOurOwnAccessIsRead:
    def test_permissions_and_roles_are_those_that_were_granted(self, place):
        own = place.reader.own_access()
        assert own.permissions == set(DEFAULT_PERMISSIONS)
        assert [role.template_id for role in own.roles] == [PRIVILEGED_AUTHENTICATION_ADMINISTRATOR]

    def test_a_new_consent_counts_at_once(self, place):
        place.reader.own_access()
        place.grant(*DEFAULT_PERMISSIONS, "Domain.Read.All", roles=())
        own = place.reader.own_access()
        assert "Domain.Read.All" in own.permissions
        assert own.roles == ()

    def test_the_roles_of_the_account_are_told_by_name(self, place):
        (role,) = place.reader.roles_of(place.account.object_id)
        assert (role.template_id, role.name, role.scope) == (GLOBAL_ADMINISTRATOR, "Global Administrator", "/")


class WhenUsersAreRead:
    def test_one_is_found_by_name_and_by_id_and_nobody_is_nobody(self, place):
        account = place.account
        found = FoundAccount(account.object_id, account.user_principal_name, "Shared Admin")
        assert place.reader.find(account.user_principal_name) == place.reader.find(account.object_id) == found
        assert place.reader.find(f"nobody@{place.state.domain}") is None

    def test_a_beginning_finds_names_and_user_names(self, place):
        for upn, name in (("oneil", "Shane O'Neil"), ("ops", "Operations"), ("zz", "O'Neil Junior")):
            place.box.cloud.add_user(place.tenant, upn, name, PASSWORD, roles=())
        assert {user.display_name for user in place.reader.users(starts_with="O'Neil")} == {"O'Neil Junior"}
        assert {user.display_name for user in place.reader.users(starts_with="o")} == {
            "Shane O'Neil",
            "Operations",
            "O'Neil Junior",
        }

    def test_ten_thousand_come_each_once(self, place):
        for number in range(9_999):
            place.box.cloud.add_user(place.tenant, f"user{number}", password=PASSWORD, roles=())
        found = {user.object_id for user in place.reader.users()}
        assert found == set(place.state.users)
        assert len(found) == 10_000

    def test_the_facts_for_the_check_are_told(self, box, place):
        upn = f"ana_x.example#EXT#@{place.state.domain}"
        guest = box.cloud.add_user(place.tenant, upn, "Ana", PASSWORD, user_type="Guest", synced=True, enabled=False)
        facts = place.reader.raw_properties(AccountRef(place.tenant, "", guest.upn))
        assert (facts["userType"], facts["onPremisesSyncEnabled"], facts["accountEnabled"]) == ("Guest", True, False)
        with pytest.raises(AccountMissing):
            place.reader.raw_properties(AccountRef(place.tenant, "", "nobody@x.example"))


class WhenTheAuditLogIsRead:
    def test_what_was_done_is_found_with_who_did_it_and_to_whom(self, place):
        place.box.cloud.change_password_as_person(place.tenant, place.account.object_id, "Another-Password-2!")
        events, _ = place.reader.audits(LONG_AGO)
        assert place.account.object_id in {target for event in events for target in event.targets}
        assert any("password" in event.activity.lower() for event in events)

    def test_each_event_is_told_once_however_late_and_often_it_comes(self, place):
        cloud = place.box.cloud
        cloud.log_delay, cloud.log_noise = (0, 300), 0.5
        cursor, told = LONG_AGO, list[str]()
        try:
            for number in range(12):
                method = cloud.register(place.tenant, place.account.object_id, "fido2", f"key {number}")
                cloud.remove_method_as_person(place.tenant, place.account.object_id, method.id)
                events, cursor = place.reader.audits(cursor)
                told += [event.event_id for event in events]
                cloud.advance(60)
            cloud.advance(600)
            events, cursor = place.reader.audits(cursor)
            told += [event.event_id for event in events]
        finally:
            cloud.log_delay, cloud.log_noise = (0, 0), 0
        happened = {event.body["id"] for event in place.state.audits}
        assert len(happened) >= 24
        assert sorted(told) == sorted(happened)


class WhenSignInsAreRead:
    def test_a_licence_is_needed(self, place):
        place.box.cloud.sign_in(place.tenant, place.account.object_id, PASSWORD)
        with pytest.raises(NeedsLicence):
            place.reader.sign_ins(place.account, LONG_AGO)

    def test_those_of_the_account_are_told_with_result_and_factor(self, place):
        cloud = place.box.cloud
        place.state.plans = ["AAD_PREMIUM"]
        other = cloud.add_user(place.tenant, "other", "Other", PASSWORD)
        cloud.sign_in(place.tenant, other.id, PASSWORD)
        method = cloud.register(place.tenant, place.account.object_id, "software_oath")
        cloud.sign_in(place.tenant, place.account.object_id, "wrong")
        code = cloud.code(place.tenant, place.account.object_id, method.id)
        cloud.sign_in(place.tenant, place.account.object_id, PASSWORD, code)
        events, cursor = place.reader.sign_ins(place.account, LONG_AGO)
        assert {event.object_id for event in events} == {place.account.object_id}
        (failed,) = [event for event in events if event.error == 50126]
        (good,) = [event for event in events if event.succeeded]
        assert not failed.factors
        assert "Software OATH token" in " ".join(good.factors)
        assert place.reader.sign_ins(place.account, cursor)[0] == ()


class WhenThePartnerIsRead:
    @pytest.fixture
    def msp(self, box, graph) -> Any:
        home = box.cloud.add_tenant("Reseller", domain=f"t{len(box.cloud.tenants)}.example")
        box.cloud.consent(CLIENT_ID, home.id, permissions=("DelegatedAdminRelationship.Read.All", "Directory.Read.All"))
        return home

    def test_relationships_grants_customers_and_contracts_are_told(self, box, graph, msp, place):
        cloud = box.cloud
        group = delegation.add_group(cloud, msp.id, [])
        delegation.add_relationship(
            cloud, msp.id, place.tenant, roles=[PRIVILEGED_AUTHENTICATION_ADMINISTRATOR], group=group, auto_extends=True
        )
        partner = graph.partner(msp.id, "global")
        (found,) = partner.relationships()
        assert (found.customer_tenant_id, found.customer_name, found.status) == (place.tenant, "Contoso", "active")
        assert (found.active, found.auto_extends) == (True, True)
        assert found.roles == {PRIVILEGED_AUTHENTICATION_ADMINISTRATOR}
        assert found.ends_at > cloud.now()
        (granted,) = partner.grants_of(found.relationship_id)
        assert (granted.group_id, granted.roles) == (group, found.roles)
        assert [customer.tenant_id for customer in partner.customers()] == [place.tenant]
        msp.contracts.append(
            {"id": "c-1", "customerId": place.tenant, "displayName": "Contoso", "defaultDomainName": "contoso.example"}
        )
        assert [(one.tenant_id, one.domain) for one in partner.contracts()] == [(place.tenant, "contoso.example")]

    def test_more_than_a_page_of_relationships_come_each_once(self, box, graph, msp):
        group = delegation.add_group(box.cloud, msp.id, [])
        for number in range(310):
            customer = box.cloud.add_tenant(f"Customer {number}", domain=f"c{number}.{msp.domain}")
            delegation.add_relationship(box.cloud, msp.id, customer.id, roles=[GLOBAL_ADMINISTRATOR], group=group)
        found = [one.relationship_id for one in graph.partner(msp.id, "global").relationships()]
        assert len(found) == len(set(found)) == 310

    def test_without_the_permission_it_is_named(self, graph, place):
        with pytest.raises(NotAllowed, match=r"DelegatedAdminRelationship\.Read\.All"):
            list(graph.partner(place.tenant, "global").relationships())
