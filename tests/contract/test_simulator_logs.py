"""The simulated tenant's own logs: what is in them, who may read them, and how late they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.reference import reference_needed, sample
from tests.support.simulated import APP, PASSWORD, Microsoft, microsoft

AUDITS = "/auditLogs/directoryAudits"
SIGN_INS = "/auditLogs/signIns"
PREMIUM = "AAD_PREMIUM"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        yield made


def values(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.json()["value"])


class TheAuditLog:
    def test_tells_each_change_with_its_target_newest_first(self, cloud: Microsoft) -> None:
        method = cloud.cloud.register(cloud.contoso.id, cloud.shared.id, "fido2", "Key")
        cloud.cloud.remove_method_as_person(cloud.contoso.id, cloud.shared.id, method.id)
        told = values(cloud.graph("GET", AUDITS))
        assert [one["activityDisplayName"] for one in told[:2]] == [
            "User deleted security info",
            "User registered security info",
        ]
        assert {one["targetResources"][0]["id"] for one in told} == {cloud.shared.id}

    def test_bears_the_request_id_of_a_change_by_an_application(self, cloud: Microsoft) -> None:
        answer = cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions")
        (told,) = values(cloud.graph("GET", AUDITS, params={"$filter": "loggedByService eq 'Core Directory'"}))
        assert told["correlationId"] == answer.headers["request-id"]
        assert told["initiatedBy"]["user"] is None
        app, consent = told["initiatedBy"]["app"], cloud.contoso.consents[APP]
        assert (app["appId"], app["servicePrincipalId"]) == (APP, consent.service_principal_id)

    def test_can_be_asked_for_one_user_and_from_a_moment_on(self, cloud: Microsoft) -> None:
        other = cloud.cloud.add_user(cloud.contoso.id, "other", "Other", PASSWORD)
        cloud.cloud.change_password_as_person(cloud.contoso.id, other.id, "Another-Password-3!")
        cloud.cloud.advance(600)
        cloud.cloud.change_password_as_person(cloud.contoso.id, cloud.shared.id, "Another-Password-4!")
        hers = values(cloud.graph("GET", AUDITS, params={"$filter": f"targetResources/any(t: t/id eq '{other.id}')"}))
        assert [one["targetResources"][0]["id"] for one in hers] == [other.id]
        since = hers[0]["activityDateTime"]
        late = values(cloud.graph("GET", AUDITS, params={"$filter": f"activityDateTime gt {since}"}))
        assert [one["targetResources"][0]["id"] for one in late] == [cloud.shared.id]

    def test_comes_page_by_page(self, cloud: Microsoft) -> None:
        for number in range(5):
            cloud.cloud.register(cloud.contoso.id, cloud.shared.id, "fido2", f"Key {number}")
        first = cloud.graph("GET", AUDITS, params={"$top": "2"}).json()
        seen, link = list(first["value"]), first.get("@odata.nextLink")
        while link:
            page = cloud.graph("GET", link.removeprefix(f"{cloud.url}/v1.0")).json()
            seen += page["value"]
            link = page.get("@odata.nextLink")
        assert len(seen) == len({one["id"] for one in seen}) == 5

    def test_keeps_seven_days_without_a_licence_and_thirty_with_one(self, cloud: Microsoft) -> None:
        cloud.cloud.register(cloud.contoso.id, cloud.shared.id, "fido2", "Key")
        cloud.cloud.advance(8 * 86_400)
        assert values(cloud.graph("GET", AUDITS)) == []
        cloud.contoso.plans = [PREMIUM]
        assert len(values(cloud.graph("GET", AUDITS))) == 1

    def test_comes_late_and_now_and_then_twice(self, cloud: Microsoft) -> None:
        cloud.cloud.log_delay, cloud.cloud.log_noise = (60, 120), 1.0
        cloud.cloud.register(cloud.contoso.id, cloud.shared.id, "fido2", "Key")
        assert values(cloud.graph("GET", AUDITS)) == []
        cloud.cloud.advance(121)
        told = values(cloud.graph("GET", AUDITS))
        assert len(told) == 2
        assert len({one["id"] for one in told}) == 1

    def test_may_learn_a_later_event_first(self, cloud: Microsoft) -> None:
        cloud.cloud.log_delay = (600, 600)
        cloud.cloud.register(cloud.contoso.id, cloud.shared.id, "fido2", "Key")
        cloud.cloud.log_delay = (0, 0)
        cloud.cloud.change_password_as_person(cloud.contoso.id, cloud.shared.id, "Another-Password-3!")
        (first,) = values(cloud.graph("GET", AUDITS))
        cloud.cloud.advance(601)
        newer, older = values(cloud.graph("GET", AUDITS))
        assert newer == first
        assert older["activityDateTime"] < first["activityDateTime"]

    def test_has_the_documented_fields(self, cloud: Microsoft) -> None:
        reference_needed()
        cloud.cloud.register(cloud.contoso.id, cloud.shared.id, "fido2", "Key")
        (shown,), (documented,) = values(cloud.graph("GET", AUDITS)), sample("directoryAudits-list")["value"]
        assert shown.keys() == documented.keys()
        assert shown["targetResources"][0].keys() == documented["targetResources"][0].keys()

    def test_is_for_those_who_may_read_it(self, cloud: Microsoft) -> None:
        cloud.grant(("User.Read.All",))
        assert cloud.graph("GET", AUDITS).status_code == 403

    @pytest.mark.parametrize("token", ["LTM=", "bm9uZQ==", "%"], ids=["before the first", "no number", "no token"])
    def test_refuses_a_token_that_it_did_not_give(self, cloud: Microsoft, token: str) -> None:
        answer = cloud.graph("GET", AUDITS, params={"$skiptoken": token})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")

    @pytest.mark.parametrize(
        "text",
        [
            "initiatedBy/user/id eq 'x'",
            "activityDateTime ge yesterday",
            "activityDateTime ge 2026-13-45T00:00:00Z",
            "id ne 'x'",
        ],
    )
    def test_refuses_a_question_that_it_does_not_understand(self, cloud: Microsoft, text: str) -> None:
        answer = cloud.graph("GET", AUDITS, params={"$filter": text})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")


class TheSignIns:
    def test_needs_a_licence(self, cloud: Microsoft) -> None:
        answer = cloud.graph("GET", SIGN_INS)
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "Authentication_RequestFromNonPremiumTenantOrB2CTenant"

    def test_tells_what_the_sign_in_page_said_and_by_which_factor(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = [PREMIUM]
        method = cloud.cloud.register(cloud.contoso.id, cloud.shared.id, "software_oath")
        cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.id, "wrong")
        code = cloud.cloud.code(cloud.contoso.id, cloud.shared.id, method.id)
        cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.id, PASSWORD, code)
        newest, oldest = values(cloud.graph("GET", SIGN_INS, "beta"))
        assert (newest["status"]["errorCode"], oldest["status"]["errorCode"]) == (0, 50126)
        assert [step["authenticationMethod"] for step in newest["authenticationDetails"]] == [
            "Password",
            "Software OATH token",
        ]

    def test_have_the_documented_fields(self, cloud: Microsoft) -> None:
        reference_needed()
        cloud.contoso.plans = [PREMIUM]
        cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.id, PASSWORD)
        (shown,) = values(cloud.graph("GET", SIGN_INS))
        (in_beta,) = values(cloud.graph("GET", SIGN_INS, "beta"))
        assert shown.keys() == sample("signIns-list")["value"][0].keys()
        assert in_beta.keys() >= sample("beta-signIn-authenticationDetails").keys()

    def test_shows_the_factors_in_beta_only(self, cloud: Microsoft) -> None:
        cloud.contoso.plans = [PREMIUM]
        cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.id, PASSWORD)
        (one,) = values(cloud.graph("GET", SIGN_INS))
        assert "authenticationDetails" not in one


class WhenAPasswordIsProbed:
    def test_a_wrong_one_is_told_and_stands_in_the_log(self, cloud: Microsoft) -> None:
        assert cloud.probe("wrong") == 50126
        assert [event.body["status"]["errorCode"] for event in cloud.contoso.sign_ins] == [50126]

    def test_one_that_is_all_that_is_asked_for_gives_a_token(self, cloud: Microsoft) -> None:
        cloud.contoso.policies.security_defaults = False
        answer = cloud.ask_token(grant_type="password", username=cloud.shared.upn, password=PASSWORD)
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("set_up", "code"),
        [
            (lambda c: setattr(c.shared, "password_expired", True), 50055),
            (lambda c: setattr(c.shared, "enabled", False), 50057),
            (lambda c: setattr(c.shared, "user_type", "Guest"), 50056),
            (lambda c: c.contoso.federated.append(c.contoso.domain), 50056),
            (lambda c: setattr(c.shared, "password", f"{PASSWORD} "), 50126),
            (lambda c: c.contoso.policies.conditional_access.append({"state": "enabled", "blocks": "ropc"}), 53003),
            (lambda c: c.cloud.register(c.contoso.id, c.shared.id, "software_oath"), 50076),
            (lambda c: None, 50079),
            (lambda c: setattr(c.contoso, "condition", "suspended"), 500014),
            (lambda c: setattr(c.contoso, "condition", "decommissioned"), 90002),
            (lambda c: c.cloud.login_trouble.update({c.contoso.id: 90033}), 90033),
        ],
        ids=[
            "expired", "disabled", "guest", "federated", "blank at the end", "blocked by policy", "second factor",
            "enrolment", "suspended", "decommissioned", "directory down",
        ],
    )  # fmt: skip
    def test_the_code_says_what_stands_in_the_way(self, cloud: Microsoft, set_up: Any, code: int) -> None:
        set_up(cloud)
        assert cloud.probe(cloud.shared.password) == code
