"""What the simulated Graph answers, held against Microsoft's published contract and documented samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker

from msp.simulator import kinds
from tests.support.reference import operations, reference_needed, sample
from tests.support.simulated import Microsoft, microsoft

COMMON = "/users/{}/authentication/methods"
PREFERENCES = "/users/{}/authentication/signinpreferences"
HARDWARE = "/users/{}/authentication/hardwareoathmethods"


@pytest.fixture(autouse=True)
def _reference() -> None:
    reference_needed()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        yield made


def readable(schema: Any) -> Any:
    """The contract as it is meant (see its README): anything beside the named properties; bare references nullable."""
    if isinstance(schema, list):
        return [readable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: readable(value) for name, value in schema.items()}
    if made.get("additionalProperties") == {"type": "object"}:
        made["additionalProperties"] = True
    for name, value in made.get("properties", {}).items():
        if isinstance(value, dict) and value.keys() == {"$ref"}:
            made["properties"][name] = {"anyOf": [value, {"enum": [None], "nullable": True}]}
    return made


def faults_in(answer: Any, type_name: str, version: str, path: str) -> list[str]:
    """Where an answer breaks the published schema of a type, as the file that holds `path` describes it."""
    _, schemas = operations(version)[path]
    name = type_name if type_name in schemas else type_name.removeprefix("microsoft.graph.")
    assert name in schemas, f"the contract has no schema {type_name}"
    whole = {"allOf": [{"$ref": f"#/components/schemas/{name}"}], "components": {"schemas": readable(schemas)}}
    checker = OAS30Validator(whole, format_checker=oas30_format_checker)
    return [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in checker.iter_errors(answer)]


def unknown_names(answer: dict[str, Any], type_name: str, version: str, path: str) -> set[str]:
    """Names in an answer that the published type and its bases do not have."""
    _, schemas = operations(version)[path]
    known: set[str] = set()
    waiting = [type_name if type_name in schemas else type_name.removeprefix("microsoft.graph.")]
    while waiting:
        schema = schemas[waiting.pop()]
        for part in [schema, *schema.get("allOf", [])]:
            known |= part.get("properties", {}).keys()
            if "$ref" in part:
                waiting.append(part["$ref"].rpartition("/")[2])
    # The base type gained createdDateTime after the OpenAPI file was cut (see its README).
    return {name for name in answer if not name.startswith("@odata.")} - known - {"createdDateTime"}


IN_BOTH = [
    ("password", "v1.0", COMMON),
    ("phone", "v1.0", COMMON),
    ("email", "v1.0", COMMON),
    ("fido2", "v1.0", COMMON),
    ("microsoft_authenticator", "v1.0", COMMON),
    ("passwordless_authenticator", "beta", COMMON),
    ("software_oath", "v1.0", COMMON),
    ("hardware_oath", "beta", HARDWARE),
    ("temporary_access_pass", "v1.0", COMMON),
    ("windows_hello", "v1.0", COMMON),
    ("platform_credential", "beta", COMMON),
    ("qr_code_pin", "beta", "/users/{}/authentication/qrcodepinmethod"),
]


class TheContract:
    def test_finds_a_wrong_type_a_wrong_word_and_an_unknown_name(self) -> None:
        phone = {"id": 5, "phoneType": "satellite", "phoneColour": "red"}
        found = faults_in(phone, "microsoft.graph.phoneAuthenticationMethod", "v1.0", COMMON)
        assert {fault.partition(":")[0] for fault in found} == {"id", "phoneType"}
        name = "microsoft.graph.phoneAuthenticationMethod"
        assert unknown_names(phone, name, "v1.0", COMMON) == {"phoneColour"}


class EveryKindOfMethod:
    @pytest.mark.parametrize(("kind", "version", "path"), IN_BOTH, ids=lambda value: str(value))
    def test_keeps_the_published_schema(self, cloud: Microsoft, kind: str, version: str, path: str) -> None:
        if kind != "password":
            cloud.registers(kind, label="Ana's phone")
        listed = cloud.authentication("GET", "methods", version).json()
        shown = next(m for m in listed["value"] if m["@odata.type"].endswith(f".{kinds.KINDS[kind].odata_type}"))
        type_name = f"microsoft.graph.{kinds.KINDS[kind].odata_type}"
        assert faults_in(shown, type_name, version, path) == []
        assert unknown_names(shown, type_name, version, path) == set()

    def test_shows_at_least_the_documented_fields(self, cloud: Microsoft) -> None:
        for kind in ("phone", "microsoft_authenticator", "software_oath", "fido2", "windows_hello"):
            cloud.registers(kind, label="Ana's phone")
        shown = {m["@odata.type"]: m for m in cloud.authentication("GET", "methods").json()["value"]}
        for documented in sample("authentication-methods-list")["value"]:
            assert shown[documented["@odata.type"]].keys() == documented.keys()

    def test_shows_a_hardware_token_as_documented(self, cloud: Microsoft) -> None:
        cloud.registers("hardware_oath", label="Token 1", serialNumber="TOTP-0001")
        (shown,) = cloud.authentication("GET", "hardwareOathMethods", "beta").json()["value"]
        (documented,) = sample("beta-hardwareOathMethods-list")["value"]
        assert shown["device"].keys() == documented["device"].keys()
        assert shown["device"]["serialNumber"] == "TOTP-0001"


class TheAnswersAboutTheUser:
    SELECT = (
        "id,userPrincipalName,displayName,accountEnabled,userType,onPremisesSyncEnabled,"
        "lastPasswordChangeDateTime,signInSessionsValidFromDateTime,passwordPolicies"
    )

    @pytest.mark.parametrize("version", ["v1.0", "beta"])
    def test_keep_the_published_schema(self, cloud: Microsoft, version: str) -> None:
        for query in ("", f"?$select={self.SELECT}"):
            found = cloud.graph("GET", f"/users/{cloud.shared.id}{query}", version).json()
            assert faults_in(found, "microsoft.graph.user", version, "/users/{}") == []
            assert unknown_names(found, "microsoft.graph.user", version, "/users/{}") == set()

    def test_name_the_organization(self, cloud: Microsoft) -> None:
        (found,) = cloud.graph("GET", "/organization").json()["value"]
        assert faults_in(found, "microsoft.graph.organization", "v1.0", "/organization") == []

    @pytest.mark.parametrize("expand", ["", "principal", "roleDefinition"])
    def test_name_its_roles(self, cloud: Microsoft, expand: str) -> None:
        query = {"$filter": f"principalId eq '{cloud.shared.id}'"} | ({"$expand": expand} if expand else {})
        (found,) = cloud.graph("GET", "/roleManagement/directory/roleAssignments", params=query).json()["value"]
        path = "/rolemanagement/directory/roleassignments"
        assert faults_in(found, "microsoft.graph.unifiedRoleAssignment", "v1.0", path) == []
        if expand == "principal":
            (documented,) = sample("roleAssignments-list-expand-principal")["value"]
            assert found.keys() == documented.keys()

    def test_name_its_preferences(self, cloud: Microsoft) -> None:
        cloud.registers("software_oath")
        found = cloud.authentication("GET", "signInPreferences", "beta").json()
        assert faults_in(found, "microsoft.graph.signInPreferences", "beta", PREFERENCES) == []
        assert found.keys() >= sample("beta-signInPreferences-get").keys()

    def test_confirm_a_revocation_as_documented(self, cloud: Microsoft) -> None:
        found = cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions").json()
        documented = sample("revokeSignInSessions-200")
        assert found == documented | {"@odata.context": f"{cloud.url}/v1.0/$metadata#Edm.Boolean"}


class EveryRefusal:
    def test_keeps_the_published_error_schema(self, cloud: Microsoft) -> None:
        cloud.registers("microsoft_authenticator")
        oath = cloud.registers("software_oath")
        cloud.shared.default = "oath"
        answers = [
            cloud.graph("GET", "/users/nobody"),
            cloud.graph("GET", "/users?$skip=1"),
            cloud.authentication("DELETE", f"softwareOathMethods/{oath}"),
            cloud.authentication("DELETE", "softwareOathMethods/nothing"),
            cloud.http.get("/v1.0/users"),
        ]
        for answer in answers:
            assert answer.status_code >= 400
            name = "microsoft.graph.ODataErrors.ODataError"
            assert faults_in(answer.json(), name, "v1.0", "/users/{}") == []

    def test_has_the_documented_shape_and_words(self, cloud: Microsoft) -> None:
        default = cloud.registers("microsoft_authenticator")
        cloud.registers("software_oath")
        refused = {
            "error-400-default-method": cloud.authentication("DELETE", f"microsoftAuthenticatorMethods/{default}"),
            "error-400-password-complexity": cloud.set_password("password"),
        }
        cloud.grant(())
        refused["error-403-auth-methods-access-denied"] = cloud.authentication("GET", "methods")
        refused["error-403-authorization-request-denied"] = cloud.set_password("New-Password-2")
        for name, answer in refused.items():
            found, documented = answer.json()["error"], sample(name)["error"]
            assert str(answer.status_code) in name
            assert (found["code"], found["message"]) == (documented["code"], documented["message"])
            assert found["innerError"].keys() == documented["innerError"].keys()
            assert found["innerError"]["request-id"] == answer.headers["request-id"]


class ABatchAnswer:
    def test_has_the_documented_shape(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="429", path="authentication/methods", delay=10, retry_after="seconds")
        found = cloud.batch(
            {"id": "1", "method": "POST", "url": f"/users/{cloud.shared.id}/revokeSignInSessions"},
            {"id": "2", "method": "GET", "url": f"/users/{cloud.shared.id}/authentication/methods"},
        )
        documented = {one["id"]: one for one in sample("batch-response-200")["responses"]}
        assert found["2"]["status"] == 429
        assert found["2"].keys() == documented["2"].keys()
        assert found["2"]["headers"].items() >= documented["2"]["headers"].items()
        assert found["2"]["body"]["error"].keys() == documented["2"]["body"]["error"].keys()
