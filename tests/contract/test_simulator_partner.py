"""The simulated partner: relationships as Graph lists them, and the sign-in that opens customers' tenants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jwt
import pytest

from msp.simulator import control, delegation
from msp.simulator.state import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, SimTenant, SimUser
from tests.support.reference import reference_needed, sample
from tests.support.simulated import APP, PASSWORD, Microsoft, microsoft

MAY_READ = ("DelegatedAdminRelationship.Read.All", "Directory.Read.All")
SCOPES = ("User.Read.All", "UserAuthenticationMethod.ReadWrite.All", "User-PasswordProfile.ReadWrite.All")
RELATIONSHIPS = "/tenantRelationships/delegatedAdminRelationships"
NEW = "Another-Password-7!"


class Partner:
    """A reseller at the simulator: a user in a group, which a relationship gives a role in Contoso."""

    def __init__(self, made: Microsoft) -> None:
        self.made, self.cloud = made, made.cloud
        self.home: SimTenant = made.cloud.add_tenant("Reseller", "reseller.example")
        self.user: SimUser = made.cloud.add_user(self.home.id, "gdap", "Gdap", PASSWORD, roles=())
        self.group = delegation.add_group(self.cloud, self.home.id, [self.user.id])
        self.relationship = delegation.add_relationship(
            self.cloud, self.home.id, made.contoso.id, roles=[PRIVILEGED_AUTHENTICATION_ADMINISTRATOR], group=self.group
        )
        delegation.consent_delegated(self.cloud, APP, made.contoso.id, SCOPES)
        self.refresh_token = delegation.partner_refresh_token(self.cloud, self.home.id, self.user.upn, APP)

    def redeem(self, token: str = "", tenant: str = "") -> Any:
        return self.made.ask_token(tenant, grant_type="refresh_token", refresh_token=token or self.refresh_token)

    def code(self) -> int:
        return int(self.redeem().json()["error_codes"][0])

    def graph(self, method: str, path: str, **sent: Any) -> Any:
        bearer = {"Authorization": f"Bearer {self.redeem().json()['access_token']}"}
        return self.made.http.request(method, f"/v1.0{path}", headers=bearer, **sent)

    def sets_the_password(self) -> int:
        profile = {"passwordProfile": {"password": NEW, "forceChangePasswordNextSignIn": False}}
        return int(self.graph("PATCH", f"/users/{self.made.shared.id}", json=profile).status_code)


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[Partner]:
    with microsoft(tmp_path) as made:
        yield Partner(made)


class TheRelationships:
    def read(self, partner: Partner, path: str = RELATIONSHIPS, **query: str) -> Any:
        partner.cloud.consent(APP, partner.home.id, permissions=MAY_READ)
        token, _ = partner.cloud.issue_token(partner.home, APP)
        bearer = {"Authorization": f"Bearer {token}"}
        return partner.made.http.get(f"/v1.0{path}", headers=bearer, params=query or None).json()

    def test_say_whose_customer_until_when_and_with_which_roles(self, partner: Partner) -> None:
        (one,) = self.read(partner)["value"]
        assert one["customer"]["tenantId"] == partner.made.contoso.id
        assert one["id"].endswith(partner.made.contoso.id)
        assert one["accessDetails"]["unifiedRoles"] == [{"roleDefinitionId": PRIVILEGED_AUTHENTICATION_ADMINISTRATOR}]
        assert (one["status"], one["duration"], one["autoExtendDuration"]) == ("active", "P365D", "PT0S")

    @pytest.mark.parametrize(("days", "extends", "status"), [
        (336, False, "expiring"), (366, False, "expired"), (336, True, "active"), (366, True, "active"),
    ])  # fmt: skip
    def test_follow_the_clock(self, partner: Partner, days: int, extends: bool, status: str) -> None:
        partner.relationship.auto_extends = extends
        partner.cloud.advance(days * 86_400)
        assert self.read(partner)["value"][0]["status"] == status

    def test_end_later_each_time_they_extend_themselves(self, partner: Partner) -> None:
        partner.relationship.auto_extends = True
        ends = []
        for _ in range(3):
            ends.append(dt.datetime.fromisoformat(self.read(partner)["value"][0]["endDateTime"]))
            assert ends[-1] > partner.cloud.now()
            partner.cloud.advance((ends[-1] - partner.cloud.now()).total_seconds() + 60)
        assert [later - sooner for sooner, later in pairwise(ends)] == [dt.timedelta(days=180)] * 2

    def test_come_page_by_page(self, partner: Partner) -> None:
        customer = partner.cloud.add_tenant("Fabrikam", "fabrikam.example")
        other = delegation.add_relationship(
            partner.cloud, partner.home.id, customer.id, roles=[GLOBAL_ADMINISTRATOR], group=partner.group
        )
        first = self.read(partner, **{"$top": "1"})
        link = first["@odata.nextLink"].removeprefix(f"{partner.made.url}/v1.0")
        last = self.read(partner, link)
        shown = {one["id"] for one in first["value"] + last["value"]}
        assert shown == {partner.relationship.id, other.id}
        assert "@odata.nextLink" not in last

    def test_cannot_be_had_more_than_three_hundred_at_a_time(self, partner: Partner) -> None:
        assert self.read(partner, **{"$top": "301"})["error"]["code"] == "Request_BadRequest"

    def test_have_the_documented_fields(self, partner: Partner) -> None:
        reference_needed()
        assignments = f"{RELATIONSHIPS}/{partner.relationship.id}/accessAssignments"
        customers = "/tenantRelationships/delegatedAdminCustomers"
        for path, name in (
            (RELATIONSHIPS, "delegatedAdminRelationships-list"),
            (assignments, "delegatedAdmin-accessAssignments-list"),
            (customers, "delegatedAdminCustomers-list"),
        ):
            (shown,), (documented,) = self.read(partner, path)["value"], sample(name)["value"]
            assert shown.keys() == documented.keys()

    def test_say_which_group_holds_them(self, partner: Partner) -> None:
        (one,) = self.read(partner, f"{RELATIONSHIPS}/{partner.relationship.id}/accessAssignments")["value"]
        assert one["accessContainer"] == {
            "accessContainerId": partner.group,
            "accessContainerType": "securityGroup",
        }

    def test_name_the_customers(self, partner: Partner) -> None:
        (one,) = self.read(partner, "/tenantRelationships/delegatedAdminCustomers")["value"]
        assert (one["id"], one["displayName"]) == (partner.made.contoso.id, "Contoso")

    def test_are_not_where_another_cloud_is(self, partner: Partner) -> None:
        partner.home.cloud = "us_gov_l4"
        said = self.read(partner)["error"]["message"]
        assert said == "Resource not found for the segment 'delegatedAdminRelationships'."


class TheContracts:
    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({}, ["Contoso", "Fabrikam"]),
            ({"$filter": "displayName eq 'Fabrikam'"}, ["Fabrikam"]),
            ({"$filter": "defaultDomainName eq 'contoso.example'"}, ["Contoso"]),
            ({"$filter": "customerId eq 'nobody'"}, []),
        ],
    )
    def test_are_the_partners_and_can_be_asked_for(
        self, partner: Partner, query: dict[str, str], names: list[str]
    ) -> None:
        for number, name in enumerate(("Contoso", "Fabrikam")):
            partner.home.contracts.append(
                {"id": str(number), "customerId": f"c-{number}", "displayName": name,
                 "defaultDomainName": f"{name.lower()}.example"}
            )  # fmt: skip
        found = TheRelationships().read(partner, "/contracts", **query)
        assert [one["displayName"] for one in found["value"]] == names

    def test_refuse_a_question_that_they_do_not_understand(self, partner: Partner) -> None:
        found = TheRelationships().read(partner, "/contracts", **{"$filter": "contractType eq 'Contract'"})
        assert found["error"]["code"] == "Request_UnsupportedQuery"


class WhenThePartnerRedeemsARefreshToken:
    def test_the_token_names_the_person_and_what_was_consented(self, partner: Partner) -> None:
        claims = jwt.decode(partner.redeem().json()["access_token"], options={"verify_signature": False})
        assert (claims["tid"], claims["oid"]) == (partner.made.contoso.id, partner.user.id)
        assert set(claims["scp"].split()) == set(SCOPES)
        assert "roles" not in claims

    def test_a_tenant_that_never_heard_of_the_application_lacks_its_consent(self, partner: Partner) -> None:
        partner.cloud.withdraw_consent(APP, partner.made.contoso.id)
        partner.made.contoso.scopes.clear()
        assert partner.code() == 65001

    def test_the_token_does_in_the_customers_tenant_what_the_role_allows(self, partner: Partner) -> None:
        assert partner.sets_the_password() == 204
        assert partner.made.shared.password == NEW

    def test_a_role_that_is_too_low_is_refused(self, partner: Partner) -> None:
        partner.relationship.grants[0]["roles"] = ["729827e3-9c14-49f7-bb1b-9608f156bbb8"]
        assert partner.made.shared.roles == [GLOBAL_ADMINISTRATOR]
        assert partner.sets_the_password() == 403
        assert partner.made.shared.password == PASSWORD

    def test_a_scope_that_was_not_consented_is_refused(self, partner: Partner) -> None:
        delegation.consent_delegated(partner.cloud, APP, partner.made.contoso.id, ["User.Read.All"])
        assert partner.sets_the_password() == 403

    def test_a_new_refresh_token_comes_along_and_both_are_good(self, partner: Partner) -> None:
        new = partner.redeem().json()["refresh_token"]
        assert new != partner.refresh_token
        assert partner.redeem(new).status_code == partner.redeem().status_code == 200

    def test_the_partners_own_tenant_needs_no_relationship(self, partner: Partner) -> None:
        delegation.consent_delegated(partner.cloud, APP, partner.home.id, SCOPES)
        assert partner.redeem(tenant=partner.home.id).status_code == 200

    @pytest.mark.parametrize(
        ("what", "code"),
        [
            (lambda p: p.cloud.change_password_as_person(p.home.id, p.user.id, NEW), 50173),
            (lambda p: p.cloud.revoke(p.home, p.user, by="person"), 50173),
            (lambda p: p.cloud.advance(91 * 86_400), 700082),
            (lambda p: setattr(p.user, "at_risk", True), 530034),
            (lambda p: setattr(p.user, "enabled", False), 50057),
            (lambda p: p.made.contoso.scopes.clear(), 65001),
            (lambda p: p.home.groups.update({p.group: []}), 90099),
            (lambda p: setattr(p.relationship, "status", "terminated"), 90099),
            (lambda p: setattr(p, "refresh_token", "0.somebody-made-this-up"), 70008),
        ],
        ids=["new password", "revoked", "unused", "at risk", "disabled", "no consent", "not in the group", "ended",
             "unknown"],
    )  # fmt: skip
    def test_the_code_says_why_not(self, partner: Partner, what: Any, code: int) -> None:
        what(partner)
        assert partner.code() == code

    def test_an_application_that_does_not_prove_itself_gets_nothing(self, partner: Partner) -> None:
        answer = partner.made.ask_token(
            grant_type="refresh_token", refresh_token=partner.refresh_token, client_secret="wrong"
        )
        assert answer.json()["error_codes"] == [7000215]


class WhenThePartnerIsSetUpFromOutside:
    def test_consent_and_sign_in_by_the_control_api_open_the_tenant(self, partner: Partner) -> None:
        customer = partner.cloud.add_tenant("Fabrikam", "fabrikam.example")
        delegation.add_relationship(
            partner.cloud, partner.home.id, customer.id, roles=[GLOBAL_ADMINISTRATOR], group=partner.group
        )
        asked = {"client_id": APP, "tenant": customer.id, "scopes": list(SCOPES)}
        control.do(partner.cloud, "consents/delegated", asked)
        kept = control.do(
            partner.cloud, "partner/sign-in", {"tenant": partner.home.id, "upn": partner.user.upn, "client_id": APP}
        )
        assert partner.redeem(kept["refresh_token"], customer.id).status_code == 200
