"""Which permission and which role opens which call: the simulator's own table, held against Microsoft's file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from msp.simulator import kinds, permissions, rules
from msp.simulator.grants import Grant
from msp.simulator.state import GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from tests.support import reference
from tests.support.reference import plain, reference_needed
from tests.support.simulated import APP, Microsoft, microsoft

PUBLISHED = {key: row for key, row in permissions.TABLE.items() if row.source == permissions.PUBLISHED}
OTHER_SOURCES = {key: row for key, row in permissions.TABLE.items() if row.source != permissions.PUBLISHED}

CONFIGURATIONS = "/policies/authenticationmethodspolicy/authenticationmethodconfigurations"
DEVICES = "/directory/authenticationmethoddevices/hardwareoathdevices"
LACKING = {
    ("GET", CONFIGURATIONS),
    ("GET", "/serviceprincipals"),
    ("GET", "/serviceprincipals/{}"),
    ("GET", "/serviceprincipals/{}/approleassignments"),
    ("GET", DEVICES),
    ("POST", DEVICES),
    ("PATCH", DEVICES),
    ("GET", f"{DEVICES}/{{}}"),
    ("PATCH", f"{DEVICES}/{{}}"),
    ("DELETE", f"{DEVICES}/{{}}"),
    ("GET", "/users/{}/authentication/signinpreferences"),
    ("PATCH", "/users/{}/authentication/signinpreferences"),
    ("POST", "/users/{}/authentication/hardwareoathmethods/{}/deactivate"),
}
"""What permissions.json has no row for (see its README)."""

WRONG = {("GET", "/users/{}/authentication/fido2methods")}
"""Where its row lacks permissions by oversight: the row of one passkey has them."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        yield made


def shown(key: tuple[str, str]) -> str:
    return " ".join(key)


class TheTableOfPermissions:
    @pytest.mark.parametrize("key", PUBLISHED, ids=shown)
    def test_says_of_each_operation_what_microsoft_says(self, key: tuple[str, str]) -> None:
        reference_needed()
        method, path = key
        published = reference.permissions()[path][method]
        assert PUBLISHED[key].application == set(published["application"])
        assert PUBLISHED[key].delegated == set(published["delegated"])

    def test_names_its_source_where_microsofts_file_is_silent_or_wrong(self) -> None:
        assert set(OTHER_SOURCES) == LACKING | WRONG
        assert all(row.source for row in OTHER_SOURCES.values())

    def test_is_silent_only_where_the_file_is(self) -> None:
        reference_needed()
        published = reference.permissions()
        assert {key for key in LACKING if key[0] in published.get(key[1], {})} == set()
        assert all(key[0] in published[key[1]] for key in WRONG)

    def test_holds_the_published_row_of_one_passkey_for_all(self) -> None:
        reference_needed()
        one = reference.permissions()[plain("/users/{id}/authentication/fido2Methods/{id}")]["GET"]
        assert permissions.TABLE["GET", "/users/{}/authentication/fido2methods"].application == set(one["application"])

    def test_has_no_row_for_the_generic_deletion_that_no_application_may_do(self) -> None:
        reference_needed()
        path = plain("/users/{id}/authentication/methods/{id}")
        assert reference.permissions()[path]["DELETE"]["application"] == []
        assert permissions.row_of("DELETE", ("users", "1", "authentication", "methods", "2")) is None

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("Users/1/AUTHENTICATION/methods", "/users/{}/authentication/methods"),
            ("users/1/microsoft.graph.revokeSignInSessions", "/users/{}/revokesigninsessions"),
            ("servicePrincipals(appId='1')", "/serviceprincipals/{}"),
            ("directoryRoles(roleTemplateId='1')/members", "/directoryroles/{}/members"),
            (
                "users/1/authentication/hardwareOathMethods/assignAndActivate",
                "/users/{}/authentication/hardwareoathmethods/assignandactivate",
            ),
        ],
    )
    def test_is_found_by_every_spelling_of_a_path(self, path: str, expected: str) -> None:
        method = "GET" if ("GET", expected) in permissions.TABLE else "POST"
        assert permissions.row_of(method, tuple(path.split("/"))) is permissions.TABLE[method, expected]


