"""The tenant as a whole at the simulated Graph: what it is, what it allows, who may do what, and how fast."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msp.simulator import organisation, roles, rules
from msp.simulator.state import (
    DEFAULT_PERMISSIONS,
    GLOBAL_ADMINISTRATOR,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
)
from tests.contract.test_simulator_openapi import faults_in, unknown_names
from tests.support.reference import current_types, reference_needed, sample
from tests.support.simulated import APP, Microsoft, microsoft

NEW = "Fresh-Secret-2"
POLICY = "/policies/authenticationMethodsPolicy"
CONFIGURATIONS = f"{POLICY}/authenticationMethodConfigurations"
REPORT = "/reports/authenticationMethods/userRegistrationDetails"
ACCESS = "/identity/conditionalAccess/policies"
ASSIGNMENTS = "/roleManagement/directory/roleAssignments"
EVENTUAL = {"ConsistencyLevel": "eventual"}
NOT_PREMIUM = (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        made.grant((*DEFAULT_PERMISSIONS, "Domain.Read.All", "Application.Read.All"))
        yield made


def value(cloud: Microsoft, path: str, version: str = "v1.0", **sent: Any) -> list[dict[str, Any]]:
    answer = cloud.graph("GET", path, version, **sent)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def keeps_the_contract(body: dict[str, Any], type_name: str, path: str) -> None:
    reference_needed()
    shown = {name: one for name, one in body.items() if not name.startswith("@odata.")}
    assert faults_in(shown, f"microsoft.graph.{type_name}", "v1.0", path) == []
    # resourceScope stands in the documented sample of a role assignment, and not in the schema.
    assert unknown_names(shown, f"microsoft.graph.{type_name}", "v1.0", path) <= {"resourceScope"}


class TheOrganisation:
    def test_tells_its_plans_by_id_and_service(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM", "INTUNE_A"]
        (found,) = value(cloud, "/organization")
        assert {plan["capabilityStatus"] for plan in found["assignedPlans"]} == {"Enabled"}
        assert found["assignedPlans"][0]["servicePlanId"] == organisation.PLAN_IDS["AAD_PREMIUM"]
        assert found["assignedPlans"][0]["service"] == "AADPremiumService"
        assert uuid.UUID(found["assignedPlans"][1]["servicePlanId"])
        keeps_the_contract(found, "organization", "/organization")

    def test_is_synced_as_soon_as_one_of_its_users_is(self, cloud: Microsoft) -> None:
        assert value(cloud, "/organization")[0]["onPremisesSyncEnabled"] is None
        cloud.shared.synced = True
        assert value(cloud, "/organization")[0]["onPremisesSyncEnabled"] is True

    def test_tells_which_domain_signs_in_elsewhere(self, cloud: Microsoft) -> None:
        cloud.contoso.federated = ["Partner.example"]
        found = {one["id"]: one for one in value(cloud, "/domains")}
        assert {name: one["authenticationType"] for name, one in found.items()} == {
            "contoso.example": "Managed",
            "partner.example": "Federated",
        }
        assert [name for name, one in found.items() if one["isDefault"]] == ["contoso.example"]
        for one in found.values():
            keeps_the_contract(one, "domain", "/domains")
        assert cloud.graph("GET", "/domains/partner.example").json()["authenticationType"] == "Federated"
        assert cloud.graph("GET", "/domains/elsewhere.example").status_code == 404
        assert {d["name"]: d["type"] for d in value(cloud, "/organization")[0]["verifiedDomains"]}[
            "partner.example"
        ] == "Federated"


class ThePolicies:
    @pytest.mark.parametrize("on", [True, False])
    def test_tell_whether_security_defaults_are_on(self, cloud: Microsoft, on: bool) -> None:
        cloud.contoso.policies.security_defaults = on
        found = cloud.graph("GET", "/policies/identitySecurityDefaultsEnforcementPolicy").json()
        assert found["isEnabled"] is on
        reference_needed()
        documented = sample("securityDefaults-get")
        assert (found.keys(), found["id"]) == (documented.keys(), documented["id"])

    def test_allow_the_usual_methods_of_a_new_tenant(self, cloud: Microsoft) -> None:
        found = cloud.graph("GET", POLICY, "beta").json()
        states = {one["id"]: one["state"] for one in found["authenticationMethodConfigurations"]}
        assert {name for name, state in states.items() if state == "disabled"} == {
            "HardwareOath",
            "TemporaryAccessPass",
        }
        assert {name for name in states if organisation.policy_allows(cloud.contoso, name.lower())} == {
            name for name, state in states.items() if state == "enabled"
        }

    def test_keep_the_published_schema(self, cloud: Microsoft) -> None:
        found = cloud.graph("GET", POLICY).json()
        keeps_the_contract(found, "authenticationMethodsPolicy", POLICY.lower())
        for one in found["authenticationMethodConfigurations"]:
            type_name = one["@odata.type"].removeprefix("#microsoft.graph.")
            assert f'<EntityType Name="{type_name}"' in current_types()
            assert faults_in(one, "microsoft.graph.authenticationMethodConfiguration", "v1.0", POLICY.lower()) == []

    def test_hide_from_v1_what_only_beta_has(self, cloud: Microsoft) -> None:
        v1, beta = ({one["id"] for one in value(cloud, CONFIGURATIONS, version)} for version in ("v1.0", "beta"))
        assert beta - v1 == {"HardwareOath"}
        assert cloud.graph("GET", f"{CONFIGURATIONS}/hardwareOath").status_code == 404

    def test_are_switched_for_one_kind(self, cloud: Microsoft) -> None:
        cloud.grant((*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod"))
        assert not organisation.policy_allows(cloud.contoso, "hardwareOath")
        path, asked = f"{CONFIGURATIONS}/hardwareOath", {"state": "enabled"}
        assert cloud.graph("PATCH", path, "beta", json=asked).status_code == 204
        assert organisation.policy_allows(cloud.contoso, "hardwareOath")
        assert cloud.graph("GET", path, "beta").json()["state"] == "enabled"

    @pytest.mark.parametrize("asked", [{"state": "perhaps"}, {}, {"state": "enabled", "colour": "red"}])
    def test_are_not_switched_by_nonsense(self, cloud: Microsoft, asked: dict[str, str]) -> None:
        cloud.grant((*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod"))
        answer = cloud.graph("PATCH", f"{CONFIGURATIONS}/sms", json=asked)
        assert refusal(answer) == (400, "Request_BadRequest")
        assert organisation.policy_allows(cloud.contoso, "Sms")

    def test_are_not_switched_by_a_cloud_that_lies(self, cloud: Microsoft) -> None:
        cloud.grant((*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod"))
        cloud.cloud.knobs.set(lies=True)
        assert cloud.graph("PATCH", f"{CONFIGURATIONS}/sms", json={"state": "disabled"}).status_code == 204
        assert organisation.policy_allows(cloud.contoso, "Sms")

    def test_do_not_switch_a_kind_that_does_not_exist(self, cloud: Microsoft) -> None:
        cloud.grant((*DEFAULT_PERMISSIONS, "Policy.ReadWrite.AuthenticationMethod"))
        answer = cloud.graph("PATCH", f"{CONFIGURATIONS}/telepathy", json={"state": "enabled"})
        assert answer.status_code == 404

    def test_of_conditional_access_need_a_licence(self, cloud: Microsoft) -> None:
        assert refusal(cloud.graph("GET", ACCESS)) == NOT_PREMIUM

    def test_of_conditional_access_are_listed(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM_P2"]
        cloud.contoso.policies.conditional_access = [
            {"displayName": "No legacy", "blocks": "ropc"},
            {"state": "disabled"},
        ]
        first, second = value(cloud, ACCESS)
        assert (first["displayName"], first["state"]) == ("No legacy", "enabled")
        assert first["grantControls"]["builtInControls"] == ["block"]
        assert second["state"] == "disabled"
        assert cloud.graph("GET", f"{ACCESS}/{second['id']}").json()["state"] == "disabled"
        for one in (first, second):
            keeps_the_contract(one, "conditionalAccessPolicy", ACCESS.lower())


class TheRegistrationReport:
    def test_needs_a_licence(self, cloud: Microsoft) -> None:
        assert refusal(cloud.graph("GET", REPORT)) == NOT_PREMIUM

    def test_counts_kinds_and_not_devices(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        for kind in ("software_oath", "software_oath", "microsoft_authenticator", "phone", "fido2"):
            cloud.registers(kind)
        (line,) = value(cloud, REPORT)
        assert line["methodsRegistered"] == [
            "softwareOneTimePasscode",
            "microsoftAuthenticatorPush",
            "mobilePhone",
            "passKeyDeviceBound",
        ]
        assert (line["id"], line["isAdmin"], line["isMfaRegistered"]) == (cloud.shared.id, True, True)
        assert line["userPreferredMethodForSecondaryAuthentication"] == "oath"
        keeps_the_contract(line, "userRegistrationDetails", REPORT.lower())
        assert line.keys() == sample("userRegistrationDetails-list")["value"][0].keys()

    def test_is_filtered_and_paged(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        for number in range(5):
            cloud.cloud.add_user(cloud.contoso.id, f"user-{number}", roles=())
        assert [one["id"] for one in value(cloud, REPORT, params={"$filter": "isAdmin eq true"})] == [cloud.shared.id]
        by_name = {"$filter": f"userPrincipalName eq '{cloud.shared.upn}'"}
        assert [one["id"] for one in value(cloud, REPORT, params=by_name)] == [cloud.shared.id]
        answer = cloud.graph("GET", f"{REPORT}?$top=4").json()
        rest = cloud.http.get(answer["@odata.nextLink"], headers=cloud.bearer).json()
        assert len({one["id"] for one in answer["value"] + rest["value"]}) == 6
        assert "@odata.nextLink" not in rest

    def test_has_one_line_for_one_user(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        found = cloud.graph("GET", f"{REPORT}/{cloud.shared.id}").json()
        assert (found["userPrincipalName"], found["isMfaRegistered"]) == (cloud.shared.upn, False)
        assert cloud.graph("GET", f"{REPORT}/nobody").status_code == 404


class TheRoles:
    def test_of_a_user_are_named_when_expanded(self, cloud: Microsoft) -> None:
        query = {"$filter": f"principalId eq '{cloud.shared.id}'", "$expand": "roleDefinition"}
        (row,) = value(cloud, ASSIGNMENTS, params=query)
        assert row["roleDefinition"]["displayName"] == "Global Administrator"
        keeps_the_contract(row, "unifiedRoleAssignment", ASSIGNMENTS.lower())

    def test_tell_their_holders_people_and_applications(self, cloud: Microsoft) -> None:
        consent = cloud.contoso.consents[APP]
        expected = {
            GLOBAL_ADMINISTRATOR: (cloud.shared.id, "#microsoft.graph.user"),
            PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: (
                consent.service_principal_id,
                "#microsoft.graph.servicePrincipal",
            ),
        }
        for role, holder in expected.items():
            query = {"$filter": f"roleDefinitionId eq '{role}'", "$expand": "principal"}
            (row,) = value(cloud, ASSIGNMENTS, params=query)
            assert (row["principal"]["id"], row["principal"]["@odata.type"]) == holder

    @pytest.mark.parametrize("query", ["", "?$filter=scope eq 'x'", "?$filter=principalId eq 'x'&$expand=a,b"])
    def test_are_not_told_without_a_filter_that_is_known(self, cloud: Microsoft, query: str) -> None:
        assert refusal(cloud.graph("GET", f"{ASSIGNMENTS}{query}")) == (400, "Request_UnsupportedQuery")

    def test_have_definitions(self, cloud: Microsoft) -> None:
        path = "/roleManagement/directory/roleDefinitions"
        found = cloud.graph("GET", f"{path}/{rules.HELPDESK_ADMINISTRATOR}").json()
        assert (found["displayName"], found["isBuiltIn"]) == ("Helpdesk Administrator", True)
        keeps_the_contract(found, "unifiedRoleDefinition", path.lower())
        assert len(value(cloud, path)) == len(roles.ROLE_NAMES)
        assert cloud.graph("GET", f"{path}/nothing").status_code == 404

    def test_that_somebody_holds_are_activated(self, cloud: Microsoft) -> None:
        found = value(cloud, "/directoryRoles")
        assert {one["roleTemplateId"] for one in found} == {
            GLOBAL_ADMINISTRATOR,
            PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
        }
        for one in found:
            keeps_the_contract(one, "directoryRole", "/directoryroles")
            assert cloud.graph("GET", f"/directoryRoles/{one['id']}").json()["displayName"] == one["displayName"]

    @pytest.mark.parametrize("address", ["/roleTemplateId={}", "(roleTemplateId='{}')"])
    def test_list_their_members_by_template_in_either_spelling(self, cloud: Microsoft, address: str) -> None:
        path = f"/directoryRoles{address.format(GLOBAL_ADMINISTRATOR)}/members"
        assert [one["id"] for one in value(cloud, path)] == [cloud.shared.id]
        nobody = f"/directoryRoles{address.format(rules.HELPDESK_ADMINISTRATOR)}/members"
        assert cloud.graph("GET", nobody).status_code == 404


class TheServicePrincipal:
    def test_shows_only_what_is_selected(self, cloud: Microsoft) -> None:
        query = {"$filter": f"appId eq '{APP}'", "$select": "accountEnabled"}
        (found,) = value(cloud, "/servicePrincipals", params=query)
        assert found == {"id": cloud.contoso.consents[APP].service_principal_id, "accountEnabled": True}

    def test_is_found_by_its_application_and_tells_what_was_consented(self, cloud: Microsoft) -> None:
        (found,) = value(cloud, "/servicePrincipals", params={"$filter": f"appId eq '{APP}'"})
        assert found == {
            name: one
            for name, one in cloud.graph("GET", f"/servicePrincipals(appId='{APP}')").json().items()
            if name != "@odata.context"
        }
        assert found["id"] == cloud.contoso.consents[APP].service_principal_id
        graph = cloud.graph("GET", f"/servicePrincipals(appId='{roles.GRAPH_APP}')").json()
        names = {role["id"]: role["value"] for role in graph["appRoles"]}
        granted = value(cloud, f"/servicePrincipals/{found['id']}/appRoleAssignments")
        assert {names[one["appRoleId"]] for one in granted} == set(cloud.contoso.consents[APP].permissions)
        assert {one["resourceId"] for one in granted} == {graph["id"]}

    def test_of_an_unknown_application_is_absent(self, cloud: Microsoft) -> None:
        assert value(cloud, "/servicePrincipals", params={"$filter": "appId eq 'nothing'"}) == []
        assert cloud.graph("GET", "/servicePrincipals(appId='nothing')").status_code == 404
