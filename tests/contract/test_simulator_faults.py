"""The ways in which the simulated cloud misbehaves on purpose: lag, throttling, lies, dead tenants, broken answers."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.support.simulated import PASSWORD, Microsoft, microsoft

NEW = "New-Password-2"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path, seed=3) as made:
        yield made


def oath_delete(cloud: Microsoft, method_id: str, **further: object) -> dict[str, object]:
    """A batch item that deletes one software OATH method."""
    url = f"/users/{cloud.shared.id}/authentication/softwareOathMethods/{method_id}"
    return {"id": method_id, "method": "DELETE", "url": url} | further


class WhenTheConnectionBreaks:
    @pytest.mark.parametrize(
        ("kind", "happened"),
        [
            ("reset_before", False),
            ("timeout_before", False),
            ("reset_after_effect", True),
            ("timeout_after_effect", True),
        ],
    )
    def test_before_or_after_decides_what_happened(self, cloud: Microsoft, kind: str, happened: bool) -> None:
        method_id = cloud.registers("software_oath")
        cloud.cloud.faults.plan(kind=kind, method="DELETE", path="softwareOathMethods", delay=0.2)
        with pytest.raises(httpx.TransportError):
            cloud.authentication("DELETE", f"softwareOathMethods/{method_id}")
        assert (method_id not in cloud.method_ids()) is happened
        (entry,) = cloud.cloud.log.find(method="DELETE")
        assert (entry.status, entry.fault) == (0, kind)

    @pytest.mark.parametrize("kind", ["reset_before", "reset_after_effect"])
    def test_inside_a_batch_it_breaks_for_all_items_alike(self, cloud: Microsoft, kind: str) -> None:
        methods = [cloud.registers("software_oath") for _ in range(3)]
        cloud.cloud.faults.plan(kind=kind, method="DELETE", path=methods[1])
        with pytest.raises(httpx.TransportError):
            cloud.batch(*[oath_delete(cloud, one) for one in methods])
        assert cloud.method_ids() == (methods if kind == "reset_before" else [])

    def test_a_reset_is_a_reset_on_the_wire(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="reset_before")
        context = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(came, goes, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", cloud.simulator.port), timeout=5) as raw:
            while True:
                try:
                    secured.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(goes.read())
                    came.write(raw.recv(65536))
            path = f"/{cloud.contoso.id}/v2.0/.well-known/openid-configuration"
            secured.write(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            raw.sendall(goes.read())
            with pytest.raises(ConnectionResetError):
                while raw.recv(65536):
                    pass

    def test_a_client_with_less_patience_sees_a_time_out(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        cloud.cloud.faults.plan(kind="timeout_after_effect", method="DELETE", delay=30)
        with pytest.raises(httpx.ReadTimeout):
            cloud.authentication("DELETE", f"softwareOathMethods/{method_id}", timeout=0.5)
        assert cloud.method_ids() == []

    def test_the_next_request_is_well_again(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="reset_before", times=1)
        with pytest.raises(httpx.TransportError):
            cloud.graph("GET", "/users")
        assert cloud.graph("GET", "/users").status_code == 200

    def test_a_slow_body_arrives_whole(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="slow_body", path="/users", delay=0.5)
        began = time.monotonic()
        assert cloud.graph("GET", "/users").json()["value"]
        assert time.monotonic() - began >= 0.45


class WhenTheServiceAnswersWithAnError:
    @pytest.mark.parametrize("kind", ["500", "503", "429"])
    def test_nothing_happens(self, cloud: Microsoft, kind: str) -> None:
        cloud.cloud.faults.plan(kind=kind, method="PATCH", delay=7)
        answer = cloud.set_password(NEW)
        assert (answer.status_code, cloud.shared.password) == (int(kind), PASSWORD)
        assert answer.headers.get("Retry-After") == (None if kind == "500" else "7")

    def test_the_token_endpoint_can_fail_too(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="503", path="/oauth2/v2.0/token", tenant="contoso.example")
        assert [cloud.ask_token().status_code for _ in range(2)] == [503, 200]

    def test_one_item_of_a_batch_can_fail_alone(self, cloud: Microsoft) -> None:
        methods = [cloud.registers("software_oath") for _ in range(3)]
        cloud.cloud.faults.plan(kind="500", path=methods[1])
        found = cloud.batch(*[oath_delete(cloud, one) for one in methods])
        assert [found[one]["status"] for one in methods] == [204, 500, 204]
        assert cloud.method_ids() == [methods[1]]

    @pytest.mark.parametrize("status", [400, 409, 423, 502, 504, 599])
    def test_it_can_be_any_error(self, cloud: Microsoft, status: int) -> None:
        cloud.cloud.faults.plan(kind="status", status=status, operation="password.set")
        answer = cloud.set_password(NEW)
        assert (answer.status_code, cloud.shared.password) == (status, PASSWORD)
        assert answer.json()["error"]["code"]

    def test_its_words_can_be_chosen(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="status", status=403, code="Authentication_Special", message="Not on a Monday.")
        error = cloud.set_password(NEW).json()["error"]
        assert (error["code"], error["message"]) == ("Authentication_Special", "Not on a Monday.")


class WhenTheServiceSaysHowLongToWait:
    @pytest.mark.parametrize(
        ("form", "header"),
        [
            ("", "3"),
            ("seconds", "3"),
            ("decimal", "2.500"),
            ("missing", None),
            ("absurd", "absurd"),
            ("-5", "-5"),
            ("1e9", "1e9"),
        ],
    )
    @pytest.mark.parametrize("kind", ["429", "503"])
    def test_it_says_so_in_the_chosen_form(self, cloud: Microsoft, kind: str, form: str, header: str | None) -> None:
        cloud.cloud.faults.plan(kind=kind, delay=2.5, retry_after=form)
        assert cloud.graph("GET", "/users").headers.get("Retry-After") == header

    def test_a_date_is_not_too_early(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="status", status=504, delay=90, retry_after="date")
        began = dt.datetime.now(dt.UTC)
        named = parsedate_to_datetime(cloud.graph("GET", "/users").headers["Retry-After"])
        assert dt.timedelta(seconds=90) <= named - began < dt.timedelta(minutes=5)

    def test_inside_a_batch_it_is_a_decimal_number_unless_told_otherwise(self, cloud: Microsoft) -> None:
        first, second = cloud.registers("software_oath"), cloud.registers("software_oath")
        cloud.cloud.faults.plan(kind="429", path=first, delay=2.5)
        cloud.cloud.faults.plan(kind="429", path=second, delay=2.5, retry_after="seconds")
        found = cloud.batch(oath_delete(cloud, first), oath_delete(cloud, second))
        assert [found[one]["headers"]["Retry-After"] for one in (first, second)] == ["2.5", "3"]


class WhenTheAnswerIsSpoilt:
    """The effect has happened, and the answer does not say so."""

    def test_a_body_can_end_too_early(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="truncated_body", operation="sessions.revoke")
        with pytest.raises(httpx.RemoteProtocolError):
            cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions")
        assert cloud.cloud.effects.count(kind="sessions_revoked") == 1
        assert cloud.graph("GET", "/users").status_code == 200

    def test_an_answer_without_a_body_ends_inside_its_head(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="truncated_body", operation="password.set")
        with pytest.raises(httpx.RemoteProtocolError):
            cloud.set_password(NEW)
        assert cloud.shared.password == NEW

    @pytest.mark.parametrize("kind", ["wrong_json", "empty_body"])
    def test_a_yes_can_come_without_readable_words(self, cloud: Microsoft, kind: str) -> None:
        cloud.cloud.faults.plan(kind=kind, operation="password.set")
        answer = cloud.set_password(NEW)
        assert (answer.status_code, cloud.shared.password) == (200, NEW)
        with pytest.raises(ValueError, match="line 1"):
            answer.json()

    @pytest.mark.parametrize("kind", ["wrong_json", "empty_body"])
    def test_a_no_stays_a_no(self, cloud: Microsoft, kind: str) -> None:
        cloud.cloud.faults.plan(kind=kind, operation="password.set")
        assert cloud.set_password("weak").status_code == 400

    def test_one_item_of_a_batch_can_be_spoilt_alone(self, cloud: Microsoft) -> None:
        methods = [cloud.registers("software_oath") for _ in range(2)]
        cloud.cloud.faults.plan(kind="wrong_json", path=methods[0])
        found = cloud.batch(*[oath_delete(cloud, one) for one in methods])
        assert isinstance(found[methods[0]]["body"], str)
        assert found[methods[1]]["status"] == 204
        assert cloud.method_ids() == []

    def test_an_item_can_be_missing_from_the_answer(self, cloud: Microsoft) -> None:
        methods = [cloud.registers("software_oath") for _ in range(3)]
        cloud.cloud.faults.plan(kind="item_missing", path=methods[1])
        found = cloud.batch(*[oath_delete(cloud, one) for one in methods])
        assert found.keys() == {methods[0], methods[2]}
        assert cloud.method_ids() == []

    def test_only_an_item_of_a_batch_can_be_missing(self, cloud: Microsoft) -> None:
        (rule,) = cloud.cloud.faults.plan(kind="item_missing")
        assert cloud.graph("GET", "/users").json()["value"]
        assert rule.struck == 0


class WhenSomethingStandsBetween:
    def test_a_proxy_can_answer_in_its_own_words(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="html", operation="password.set")
        answer = cloud.set_password(NEW)
        assert (answer.status_code, cloud.shared.password) == (200, PASSWORD)
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<!DOCTYPE html>")

    def test_a_proxy_never_reaches_into_a_batch(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        cloud.cloud.faults.plan(kind="html", operation="method.delete")
        assert cloud.batch(oath_delete(cloud, method_id))[method_id]["status"] == 204
        assert cloud.method_ids() == []

    def test_a_proxy_can_repeat_a_request(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="twice", operation="sessions.revoke")
        assert cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions").json()["value"] is True
        assert cloud.cloud.effects.count(kind="sessions_revoked") == 2

    def test_the_first_answer_of_a_repeated_request_arrives(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        cloud.cloud.faults.plan(kind="twice", operation="method.delete")
        assert cloud.authentication("DELETE", f"softwareOathMethods/{method_id}").status_code == 204
        assert cloud.cloud.effects.count(kind="method_removed") == 1

    def test_a_late_request_has_its_effect_when_nobody_waits_any_more(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="delay", operation="password.set", delay=1)
        with pytest.raises(httpx.ReadTimeout):
            cloud.http.patch(
                f"/v1.0/users/{cloud.shared.id}",
                headers=cloud.bearer,
                json={"passwordProfile": {"password": NEW}},
                timeout=0.2,
            )
        deadline = time.monotonic() + 60
        while cloud.shared.password != NEW and time.monotonic() < deadline:
            time.sleep(0.05)
        assert cloud.shared.password == NEW


class WhenReadsLag:
    def test_a_deleted_method_is_still_listed_until_the_lag_is_over(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        cloud.cloud.knobs.set(cloud.contoso.id, read_lag=20)
        assert cloud.authentication("DELETE", f"softwareOathMethods/{method_id}").status_code == 204

        def listed() -> bool:
            return method_id in cloud.authentication("GET", "methods").text

        assert listed()
        assert cloud.authentication("DELETE", f"softwareOathMethods/{method_id}").status_code == 404
        cloud.cloud.advance(21)
        assert not listed()

    def test_a_new_password_is_in_force_before_its_time_is_visible(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(read_lag=20)
        path = f"/users/{cloud.shared.id}?$select=lastPasswordChangeDateTime,signInSessionsValidFromDateTime"
        before = cloud.graph("GET", path).json()
        cloud.set_password(NEW)
        cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions")
        assert cloud.cloud.sign_in(cloud.contoso.id, cloud.shared.upn, NEW).let_in
        assert cloud.graph("GET", path).json() == before
        cloud.cloud.advance(21)
        after = cloud.graph("GET", path).json()
        assert after["lastPasswordChangeDateTime"] > before["lastPasswordChangeDateTime"]
        assert after["signInSessionsValidFromDateTime"] > before["signInSessionsValidFromDateTime"]

    def test_changes_become_visible_in_their_order(self, cloud: Microsoft) -> None:
        first, second = cloud.registers("software_oath"), cloud.registers("software_oath")
        cloud.cloud.knobs.set(read_lag=20)
        cloud.authentication("DELETE", f"softwareOathMethods/{first}")
        cloud.cloud.advance(10)
        cloud.authentication("DELETE", f"softwareOathMethods/{second}")
        seen = []
        for _ in range(3):
            text = cloud.authentication("GET", "methods").text
            seen.append((first in text, second in text))
            cloud.cloud.advance(11)
        assert seen == [(True, True), (False, True), (False, False)]


class WhenTheTenantThrottles:
    def test_the_sixth_method_call_waits_and_other_calls_do_not(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(throttle=5)
        answers = [cloud.authentication("GET", "methods") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert 1 <= int(answers[5].headers["Retry-After"]) <= 10
        assert cloud.graph("GET", f"/users/{cloud.shared.id}").status_code == 200
        cloud.cloud.advance(int(answers[5].headers["Retry-After"]))
        assert cloud.authentication("GET", "methods").status_code == 200

    def test_each_item_of_a_batch_is_counted_alone(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(throttle=2)
        url = f"/users/{cloud.shared.id}/authentication/methods"
        found = cloud.batch(*[{"id": str(number), "method": "GET", "url": url} for number in range(4)])
        assert sorted(answer["status"] for answer in found.values()) == [200, 200, 429, 429]
        assert all("Retry-After" in answer["headers"] for answer in found.values() if answer["status"] == 429)

    def test_a_throttled_delete_deletes_nothing(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        cloud.cloud.knobs.set(throttle=1)
        cloud.authentication("GET", "methods")
        assert cloud.authentication("DELETE", f"softwareOathMethods/{method_id}").status_code == 429
        assert cloud.method_ids() == [method_id]


class WhenTheCloudLies:
    def test_it_says_yes_and_changes_nothing(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        before = cloud.shared.sessions_valid_from
        cloud.cloud.effects.clear()
        cloud.cloud.knobs.set(lies=True)
        answers = [
            cloud.authentication("DELETE", f"softwareOathMethods/{method_id}").status_code,
            cloud.set_password(NEW).status_code,
            cloud.graph("POST", f"/users/{cloud.shared.id}/revokeSignInSessions").status_code,
        ]
        assert answers == [204, 204, 200]
        assert cloud.method_ids() == [method_id]
        assert (cloud.shared.password, cloud.shared.sessions_valid_from) == (PASSWORD, before)
        assert list(cloud.cloud.effects) == []

    def test_it_can_lie_once(self, cloud: Microsoft) -> None:
        first, second = cloud.registers("software_oath"), cloud.registers("software_oath")
        cloud.cloud.faults.plan(kind="lie", operation="method.delete")
        for method_id in (first, second):
            assert cloud.authentication("DELETE", f"softwareOathMethods/{method_id}").status_code == 204
        assert cloud.method_ids() == [first]

    def test_it_can_lie_about_one_item_of_a_batch(self, cloud: Microsoft) -> None:
        methods = [cloud.registers("software_oath") for _ in range(3)]
        cloud.cloud.faults.plan(kind="lie", path=methods[1])
        found = cloud.batch(*[oath_delete(cloud, one) for one in methods])
        assert {answer["status"] for answer in found.values()} == {204}
        assert cloud.method_ids() == [methods[1]]

    def test_it_still_refuses_what_it_would_refuse(self, cloud: Microsoft) -> None:
        cloud.cloud.faults.plan(kind="lie", operation="password.set")
        assert cloud.set_password("weak").status_code == 400


class WhenATenantIsDead:
    def test_it_can_be_unavailable(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(cloud.contoso.id, dead="503")
        assert (cloud.ask_token().status_code, cloud.graph("GET", "/users").status_code) == (503, 503)

    def test_it_can_reset_every_connection(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(cloud.contoso.id, dead="reset")
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                cloud.ask_token()

    def test_it_can_never_answer(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(cloud.contoso.id, dead="hang", hang_seconds=60)
        with pytest.raises(httpx.ReadTimeout):
            cloud.graph("GET", "/users", timeout=0.3)

    def test_the_others_live(self, cloud: Microsoft) -> None:
        fabrikam = cloud.cloud.add_tenant("Fabrikam", "fabrikam.example")
        cloud.cloud.knobs.set(cloud.contoso.id, dead="503")
        assert cloud.ask_token(fabrikam.id).status_code == 200
