"""The simulated partner: relationships as Graph lists them, and the sign-in that opens customers' tenants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msp.simulator import delegation
from msp.simulator.state import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, SimTenant, SimUser
from tests.support.simulated import APP, PASSWORD, Microsoft, microsoft

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
    def read(self, partner: Partner, path: str = RELATIONSHIPS) -> Any:
        partner.cloud.consent(APP, partner.home.id, permissions=("DelegatedAdminRelationship.Read.All",))
        token, _ = partner.cloud.issue_token(partner.home, APP)
        return partner.made.http.get(f"/v1.0{path}", headers={"Authorization": f"Bearer {token}"}).json()

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

    def test_say_which_group_holds_them(self, partner: Partner) -> None:
        (one,) = self.read(partner, f"{RELATIONSHIPS}/{partner.relationship.id}/accessAssignments")["value"]
        assert one["accessContainer"] == {
            "accessContainerId": partner.group,
            "accessContainerType": "securityGroup",
        }

    def test_name_the_customers(self, partner: Partner) -> None:
        (one,) = self.read(partner, "/tenantRelationships/delegatedAdminCustomers")["value"]
        assert (one["id"], one["displayName"]) == (partner.made.contoso.id, "Contoso")


class WhenThePartnerRedeemsARefreshToken:
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
