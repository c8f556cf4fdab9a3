"""Many users, hosts of several clouds, tenants out of order and throttling at the simulated Graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msp.simulator import hosts, organisation, throttle
from msp.simulator.state import DEFAULT_PERMISSIONS, SimEvent
from tests.contract.test_simulator_openapi import faults_in
from tests.contract.test_simulator_tenant import ACCESS, ASSIGNMENTS, NOT_PREMIUM, REPORT, refusal
from tests.support.reference import reference_needed
from tests.support.simulated import APP, PASSWORD, Microsoft, microsoft

NEW = "Fresh-Secret-2"
EVENTUAL = {"ConsistencyLevel": "eventual"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        yield made


class WhenThereAreTenThousandUsers:
    def test_every_one_is_seen_once_by_following_the_link(self, cloud: Microsoft) -> None:
        for number in range(10_000 - 1):
            cloud.cloud.add_user(cloud.contoso.id, f"user-{number}", roles=(), password="Start-Word-1")
        answer = cloud.graph("GET", "/users?$top=999&$select=id&$count=true", headers=EVENTUAL).json()
        assert answer["@odata.count"] == 10_000
        seen, pages = [one["id"] for one in answer["value"]], 1
        while "@odata.nextLink" in answer:
            answer = cloud.http.get(answer["@odata.nextLink"], headers=cloud.bearer | EVENTUAL).json()
            seen, pages = seen + [one["id"] for one in answer["value"]], pages + 1
        assert (len(seen), len(set(seen)), pages) == (10_000, 10_000, 11)

    def test_a_user_who_comes_between_two_pages_moves_no_other(self, cloud: Microsoft) -> None:
        for number in range(20):
            cloud.cloud.add_user(cloud.contoso.id, f"user-{number}")
        known = set(cloud.contoso.users)
        answer = cloud.graph("GET", "/users?$top=10").json()
        seen = [one["id"] for one in answer["value"]]
        for number in range(20, 40):
            cloud.cloud.add_user(cloud.contoso.id, f"user-{number}")
        while "@odata.nextLink" in answer:
            answer = cloud.http.get(answer["@odata.nextLink"], headers=cloud.bearer).json()
            seen += [one["id"] for one in answer["value"]]
        assert len(seen) == len(set(seen))
        assert known <= set(seen)


class WhenUsersAreSearched:
    @pytest.fixture(autouse=True)
    def _people(self, cloud: Microsoft) -> None:
        cloud.cloud.add_user(cloud.contoso.id, "ana.o'neil", "Ana O'Neil")
        cloud.cloud.add_user(cloud.contoso.id, "ben", "Ben Anders", enabled=False)

    def names(self, cloud: Microsoft, **query: str) -> list[str]:
        sent = {f"${name}": text for name, text in query.items()}
        answer = cloud.graph("GET", "/users", params=sent, headers=EVENTUAL)
        return sorted(one["displayName"] for one in answer.json()["value"])

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("startsWith(displayName,'an')", ["Ana O'Neil"]),
            ("startswith(displayName,'Ben') or startswith(userPrincipalName,'ana.o''n')", ["Ana O'Neil", "Ben Anders"]),
            ("accountEnabled eq false", ["Ben Anders"]),
            ("accountEnabled eq true and (userPrincipalName eq 'BEN@contoso.example')", []),
            ("userPrincipalName eq 'BEN@contoso.example'", ["Ben Anders"]),
        ],
    )
    def test_simple_filters_need_nothing_else(self, cloud: Microsoft, text: str, found: list[str]) -> None:
        answer = cloud.graph("GET", "/users", params={"$filter": text})
        assert sorted(one["displayName"] for one in answer.json()["value"]) == found

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("endsWith(displayName,'neil')", ["Ana O'Neil"]),
            ("displayName ne 'Ana O''Neil' and not startsWith(displayName,'Ben')", ["Shared Admin"]),
        ],
    )
    def test_advanced_ones_need_the_header_and_the_count(self, cloud: Microsoft, text: str, found: list[str]) -> None:
        assert self.names(cloud, filter=text, count="true") == found
        for query, headers in (({"$filter": text, "$count": "true"}, {}), ({"$filter": text}, EVENTUAL)):
            answer = cloud.graph("GET", "/users", params=query, headers=headers)
            assert refusal(answer) == (400, "Request_UnsupportedQuery")

    def test_a_search_needs_the_header(self, cloud: Microsoft) -> None:
        assert self.names(cloud, search='"displayName:an"') == ["Ana O'Neil", "Ben Anders"]
        assert self.names(cloud, search='"displayName:ana" OR "userPrincipalName:ben"') == ["Ana O'Neil", "Ben Anders"]
        answer = cloud.graph("GET", "/users", params={"$search": '"displayName:an"'})
        assert "ConsistencyLevel: eventual" in answer.json()["error"]["message"]

    def test_the_header_counts_inside_a_batch_too(self, cloud: Microsoft) -> None:
        item = {"method": "GET", "url": "/users?$search=%22displayName:ana%22"}
        found = cloud.batch({"id": "1", **item, "headers": EVENTUAL}, {"id": "2", **item})
        assert (found["1"]["status"], found["2"]["status"]) == (200, 400)

    def test_the_count_is_of_all_that_pass_and_only_with_the_header(self, cloud: Microsoft) -> None:
        query = {"$filter": "startsWith(displayName,'a') or startsWith(displayName,'b')", "$count": "true", "$top": "1"}
        answer = cloud.graph("GET", "/users", params=query, headers=EVENTUAL).json()
        assert (answer["@odata.count"], len(answer["value"])) == (2, 1)
        assert "@odata.count" not in cloud.graph("GET", "/users", params=query).json()

    @pytest.mark.parametrize(
        "text", ["startsWith(displayName,'a'", "(accountEnabled eq true", "shoeSize eq '5'", "", "id eq 'a' id eq 'b'"]
    )
    def test_what_is_no_filter_is_refused(self, cloud: Microsoft, text: str) -> None:
        answer = cloud.graph("GET", "/users", params={"$filter": text})
        assert refusal(answer) == (400, "Request_UnsupportedQuery")


class WhenTheActivityOfUsersIsRead:
    def test_a_tenant_without_a_plan_has_none(self, cloud: Microsoft) -> None:
        answer = cloud.graph("GET", "/users?$select=signInActivity")
        assert refusal(answer) == NOT_PREMIUM

    def test_a_try_counts_and_a_success_counts_apart(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        now = cloud.cloud.now()
        cloud.contoso.sign_ins = [
            SimEvent(
                {"id": "right", "userId": cloud.shared.id, "status": {"errorCode": 0}},
                cloud.shared.sessions_valid_from,
                now,
            ),
            SimEvent({"id": "wrong", "userId": cloud.shared.id, "status": {"errorCode": 50126}}, now, now),
        ]
        found = cloud.graph("GET", f"/users/{cloud.shared.id}?$select=signInActivity").json()["signInActivity"]
        assert (found["lastSignInRequestId"], found["lastSuccessfulSignInRequestId"]) == ("wrong", "right")
        assert found["lastNonInteractiveSignInDateTime"] is None
        reference_needed()
        assert faults_in(found, "microsoft.graph.signInActivity", "v1.0", "/users") == []

    def test_pages_are_shorter(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        statuses = [cloud.graph("GET", f"/users?$select=signInActivity&$top={top}").status_code for top in (500, 501)]
        assert statuses == [200, 400]


class WhenThePasswordIsKeptElsewhere:
    @pytest.mark.parametrize(
        ("upn", "user_type", "word"),
        [
            ("ana_partner.example#EXT#@contoso.example", "Guest", "guest"),
            ("ana_partner.example#EXT#@contoso.example", "Member", "guest"),
            ("ana@adfs.example", "Member", "federat"),
        ],
    )
    def test_it_is_not_replaced_here(self, cloud: Microsoft, upn: str, user_type: str, word: str) -> None:
        cloud.contoso.federated = ["adfs.example"]
        user = cloud.cloud.add_user(cloud.contoso.id, upn, "Ana", PASSWORD, user_type=user_type)
        profile = {"passwordProfile": {"password": NEW, "forceChangePasswordNextSignIn": False}}
        answer = cloud.graph("PATCH", f"/users/{user.id}", json=profile)
        assert refusal(answer) == (400, "Request_BadRequest")
        assert word in answer.json()["error"]["message"]
        assert user.password == PASSWORD


class WhenPasswordsAreBanned:
    @pytest.mark.parametrize("password", ["My-Welcome-1", "contoso-Rules-1"])
    def test_a_banned_word_or_the_tenants_name_is_refused(self, cloud: Microsoft, password: str) -> None:
        cloud.contoso.policies.banned = ["welcome", "Password"]
        answer = cloud.set_password(password)
        assert refusal(answer) == (400, "Request_BadRequest")
        assert "banned" in answer.json()["error"]["message"]
        assert cloud.shared.password == PASSWORD
        assert cloud.set_password(NEW).status_code == 204

    def test_nothing_is_banned_unless_the_tenant_says_so(self, cloud: Microsoft) -> None:
        assert cloud.set_password("My-Welcome-1").status_code == 204


class WhenAHostBelongsToOneCloud:
    def asked(self, cloud: Microsoft, method: str, path: str, host: str, **sent: Any) -> Any:
        headers = sent.pop("headers", {}) | {"Host": host}
        return cloud.http.request(method, path, headers=headers, **sent)

    @pytest.mark.parametrize(
        ("home", "login", "graph"),
        [
            ("global", "login.microsoftonline.com", "graph.microsoft.com"),
            ("us_gov_l4", "login.microsoftonline.us", "graph.microsoft.us"),
            ("us_gov_l5", "login.microsoftonline.us", "dod-graph.microsoft.us"),
            ("china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
            ("china", "login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"),
        ],
    )
    def test_only_tenants_of_that_cloud_are_there(self, cloud: Microsoft, home: str, login: str, graph: str) -> None:
        cloud.contoso.cloud = home
        path = f"/{cloud.contoso.id}/oauth2/v2.0/token"
        for host in hosts.LOGIN_HOSTS:
            form = {"client_id": APP, "client_secret": "an-application-secret", "grant_type": "client_credentials"}
            answer = self.asked(cloud, "POST", path, host, data=form | {"scope": f"https://{graph}/.default"})
            ours = home in hosts.LOGIN_HOSTS[host]
            assert answer.status_code == (200 if ours else 400), host
            if not ours:
                assert answer.json()["error_codes"] == [90002]
        for host in hosts.GRAPH_HOSTS:
            answer = self.asked(cloud, "GET", "/v1.0/organization", host, headers=cloud.bearer)
            assert answer.status_code == (200 if host == graph else 401), host
        assert home in hosts.LOGIN_HOSTS[login]

    def test_the_address_of_this_machine_serves_every_cloud(self, cloud: Microsoft) -> None:
        cloud.contoso.cloud = "china"
        assert cloud.ask_token().status_code == 200
        assert cloud.graph("GET", "/organization").status_code == 200

    def test_the_login_host_has_no_graph_and_graph_no_login(self, cloud: Microsoft) -> None:
        answer = self.asked(cloud, "GET", "/v1.0/organization", "login.microsoftonline.com", headers=cloud.bearer)
        assert answer.status_code == 404
        token = f"/{cloud.contoso.id}/oauth2/v2.0/token"
        assert self.asked(cloud, "POST", token, "graph.microsoft.com").status_code == 404


class WhenACloudLacksSomething:
    @pytest.mark.parametrize("home", ["us_gov_l4", "us_gov_l5", "china"])
    @pytest.mark.parametrize(
        ("path", "version"),
        [
            ("/users/{}/authentication/hardwareOathMethods", "beta"),
            ("/directory/authenticationMethodDevices/hardwareOathDevices", "beta"),
            ("/tenantRelationships/delegatedAdminRelationships", "v1.0"),
        ],
    )
    def test_it_is_unknown_outside_the_global_one(self, cloud: Microsoft, home: str, path: str, version: str) -> None:
        cloud.grant((*DEFAULT_PERMISSIONS, "DelegatedAdminRelationship.Read.All"))
        cloud.contoso.cloud = home
        assert refusal(cloud.graph("GET", path.format(cloud.shared.id), version)) == (400, "BadRequest")

    @pytest.mark.parametrize(("home", "status"), [("us_gov_l4", 200), ("china", 400)])
    def test_methods_are_unknown_in_china(self, cloud: Microsoft, home: str, status: int) -> None:
        cloud.contoso.cloud = home
        assert cloud.authentication("GET", "methods").status_code == status
        assert cloud.authentication("GET", "signInPreferences", "beta").status_code == 200


class WhenATenantIsNotInOrder:
    @pytest.mark.parametrize(("condition", "code"), [("suspended", 500014), ("decommissioned", 90002), ("", 0)])
    def test_it_has_a_refusal_of_its_own(self, cloud: Microsoft, condition: str, code: int) -> None:
        cloud.contoso.condition = condition
        assert organisation.refusal_of(cloud.contoso) == code

    @pytest.mark.parametrize("condition", ["suspended", "decommissioned"])
    def test_its_tokens_are_worth_nothing(self, cloud: Microsoft, condition: str) -> None:
        bearer = cloud.bearer
        cloud.contoso.condition = condition
        answer = cloud.http.get("/v1.0/users", headers=bearer)
        assert refusal(answer) == (401, "InvalidAuthenticationToken")
        cloud.contoso.condition = ""
        assert cloud.http.get("/v1.0/users", headers=bearer).status_code == 200


class WhenTooMuchIsAsked:
    """The clock stands still, so that every call falls into the same window."""

    @pytest.fixture(autouse=True)
    def _still(self, cloud: Microsoft, monkeypatch: pytest.MonkeyPatch) -> None:
        moment = cloud.cloud.now()
        monkeypatch.setattr(cloud.cloud, "now", lambda: moment)
        cloud.cloud.knobs.set(throttle=5)

    def test_conditional_access_answers_once_a_second_and_does_not_say_when_again(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        answers = [cloud.graph("GET", ACCESS) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert "Retry-After" not in answers[1].headers

    def test_logs_reports_and_methods_share_five_calls(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        answers = [cloud.graph("GET", REPORT) for _ in range(3)]
        answers += [cloud.authentication("GET", "methods") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert answers[5].headers["Retry-After"] == "10"

    def test_reads_tell_their_price(self, cloud: Microsoft) -> None:
        prices = {
            "/users": "2",
            "/users?$select=id": "1",
            "/users?$select=id&$top=5": "1",
            f"/users/{cloud.shared.id}": "1",
            "/organization": "1",
            f"{ASSIGNMENTS}?$filter=principalId eq 'x'&$expand=principal": "2",
        }
        for path, price in prices.items():
            assert cloud.graph("GET", path).headers["x-ms-resource-unit"] == price, path

    def test_a_caller_is_warned_before_and_told_what_ran_out(self, cloud: Microsoft, monkeypatch: Any) -> None:
        monkeypatch.setattr(throttle, "units_for", lambda _: 10)
        answers = [cloud.graph("GET", "/users") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        shares = [answer.headers.get("x-ms-throttle-limit-percentage") for answer in answers]
        assert shares == [None, None, None, None, "1.0", "1.2"]
        assert answers[5].headers["x-ms-throttle-scope"] == f"Tenant_Application/ReadWrite/{APP}/{cloud.contoso.id}"
        assert answers[5].headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
        assert answers[5].headers["Retry-After"] == "10"

    def test_writes_have_a_bucket_of_their_own(self, cloud: Microsoft, monkeypatch: Any) -> None:
        monkeypatch.setattr(throttle, "MOST_WRITES", 2)
        answers = [cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["x-ms-throttle-information"] == "WriteLimitExceeded"
        assert cloud.graph("GET", "/users").status_code == 200

    def test_an_item_of_a_batch_is_turned_away_alone(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        items = [{"id": str(n), "method": "GET", "url": ACCESS} for n in range(2)]
        found = cloud.batch(*items, {"id": "2", "method": "GET", "url": "/organization"})
        assert sorted((found["0"]["status"], found["1"]["status"])) == [200, 429]
        assert found["2"]["status"] == 200

    def test_nothing_is_counted_while_the_knob_is_off(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = ["AAD_PREMIUM"]
        cloud.cloud.knobs.set(throttle=0)
        answers = [cloud.graph("GET", ACCESS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert "x-ms-resource-unit" not in cloud.graph("GET", "/users").headers
