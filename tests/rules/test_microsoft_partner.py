"""The partner's view: whose customers there are, and what each answer of Microsoft becomes in our words."""

from __future__ import annotations

import datetime as dt

import pytest

from msp.errors import NotInThisCloud, Refused
from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.partner_ports import Grant, Partner, PartnerCustomer
from tests.rules.test_microsoft_readers import PAA, TENANT, asked, listing, wire
from tests.support.wire import Wire, fault

__all__ = ["wire"]


@pytest.fixture
def partner(wire: Wire) -> Partner:
    return Graph(Connection("client-1", client_secret="s"), wire=wire).partner(TENANT, "global")


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
