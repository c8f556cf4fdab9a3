"""JSON batching at the simulated cloud: order, dependencies, what makes a whole batch malformed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated import Microsoft, microsoft


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path, seed=3) as made:
        yield made


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
        url = f"/users/{cloud.shared.id}/authentication/softwareOathMethods/{method_id}"
        found = cloud.batch(
            {"id": "p", "method": "PATCH", "url": f"/users/{cloud.shared.id}", "body": weak, "headers": headers},
            {"id": method_id, "method": "DELETE", "url": url, "dependsOn": ["p"]},
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
