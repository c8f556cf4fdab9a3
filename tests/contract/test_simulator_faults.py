"""The ways in which the simulated cloud misbehaves on purpose: lag, throttling, lies, dead tenants, broken answers."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
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


class ABatch:
    def test_is_answered_in_another_order_than_it_was_asked(self, cloud: Microsoft) -> None:
        asked = [{"id": str(number), "method": "GET", "url": f"/users/{cloud.shared.id}"} for number in range(20)]
        answer = cloud.graph("POST", "/$batch", json={"requests": asked}).json()["responses"]
        assert [one["id"] for one in answer] != [one["id"] for one in asked]
        assert {one["id"] for one in answer} == {one["id"] for one in asked}

    def test_keeps_the_order_that_dependencies_ask_for(self, cloud: Microsoft) -> None:
        app, oath = cloud.registers("microsoft_authenticator"), cloud.registers("software_oath")
        preference = {"userPreferredMethodForSecondaryAuthentication": "oath"}
        root = f"/users/{cloud.shared.id}/authentication"
        found = cloud.batch(
            {
                "id": "delete",
                "method": "DELETE",
                "url": f"{root}/microsoftAuthenticatorMethods/{app}",
                "dependsOn": ["move"],
            },
            {
                "id": "move",
                "method": "PATCH",
                "url": f"{root}/signInPreferences",
                "body": preference,
                "headers": {"Content-Type": "application/json"},
            },
            version="beta",
        )
        assert {one: answer["status"] for one, answer in found.items()} == {"move": 204, "delete": 204}
        assert cloud.method_ids() == [oath]

    def test_does_not_try_what_depends_on_a_failure(self, cloud: Microsoft) -> None:
        method_id = cloud.registers("software_oath")
        weak = {"passwordProfile": {"password": "weak"}}
        headers = {"Content-Type": "application/json"}
        found = cloud.batch(
            {"id": "p", "method": "PATCH", "url": f"/users/{cloud.shared.id}", "body": weak, "headers": headers},
            oath_delete(cloud, method_id, dependsOn=["p"]),
        )
        assert (found["p"]["status"], found[method_id]["status"]) == (400, 424)
        assert cloud.method_ids() == [method_id]

    @pytest.mark.parametrize(
        "requests",
        [
            [],
            [{"id": str(number), "method": "GET", "url": "/users"} for number in range(21)],
            [{"id": "a", "method": "GET", "url": "/users"}, {"id": "A", "method": "GET", "url": "/users"}],
            [{"id": "1", "method": "GET", "url": "https://graph.example/v1.0/users"}],
            [{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"]}],
            [{"id": "1", "method": "POST", "url": "/users", "body": {}}],
            [
                {"id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"]},
                {"id": "2", "method": "GET", "url": "/users", "dependsOn": ["1"]},
            ],
        ],
        ids=["empty", "too many", "same id", "absolute", "unknown dependency", "no content type", "circle"],
    )
    def test_that_is_malformed_is_refused_whole(self, cloud: Microsoft, requests: list[dict[str, object]]) -> None:
        answer = cloud.graph("POST", "/$batch", json={"requests": requests})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")

    def test_is_logged_with_its_items(self, cloud: Microsoft) -> None:
        cloud.batch({"id": "1", "method": "GET", "url": f"/users/{cloud.shared.id}"})
        logged = [(entry.method, entry.in_batch, entry.status) for entry in cloud.cloud.log]
        assert logged == [("GET", True, 200), ("POST", False, 200)]


class TheServer:
    def test_serves_sixty_four_callers_at_once(self, cloud: Microsoft) -> None:
        cloud.cloud.knobs.set(latency_ms=200)
        path, headers = f"{cloud.url}/v1.0/users/{cloud.shared.id}", cloud.bearer
        trusted = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        statuses: list[int] = []
        with httpx.Client(verify=trusted, limits=limits, trust_env=False, timeout=30) as client:

            def call() -> None:
                statuses.extend(client.get(path, headers=headers).status_code for _ in range(3))

            callers = [threading.Thread(target=call) for _ in range(64)]
            began = time.monotonic()
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
        assert statuses == [200] * 192
        # One after another they would take 38 s.
        assert time.monotonic() - began < 15

    def test_is_not_held_up_by_a_caller_who_never_shakes_hands(self, cloud: Microsoft) -> None:
        with socket.create_connection(("127.0.0.1", cloud.simulator.port)):
            assert cloud.ask_token().status_code == 200

    def test_keeps_a_connection_for_many_requests(self, cloud: Microsoft) -> None:
        context = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
        path = f"/{cloud.contoso.id}/v2.0/.well-known/openid-configuration"
        with (
            socket.create_connection(("127.0.0.1", cloud.simulator.port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
            secured.makefile("rb") as answers,
        ):
            for _ in range(3):
                secured.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
                assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
                length = 0
                while (line := answers.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                assert len(answers.read(length)) == length > 0

    def test_refuses_a_body_without_a_length(self, cloud: Microsoft) -> None:
        answer = cloud.http.post(f"/{cloud.contoso.id}/oauth2/v2.0/token", content=iter([b"grant_type=password"]))
        assert answer.status_code == 411

    def test_stops_although_a_request_hangs(self, tmp_path: Path) -> None:
        with microsoft(tmp_path / "other") as other:
            other.cloud.faults.plan(kind="timeout_before", delay=300)
            with pytest.raises(httpx.ReadTimeout):
                other.graph("GET", "/users", timeout=0.2)
            began = time.monotonic()
        assert time.monotonic() - began < 5
