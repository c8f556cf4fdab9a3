"""The simulated page on which an administrator consents to an app, and the way back from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from msp.simulator.applications import NotThere
from msp.simulator.state import DEFAULT_PERMISSIONS, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from tests.support.simulated import APP, Microsoft, microsoft

ASKED = {"client_id": APP, "redirect_uri": "https://latchkey.example/back", "state": "<signed>&more"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        made.cloud.withdraw_consent(APP, made.contoso.id)
        yield made


def decide(cloud: Microsoft, decision: str, **asked: str) -> httpx.Response:
    return cloud.http.post(f"/{cloud.contoso.id}/adminconsent", data=ASKED | asked | {"decision": decision})


def said(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://latchkey.example/back?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


class WhenAnAdministratorIsAsked:
    def test_the_page_names_the_tenant_and_every_permission_and_changes_nothing(self, cloud: Microsoft) -> None:
        page = cloud.http.get(f"/{cloud.contoso.id}/adminconsent", params=ASKED)
        assert all(permission in page.text for permission in ("contoso.example", *DEFAULT_PERMISSIONS))
        assert "<signed>" not in page.text
        assert APP not in cloud.contoso.consents

    def test_accepting_grants_the_permissions_and_no_role(self, cloud: Microsoft) -> None:
        answer = said(decide(cloud, "grant"))
        assert answer == {"tenant": cloud.contoso.id, "admin_consent": "True", "state": ASKED["state"]}
        assert set(cloud.contoso.consents[APP].permissions) == set(DEFAULT_PERMISSIONS)
        assert cloud.contoso.consents[APP].roles == ()
        assert cloud.ask_token().status_code == 200

    def test_declining_grants_nothing_and_says_so(self, cloud: Microsoft) -> None:
        answer = said(decide(cloud, "deny"))
        assert (answer["error"], answer["state"]) == ("permission_denied", ASKED["state"])
        assert APP not in cloud.contoso.consents

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({"client_id": "nobody"}, "AADSTS700016"),
            ({"redirect_uri": "javascript:alert(1)"}, "AADSTS50011"),
            ({"redirect_uri": "https://latchkey.example/\r\nSet-Cookie: a=b"}, "AADSTS50011"),
            ({"redirect_uri": "https://latchkey.example/\u2603"}, "AADSTS50011"),
        ],
        ids=["unknown app", "script", "a second header", "not ASCII"],
    )
    def test_a_wrong_question_goes_nowhere(self, cloud: Microsoft, asked: dict[str, str], code: str) -> None:
        answer = decide(cloud, "grant", **asked)
        assert answer.status_code == 400
        assert code in answer.text
        assert "set-cookie" not in answer.headers
        assert APP not in cloud.contoso.consents

    @pytest.mark.parametrize("condition", ["suspended", "decommissioned"])
    def test_a_tenant_that_is_closed_grants_nothing(self, cloud: Microsoft, condition: str) -> None:
        cloud.contoso.condition = condition
        assert decide(cloud, "grant").status_code == 400
        assert APP not in cloud.contoso.consents

    def test_the_app_gets_what_its_registration_wants_and_keeps_what_it_had(self, cloud: Microsoft) -> None:
        cloud.cloud.apps[APP].wanted = ("Domain.Read.All",)
        cloud.grant(("User.Read.All",))
        decide(cloud, "grant")
        assert cloud.contoso.consents[APP].permissions == ("User.Read.All", "Domain.Read.All")
        assert cloud.contoso.consents[APP].roles == (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,)


class WhenNoBrowserIsThere:
    def decides(self, cloud: Microsoft, decision: str) -> httpx.Response:
        headers = {"X-Simulator-Decision": decision}
        return cloud.http.get(f"/{cloud.contoso.id}/adminconsent", params=ASKED, headers=headers)

    def test_the_header_grants_at_once(self, cloud: Microsoft) -> None:
        assert said(self.decides(cloud, "grant"))["admin_consent"] == "True"
        assert set(cloud.contoso.consents[APP].permissions) == set(DEFAULT_PERMISSIONS)

    def test_the_header_declines_at_once(self, cloud: Microsoft) -> None:
        assert said(self.decides(cloud, "deny"))["error"] == "permission_denied"
        assert APP not in cloud.contoso.consents


class WhenTheAppNeedsARole:
    def test_it_can_set_an_administrators_password_only_after_that_step(self, cloud: Microsoft) -> None:
        decide(cloud, "grant")
        assert cloud.set_password("Another-Password-7!").status_code == 403
        cloud.cloud.assign_role(APP, cloud.contoso.id, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR)
        assert cloud.set_password("Another-Password-7!").status_code == 204

    def test_without_consent_there_is_nobody_to_give_it_to(self, cloud: Microsoft) -> None:
        with pytest.raises(NotThere, match="has not consented"):
            cloud.cloud.assign_role(APP, cloud.contoso.id, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR)