class EveryReadOfTheTenant:
    PATHS = (
        "/organization",
        "/domains",
        "/policies/authenticationMethodsPolicy",
        "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/softwareOath",
        "/policies/identitySecurityDefaultsEnforcementPolicy",
        "/identity/conditionalAccess/policies",
        "/reports/authenticationMethods/userRegistrationDetails",
        f"/roleManagement/directory/roleDefinitions/{GLOBAL_ADMINISTRATOR}",
        "/directoryRoles",
        f"/directoryRoles/roleTemplateId={GLOBAL_ADMINISTRATOR}/members",
        "/servicePrincipals",
        f"/servicePrincipals(appId='{APP}')",
        "/users",
        "/users?$select=accountEnabled",
    )

    @pytest.mark.parametrize("path", PATHS)
    def test_opens_with_each_of_its_permissions_and_with_no_other(self, cloud: Microsoft, path: str) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        parts = tuple(path.partition("?")[0].strip("/").split("/"))
        row = permissions.row_of("GET", parts)
        assert row is not None
        cloud.grant(tuple(sorted(every_permission() - row.application)))
        refused = cloud.graph("GET", path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
        for one in sorted(row.application - {"User.ReadBasic.All"}):
            cloud.grant((one,))
            assert cloud.graph("GET", path).status_code == 200, one


def every_permission() -> frozenset[str]:
    return frozenset().union(*(row.application for row in permissions.TABLE.values()))


class WhenAUserIsBlocked:
    def patch(self, cloud: Microsoft, enabled: object = False) -> int:
        return cloud.graph("PATCH", f"/users/{cloud.shared.id}", json={"accountEnabled": enabled}).status_code

    def test_the_pair_of_permissions_opens_it(self, cloud: Microsoft) -> None:
        cloud.grant(("User.EnableDisableAccount.All", "User.Read.All"))
        assert (self.patch(cloud), cloud.shared.enabled) == (204, False)
        assert (self.patch(cloud, True), cloud.shared.enabled) == (204, True)
        assert [effect.by for effect in cloud.cloud.effects.find(kind="user_disabled")] == ["graph"]

    @pytest.mark.parametrize("held", ["User.EnableDisableAccount.All", "User-PasswordProfile.ReadWrite.All"])
    def test_one_of_them_or_another_does_not(self, cloud: Microsoft, held: str) -> None:
        cloud.grant((held,))
        assert (self.patch(cloud), cloud.shared.enabled) == (403, True)

    def test_a_role_below_the_target_is_denied(self, cloud: Microsoft) -> None:
        held = ("User.EnableDisableAccount.All", "User.Read.All")
        cloud.grant(held, roles=(rules.USER_ADMINISTRATOR,))
        assert self.patch(cloud) == 403
        cloud.shared.roles = []
        assert self.patch(cloud) == 204

    def test_the_permission_for_states_does_not_reach_the_password(self, cloud: Microsoft) -> None:
        cloud.grant(("User.EnableDisableAccount.All", "User.Read.All"))
        assert cloud.set_password("New-Password-2").status_code == 403

    def test_a_value_that_is_no_truth_is_refused_and_changes_nothing(self, cloud: Microsoft) -> None:
        cloud.grant(("User.ReadWrite.All",))
        assert (self.patch(cloud, "no"), cloud.shared.enabled) == (400, True)

    def test_nothing_changes_when_one_of_two_changes_is_refused(self, cloud: Microsoft) -> None:
        cloud.grant(("User.ReadWrite.All",))
        both = {"accountEnabled": False, "passwordProfile": {"password": "weak"}}
        assert cloud.graph("PATCH", f"/users/{cloud.shared.id}", json=both).status_code == 400
        assert cloud.shared.enabled


class WhenAPersonStandsBehindTheToken:
    """A delegated token: the scopes of the application, and the directory roles of the person."""

    SCOPES = frozenset({"UserAuthenticationMethod.ReadWrite.All", "User.ReadWrite.All", "Policy.Read.All"})

    def status(
        self,
        cloud: Microsoft,
        method: str,
        path: str,
        *roles: str,
        scopes: frozenset[str] = SCOPES,
        user_id: str = "somebody-of-the-partner",
        **sent: object,
    ) -> int:
        version = "beta" if path.endswith("requirements") else "v1.0"
        grant = Grant(cloud.contoso.id, APP, frozenset(), 4e9, user_id, scopes, "partner", roles)
        cloud.cloud._grants._by_token["delegated"] = grant
        headers = {"Authorization": "Bearer delegated"}
        return cloud.http.request(method, f"/{version}{path}", headers=headers, **sent).status_code

    def path(self, cloud: Microsoft, tail: str = "/authentication/methods") -> str:
        return f"/users/{cloud.shared.id}{tail}"

    @pytest.mark.parametrize(
        ("role", "status"),
        [
            (rules.GLOBAL_READER, 200),
            (rules.AUTHENTICATION_ADMINISTRATOR, 200),
            (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, 200),
            (rules.USER_ADMINISTRATOR, 403),
            (rules.AUTHENTICATION_POLICY_ADMINISTRATOR, 403),
        ],
    )
    def test_reading_methods_takes_a_role(self, cloud: Microsoft, role: str, status: int) -> None:
        assert self.status(cloud, "GET", self.path(cloud), role) == status

    def test_removing_an_administrators_method_takes_the_privileged_role(self, cloud: Microsoft) -> None:
        method = self.path(cloud, f"/authentication/softwareOathMethods/{cloud.registers('software_oath')}")
        for role in (rules.GLOBAL_READER, rules.AUTHENTICATION_ADMINISTRATOR):
            assert self.status(cloud, "DELETE", method, role) == 403
        assert self.status(cloud, "DELETE", method, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR) == 204

    def test_a_lesser_role_removes_the_method_of_somebody_without_one(self, cloud: Microsoft) -> None:
        cloud.shared.roles = []
        method = self.path(cloud, f"/authentication/softwareOathMethods/{cloud.registers('software_oath')}")
        assert self.status(cloud, "DELETE", method, rules.AUTHENTICATION_ADMINISTRATOR) == 204

    def test_the_role_of_the_application_does_not_help_the_person(self, cloud: Microsoft) -> None:
        profile = {"passwordProfile": {"password": "New-Password-2"}}
        assert self.status(cloud, "PATCH", self.path(cloud, ""), json=profile) == 403
        role = PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
        assert self.status(cloud, "PATCH", self.path(cloud, ""), role, json=profile) == 204

    def test_blocking_takes_a_role_too(self, cloud: Microsoft) -> None:
        blocked = {"accountEnabled": False}
        assert self.status(cloud, "PATCH", self.path(cloud, ""), rules.HELPDESK_ADMINISTRATOR, json=blocked) == 403
        assert self.status(cloud, "PATCH", self.path(cloud, ""), GLOBAL_ADMINISTRATOR, json=blocked) == 204

    def test_a_scope_that_was_not_given_is_missed_whatever_the_role(self, cloud: Microsoft) -> None:
        scopes = frozenset({"User.Read.All"})
        assert self.status(cloud, "GET", self.path(cloud), GLOBAL_ADMINISTRATOR, scopes=scopes) == 403

    def test_a_scope_for_the_own_account_opens_nobody_elses(self, cloud: Microsoft) -> None:
        scopes = frozenset({"UserAuthenticationMethod.ReadWrite"})
        assert self.status(cloud, "GET", self.path(cloud), GLOBAL_ADMINISTRATOR, scopes=scopes) == 403
        assert self.status(cloud, "GET", self.path(cloud), scopes=scopes, user_id=cloud.shared.id) == 200

    def test_the_rules_of_methods_belong_to_the_policy_administrator(self, cloud: Microsoft) -> None:
        scopes = frozenset({"Policy.ReadWrite.AuthenticationMethod"})
        path = f"/{CONFIGURATIONS.strip('/')}/softwareOath"
        for role, status in (
            (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, 403),
            (rules.AUTHENTICATION_POLICY_ADMINISTRATOR, 204),
        ):
            assert self.status(cloud, "PATCH", path, role, scopes=scopes, json={"state": "disabled"}) == status

    def test_the_report_is_for_readers_of_logs(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        path, scopes = "/reports/authenticationMethods/userRegistrationDetails", frozenset({"AuditLog.Read.All"})
        assert self.status(cloud, "GET", path, rules.HELPDESK_ADMINISTRATOR, scopes=scopes) == 403
        assert self.status(cloud, "GET", path, rules.REPORTS_READER, scopes=scopes) == 200


class TheNarrowPermissions:
    @pytest.mark.parametrize("kind", [k for k in kinds.KINDS.values() if k.deletable], ids=lambda kind: kind.name)
    def test_of_a_kind_are_those_that_the_rules_name(self, kind: kinds.Kind) -> None:
        tail = "" if kind.singleton else "/{}"
        key = ("DELETE", f"/users/{{}}/authentication/{kind.collection.lower()}{tail}")
        assert rules.typed_permissions(kind, write=True) == permissions.TABLE[key].application
