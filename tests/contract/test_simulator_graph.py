"""Users, methods, passwords and sessions at the simulated Graph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from msp.simulator import kinds, rules
from msp.simulator.state import DEFAULT_PERMISSIONS
from tests.support.simulated import PASSWORD, Microsoft, microsoft

NEW = "New-Password-2"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        yield made


class WhenAUserIsRead:
    def test_both_the_id_and_the_name_find_it(self, cloud: Microsoft) -> None:
        for key in (cloud.shared.id, cloud.shared.upn, cloud.shared.upn.upper()):
            assert cloud.graph("GET", f"/users/{key}").json()["id"] == cloud.shared.id

    def test_only_the_selected_properties_come_back(self, cloud: Microsoft) -> None:
        found = cloud.graph("GET", f"/users/{cloud.shared.id}?$select=accountEnabled,lastPasswordChangeDateTime").json()
        assert found.keys() - {"@odata.context"} == {"id", "accountEnabled", "lastPasswordChangeDateTime"}

    def test_the_evidence_is_absent_unless_selected(self, cloud: Microsoft) -> None:
        assert "lastPasswordChangeDateTime" not in cloud.graph("GET", f"/users/{cloud.shared.id}").json()

    def test_an_unknown_one_is_not_found(self, cloud: Microsoft) -> None:
        answer = cloud.graph("GET", "/users/nobody@contoso.example")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "Request_ResourceNotFound")

    def test_a_property_that_does_not_exist_is_refused(self, cloud: Microsoft) -> None:
        assert cloud.graph("GET", f"/users/{cloud.shared.id}?$select=shoeSize").status_code == 400

    def test_sign_in_activity_needs_a_licence(self, cloud: Microsoft) -> None:
        answer = cloud.graph("GET", f"/users/{cloud.shared.id}?$select=signInActivity")
        code = answer.json()["error"]["code"]
        assert (answer.status_code, code) == (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")

    def test_every_answer_carries_both_ids_and_a_date(self, cloud: Microsoft) -> None:
        answer = cloud.graph("GET", f"/users/{cloud.shared.id}", headers={"client-request-id": "mine"})
        assert answer.headers["client-request-id"] == "mine"
        assert len(answer.headers["request-id"]) == 36
        assert "ServerInfo" in json.loads(answer.headers["x-ms-ags-diagnostic"])
        assert answer.headers["Date"].endswith("GMT")


class WhenUsersAreListed:
    def test_a_filter_by_name_finds_one(self, cloud: Microsoft) -> None:
        cloud.cloud.add_user(cloud.contoso.id, "o'neil")
        found = cloud.graph(
            "GET", "/users", params={"$filter": "userPrincipalName eq 'o''neil@contoso.example'"}
        ).json()
        assert [user["displayName"] for user in found["value"]] == ["o'neil"]

    def test_pages_follow_the_link_to_the_end(self, cloud: Microsoft) -> None:
        for number in range(6):
            cloud.cloud.add_user(cloud.contoso.id, f"user-{number}")
        answer = cloud.graph("GET", "/users?$top=3&$select=userPrincipalName").json()
        seen, pages = answer["value"], 1
        while "@odata.nextLink" in answer:
            answer = cloud.http.get(answer["@odata.nextLink"], headers=cloud.bearer).json()
            seen, pages = seen + answer["value"], pages + 1
        assert (len({user["id"] for user in seen}), len(seen), pages) == (7, 7, 3)
        assert seen[-1].keys() == {"id", "userPrincipalName"}

    @pytest.mark.parametrize("query", ["$top=0", "$top=1000", "$skip=5", "$filter=displayName ge 'x'"])
    def test_what_the_service_does_not_offer_is_refused(self, cloud: Microsoft, query: str) -> None:
        assert cloud.graph("GET", f"/users?{query}").status_code == 400

    def test_other_tenants_are_out_of_reach(self, cloud: Microsoft) -> None:
        fabrikam = cloud.cloud.add_tenant("Fabrikam", "fabrikam.example")
        other = cloud.cloud.add_user(fabrikam.id, "admin")
        assert cloud.graph("GET", f"/users/{other.id}").status_code == 404


class WhenMethodsAreRead:
    def test_v1_hides_what_only_beta_shows(self, cloud: Microsoft) -> None:
        hidden = {cloud.registers(kind) for kind in ("hardware_oath", "qr_code_pin")}
        shown = cloud.registers("software_oath")
        v1 = {method["id"] for method in cloud.authentication("GET", "methods").json()["value"]}
        beta = {method["id"] for method in cloud.authentication("GET", "methods", "beta").json()["value"]}
        assert v1 == {kinds.PASSWORD_METHOD_ID, shown}
        assert beta == v1 | hidden

    def test_a_kind_of_tomorrow_is_listed_too(self, cloud: Microsoft) -> None:
        cloud.registers("future")
        types = [method["@odata.type"] for method in cloud.authentication("GET", "methods").json()["value"]]
        assert "#microsoft.graph.someFutureAuthenticationMethod" in types

    def test_no_seed_is_ever_shown(self, cloud: Microsoft) -> None:
        cloud.registers("software_oath")
        cloud.registers("hardware_oath")
        seeds = [method.seed for method in cloud.cloud.methods(cloud.contoso.id, cloud.shared.upn)]
        text = cloud.authentication("GET", "methods", "beta").text
        assert all(seed and seed not in text for seed in seeds)

    def test_the_common_list_takes_no_query(self, cloud: Microsoft) -> None:
        assert cloud.authentication("GET", "methods?$top=1").status_code == 400


DELETABLE = [kind for kind in kinds.KINDS.values() if kind.deletable]


class WhenAMethodIsDeleted:
    @pytest.mark.parametrize("kind", DELETABLE, ids=lambda kind: kind.name)
    def test_every_kind_goes_by_its_typed_path_and_is_gone_the_second_time(
        self, cloud: Microsoft, kind: kinds.Kind
    ) -> None:
        method_id = cloud.registers(kind.name)
        tail = kind.collection if kind.singleton else f"{kind.collection}/{method_id}"
        assert cloud.authentication("GET", tail, kind.versions[-1]).json()["id"] == method_id
        first, second = (cloud.authentication("DELETE", tail, kind.versions[-1]) for _ in range(2))
        assert (first.status_code, first.content, second.status_code) == (204, b"", 404)
        assert cloud.method_ids() == []

    @pytest.mark.parametrize("name", ["hardware_oath", "qr_code_pin", "passwordless_authenticator"])
    def test_kinds_of_beta_have_no_path_in_v1(self, cloud: Microsoft, name: str) -> None:
        method_id = cloud.registers(name)
        answer = cloud.authentication("DELETE", f"{kinds.KINDS[name].collection}/{method_id}")
        assert (answer.status_code, cloud.method_ids()) == (400, [method_id])

    def test_the_id_must_be_of_the_kind_in_the_path(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        assert cloud.authentication("DELETE", f"microsoftAuthenticatorMethods/{method_id}").status_code == 404
        assert cloud.method_ids() == [method_id]

    def test_the_generic_path_is_unknown_to_the_service_and_deletes_nothing(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        answer = cloud.authentication("DELETE", f"methods/{method_id}")
        assert answer.status_code == 404
        assert answer.json().keys() == {"Message", "MessageDetail"}
        assert cloud.method_ids() == [method_id]

    def test_the_password_cannot_go(self, cloud: Microsoft) -> None:
        answer = cloud.authentication("DELETE", f"passwordMethods/{kinds.PASSWORD_METHOD_ID}")
        assert "error" not in answer.json()
        assert cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD).let_in

    def test_a_colleagues_method_of_the_same_kind_stays(self, cloud: Microsoft) -> None:
        gone, stays = cloud.registers("software_oath"), cloud.registers("software_oath")
        cloud.authentication("DELETE", f"softwareOathMethods/{gone}")
        assert cloud.method_ids() == [stays]

    def test_the_effect_is_written_down_once(self, cloud: Microsoft) -> None:
        gone = cloud.registers("software_oath")
        answers = [cloud.authentication("DELETE", f"softwareOathMethods/{gone}") for _ in range(3)]
        effects = cloud.cloud.effects.find(kind="method_removed", method_id=gone)
        assert [(effect.by, effect.request_id) for effect in effects] == [("graph", answers[0].headers["request-id"])]


class WhenManyActAtOnce:
    def test_one_of_eight_deletes_of_a_method_deletes_it(self, cloud: Microsoft) -> None:
        gone = cloud.registers("software_oath")
        with ThreadPoolExecutor(8) as callers:
            answers = callers.map(
                lambda _: cloud.authentication("DELETE", f"softwareOathMethods/{gone}").status_code, range(8)
            )
        assert sorted(answers) == [204] + [404] * 7
        assert cloud.cloud.effects.count(kind="method_removed", method_id=gone) == 1

    def test_a_list_is_whole_while_methods_come_and_go(self, cloud: Microsoft) -> None:
        stays = cloud.registers("software_oath")

        def come_and_go(_: int) -> None:
            cloud.authentication("DELETE", f"softwareOathMethods/{cloud.registers('software_oath')}")

        with ThreadPoolExecutor(4) as callers:
            busy = callers.map(come_and_go, range(40))
            seen = [cloud.authentication("GET", "methods") for _ in range(40)]
            list(busy)
        assert all(answer.status_code == 200 and stays in answer.text for answer in seen)
        assert cloud.method_ids() == [stays]


class WhenTheMethodIsTheDefault:
    def test_it_stays_while_another_kind_exists(self, cloud: Microsoft) -> None:
        default = cloud.registers("microsoft_authenticator")
        cloud.registers("software_oath")
        answer = cloud.authentication("DELETE", f"microsoftAuthenticatorMethods/{default}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "badRequest")
        assert answer.json()["error"]["message"].startswith("Cannot delete default method with other methods")
        assert default in cloud.method_ids()

    def test_it_goes_when_a_sibling_of_its_kind_exists(self, cloud: Microsoft) -> None:
        default = cloud.registers("microsoft_authenticator")
        cloud.registers("microsoft_authenticator")
        cloud.registers("software_oath")
        assert cloud.authentication("DELETE", f"microsoftAuthenticatorMethods/{default}").status_code == 204

    def test_it_goes_after_the_default_was_moved(self, cloud: Microsoft) -> None:
        default = cloud.registers("microsoft_authenticator")
        cloud.registers("software_oath")
        word = "userPreferredMethodForSecondaryAuthentication"
        assert cloud.authentication("GET", "signInPreferences", "beta").json()[word] == "push"
        assert cloud.authentication("PATCH", "signInPreferences", "beta", json={word: "oath"}).status_code == 204
        assert cloud.authentication("GET", "signInPreferences", "beta").json()[word] == "oath"
        assert cloud.authentication("DELETE", f"microsoftAuthenticatorMethods/{default}").status_code == 204

    def test_it_cannot_be_moved_to_a_kind_that_is_not_registered(self, cloud: Microsoft) -> None:
        cloud.registers("software_oath")
        asked = {"userPreferredMethodForSecondaryAuthentication": "push"}
        assert cloud.authentication("PATCH", "signInPreferences", "beta", json=asked).status_code == 400

    def test_a_phone_has_a_sentence_of_its_own(self, cloud: Microsoft) -> None:
        phone = cloud.registers("phone")
        cloud.registers("software_oath")
        answer = cloud.authentication("DELETE", f"phoneMethods/{phone}")
        assert answer.json()["error"]["message"].startswith(f"The requested authentication method id of [{phone}]")

    def test_the_alternate_phone_goes_before_the_mobile(self, cloud: Microsoft) -> None:
        cloud.registers("software_oath")
        mobile, alternate = (cloud.registers("phone", phoneType=kind) for kind in ("mobile", "alternateMobile"))
        answers = [cloud.authentication("DELETE", f"phoneMethods/{one}") for one in (mobile, alternate, mobile)]
        assert [answer.status_code for answer in answers] == [400, 204, 204]


class WhenThePasswordIsReplaced:
    def test_only_the_new_one_opens_and_the_time_moves(self, cloud: Microsoft) -> None:
        before = cloud.shared.password_changed_at
        session = cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD).session
        assert cloud.set_password(NEW).status_code == 204
        tries = [cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, p).result for p in (PASSWORD, NEW)]
        assert tries == ["wrong_password", "signed_in"]
        assert cloud.shared.password_changed_at > before
        assert not cloud.cloud.session_alive(cloud.contoso.id, session)

    def test_the_same_one_again_is_accepted_and_moves_the_time(self, cloud: Microsoft) -> None:
        before = cloud.shared.password_changed_at
        assert cloud.set_password(PASSWORD).status_code == 204
        assert cloud.shared.password_changed_at > before

    def test_a_weak_one_is_refused(self, cloud: Microsoft) -> None:
        answer = cloud.set_password("password")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
        assert "complexity" in answer.json()["error"]["message"]
        assert cloud.shared.password == PASSWORD

    def test_an_application_without_a_role_is_denied(self, cloud: Microsoft) -> None:
        cloud.grant(roles=())
        answer = cloud.set_password(NEW)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")

    def test_a_role_below_the_target_is_denied(self, cloud: Microsoft) -> None:
        cloud.grant(roles=(rules.USER_ADMINISTRATOR,))
        assert cloud.set_password(NEW).status_code == 403
        cloud.shared.roles = [rules.HELPDESK_ADMINISTRATOR]
        assert cloud.set_password(NEW).status_code == 204

    def test_a_synced_user_is_refused(self, cloud: Microsoft) -> None:
        cloud.shared.synced = True
        assert cloud.set_password(NEW).status_code == 400

    def test_other_properties_are_not_changed_here(self, cloud: Microsoft) -> None:
        assert cloud.graph("PATCH", f"/users/{cloud.shared.id}", json={"displayName": "x"}).status_code == 400
        assert cloud.shared.display_name == "Shared Admin"


class WhenSessionsAreRevoked:
    @pytest.mark.parametrize("action", ["revokeSignInSessions", "microsoft.graph.revokeSignInSessions"])
    def test_they_end_and_the_time_moves(self, cloud: Microsoft, action: str) -> None:
        session = cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD).session
        before = cloud.shared.sessions_valid_from
        answer = cloud.graph("POST", f"/users/{cloud.shared.id}/{action}")
        assert (answer.status_code, answer.json()["value"]) == (200, True)
        assert not cloud.cloud.session_alive(cloud.contoso.id, session)
        assert cloud.shared.sessions_valid_from > before

    def test_a_later_session_lives(self, cloud: Microsoft) -> None:
        cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions")
        session = cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD).session
        assert cloud.cloud.session_alive(cloud.contoso.id, session)


class WhenTheTokenIsNotEnough:
    @pytest.mark.parametrize("bearer", ["", "Bearer", "Bearer nonsense", "Basic eDp5"])
    def test_without_a_valid_one_nothing_is_told(self, cloud: Microsoft, bearer: str) -> None:
        answer = cloud.http.get("/v1.0/users", headers={"Authorization": bearer} if bearer else {})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")

    def test_an_expired_one_is_refused(self, cloud: Microsoft) -> None:
        bearer = cloud.bearer
        assert cloud.http.get("/v1.0/users", headers=bearer).status_code == 200
        cloud.cloud.expire_tokens(cloud.contoso.id)
        assert cloud.http.get("/v1.0/users", headers=bearer).status_code == 401

    def test_a_short_life_is_kept(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(token_life=0)
        assert cloud.graph("GET", "/users").status_code == 401

    def test_a_new_grant_needs_a_new_token(self, cloud: Microsoft) -> None:
        cloud.grant(("User.Read.All",))
        old = cloud.bearer
        cloud.grant()
        path = f"/v1.0/users/{cloud.shared.id}/authentication/methods"
        assert [cloud.http.get(path, headers=one).status_code for one in (old, cloud.bearer)] == [403, 200]

    @pytest.mark.parametrize(
        ("missing", "method", "tail", "code"),
        [
            ("User.Read.All", "GET", "", "Authorization_RequestDenied"),
            ("User.RevokeSessions.All", "POST", "/revokeSignInSessions", "Authorization_RequestDenied"),
            ("User-PasswordProfile.ReadWrite.All", "PATCH", "", "Authorization_RequestDenied"),
            ("UserAuthenticationMethod.ReadWrite.All", "GET", "/authentication/methods", "accessDenied"),
            (
                "UserAuthenticationMethod.ReadWrite.All",
                "DELETE",
                "/authentication/softwareOathMethods/x",
                "accessDenied",
            ),
        ],
    )
    def test_each_service_denies_in_its_own_dialect(
        self, cloud: Microsoft, missing: str, method: str, tail: str, code: str
    ) -> None:
        cloud.grant(tuple(permission for permission in DEFAULT_PERMISSIONS if permission != missing))
        answer = cloud.graph(method, f"/users/{cloud.shared.id}{tail}", json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)

    def test_a_narrow_permission_opens_its_kind_only(self, cloud: Microsoft) -> None:
        cloud.grant(("UserAuthMethod-SoftwareOATH.ReadWrite.All",))
        oath, app = cloud.registers("software_oath"), cloud.registers("microsoft_authenticator")
        assert cloud.authentication("DELETE", f"microsoftAuthenticatorMethods/{app}").status_code == 403
        cloud.shared.default = "push"
        assert cloud.authentication("DELETE", f"softwareOathMethods/{oath}").status_code == 204
        assert cloud.authentication("GET", "methods").status_code == 403


class TheTenant:
    def test_describes_itself(self, cloud: Microsoft) -> None:
        (found,) = cloud.graph("GET", "/organization").json()["value"]
        assert (found["id"], found["verifiedDomains"][0]["name"]) == (cloud.contoso.id, "contoso.example")

    def test_tells_the_roles_of_a_user_and_of_the_application(self, cloud: Microsoft) -> None:
        consent = next(iter(cloud.contoso.consents.values()))
        for principal, roles in ((cloud.shared.id, cloud.shared.roles), (consent.service_principal_id, consent.roles)):
            query = {"$filter": f"principalId eq '{principal}'"}
            found = cloud.graph("GET", "/roleManagement/directory/roleAssignments", params=query).json()["value"]
            assert [row["roleDefinitionId"] for row in found] == list(roles)

    def test_does_not_know_other_paths(self, cloud: Microsoft) -> None:
        answer = cloud.graph("GET", "/planets")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
