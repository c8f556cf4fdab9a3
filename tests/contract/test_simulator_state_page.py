"""The page that shows the simulated cloud in a demo: what it says, what it keeps to itself, and that it only looks."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from msp.simulator import state_page
from msp.simulator.timeline import Planned
from tests.support.simulated import PASSWORD, SECRET, Microsoft, microsoft


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path, seed=3) as made:
        yield made


def page(cloud: Microsoft, path: str = "/") -> str:
    answer = cloud.http.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer.text


class ThePage:
    def test_shows_tenants_users_and_their_methods(self, cloud: Microsoft) -> None:
        cloud.registers("microsoft_authenticator", label="Phone of Ana")
        cloud.cloud.set_enabled(cloud.contoso.id, cloud.shared.upn, False)
        text = page(cloud)
        for words in (
            "Contoso",
            "contoso.example",
            cloud.shared.upn,
            "microsoft_authenticator: Phone of Ana",
            "blocked",
        ):
            assert words in text

    def test_counts_the_sessions_that_are_alive(self, cloud: Microsoft) -> None:
        for _ in range(3):
            assert cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD).let_in
        assert "<td>3</td>" in page(cloud)
        cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions")
        assert "<td>3</td>" not in page(cloud)

    def test_shows_knobs_faults_and_the_time_line(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(cloud.contoso.id, read_lag=17)
        cloud.cloud.faults.plan(kind="500", operation="user.read", times=3)
        cloud.graph("GET", f"/users/{cloud.shared.id}")
        given = {"tenant": "contoso.example", "upn": "somebody@contoso.example", "password": "Secret-Pass-9"}
        cloud.cloud.timeline.plan([Planned(cloud.cloud.now(), "password", given)])
        text = page(cloud)
        for words in ("read_lag 17", "user.read", "1 of 3", "contoso.example somebody@contoso.example", "waits"):
            assert words in text
        assert "Secret-Pass-9" not in text

    def test_shows_the_last_requests_and_changes_and_no_older_ones(self, cloud: Microsoft) -> None:
        cloud.graph("GET", "/users?$top=7")
        cloud.set_password("New-Password-2")
        assert "password_changed" in page(cloud)
        assert "/v1.0/users?$top=7" in page(cloud)
        for _ in range(state_page.MOST_LINES):
            cloud.graph("GET", "/domains")
        assert "/v1.0/users?$top=7" not in page(cloud)

    def test_shows_one_tenant_when_asked(self, cloud: Microsoft) -> None:
        cloud.cloud.add_tenant("Fabrikam", "fabrikam.example")
        assert "Fabrikam" in page(cloud)
        assert "Fabrikam" not in page(cloud, "/_state?tenant=CONTOSO.example")
        assert "There is no tenant &lt;b&gt;" in page(cloud, "/_state?tenant=<b>")

    def test_says_how_much_it_leaves_out(self, cloud: Microsoft) -> None:
        for number in range(state_page.MOST_TENANTS + 4):
            cloud.cloud.add_tenant(f"Customer {number}", f"customer-{number}.example")
        assert "And 5 more tenants" in page(cloud)


class AnySecretOnThePage:
    def test_is_not_there(self, cloud: Microsoft) -> None:
        cloud.registers("software_oath", label="Ana")
        cloud.registers("hardware_oath", label="Ben")
        token = cloud.ask_token().json()["access_token"]
        signed_in = cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, PASSWORD)
        seeds = [method.seed for method in cloud.cloud.methods(cloud.contoso.id, cloud.shared.upn)]
        text = page(cloud)
        assert "software_oath: Ana" in text
        secrets = [PASSWORD, SECRET, token, cloud.simulator.control_token, signed_in.session, *seeds]
        assert not [secret for secret in secrets if secret and secret in text]


class ThePageThatIsOnlyToLookAt:
    def test_has_nothing_that_runs_or_sends(self, cloud: Microsoft) -> None:
        assert not re.search(r"<(script|form|button|input|iframe|img|link)|\son\w+=|style=", page(cloud), re.IGNORECASE)

    def test_allows_its_own_style_and_nothing_else(self, cloud: Microsoft) -> None:
        answer = cloud.http.get("/")
        (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = answer.headers["Content-Security-Policy"]
        assert f"style-src 'sha256-{digest}'" in policy
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy

    def test_shows_names_as_text(self, cloud: Microsoft) -> None:
        cloud.cloud.add_tenant("<script>alert(1)</script>", "evil.example")
        cloud.registers("fido2", label="<img src=x>")
        assert "<script" not in page(cloud)
        assert "<img" not in page(cloud)

    def test_is_no_place_to_send_to(self, cloud: Microsoft) -> None:
        assert cloud.http.post("/_state", json={}).status_code == 404

    def test_leaves_no_trace_in_the_log(self, cloud: Microsoft) -> None:
        page(cloud)
        assert len(cloud.cloud.log) == 0
