"""The simulated cloud as a process of its own: start, control, memory, stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from msp.simulator import snapshot
from msp.simulator.remote import ControlRefused, RemoteCloud
from tests.support.simulated import APP, PASSWORD, credential, microsoft

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "simulator" / "two-tenants.json"


@contextmanager
def process(state_dir: Path, *further: str, stop: int = signal.SIGTERM) -> Iterator[RemoteCloud]:
    """A simulator process, reached through its control API; its exit code must be 0 unless it is killed."""
    command = [sys.executable, "-m", "msp.simulator", "--state-dir", str(state_dir), "--port", "0", "--seed", "5"]
    command += further
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        word, _, url = running.stdout.readline().strip().partition(" ")
        assert word == "ready"
        with RemoteCloud.at(url, state_dir) as cloud:
            yield cloud
    finally:
        running.send_signal(stop)
        code = running.wait(timeout=15)
        running.stdout.close()
    assert code == (0 if stop != signal.SIGKILL else -signal.SIGKILL)


def first_account(description: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    """(tenant id, account, seed of its first holder) of a description."""
    tenant = description["tenants"][0]
    account = tenant["accounts"][0]
    return tenant["id"], account, next(holder["seed"] for holder in account["holders"] if holder["seed"])


class WhenTheProcessRuns:
    @pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_and_what_happened_is_kept(self, tmp_path: Path, stop: int) -> None:
        with process(tmp_path, stop=stop) as cloud:
            tenant, account, seed = first_account(cloud.build(tenants=3))
            result, session = cloud.sign_in(tenant, account["upn"], account["password"], cloud.code(seed=seed))
            assert result == "signed_in"
            cloud.control("password", tenant=tenant, upn=account["upn"], password="Other-Password-1")
            cloud.knobs(tenant, read_lag=4)
            effects = cloud.effects()
        with process(tmp_path) as again:
            tries = [
                again.sign_in(tenant, account["upn"], password, again.code(seed=seed, ahead=1))[0]
                for password in (account["password"], "Other-Password-1")
            ]
            assert tries == ["wrong_password", "signed_in"]
            assert not again.session_alive(tenant, session)
            assert again.knobs(tenant)["read_lag"] == 4
            assert again.effects() == effects

    def test_a_kill_loses_at_most_the_last_moments(self, tmp_path: Path) -> None:
        with process(tmp_path, stop=signal.SIGKILL) as cloud:
            tenant, account, _ = first_account(cloud.build(tenants=1))
            deadline = time.monotonic() + 10
            while not (tmp_path / snapshot.NAME).exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        with process(tmp_path) as again:
            assert again.sign_in(tenant, account["upn"], account["password"])[0] == "code_needed"

    def test_its_files_are_private(self, tmp_path: Path) -> None:
        place = tmp_path / "state"
        with process(place):
            pass
        assert place.stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in place.iterdir()}
        assert modes == dict.fromkeys(("ca.pem", "server.pem", "control.token", "cloud.json"), 0o600)

    def test_a_taken_port_is_said_in_one_line(self, tmp_path: Path) -> None:
        with process(tmp_path / "one") as cloud:
            port = cloud.url.rpartition(":")[2]
            command = [sys.executable, "-m", "msp.simulator", "--state-dir", str(tmp_path / "two"), "--port", port]
            second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert second.returncode == 1
        assert second.stderr.startswith(f"The simulated cloud cannot start on 127.0.0.1:{port}: ")
        assert second.stderr.count("\n") == 1

    def test_a_scenario_fills_it_once_and_goes_on_after_a_restart(self, tmp_path: Path) -> None:
        tenant, upn = "contoso.example", "admin@contoso.example"
        with process(tmp_path, "--scenario", str(EXAMPLE)) as cloud:
            assert cloud.state(tenant)["time_line"][0]["outcome"] == ""
            cloud.control("password", tenant=tenant, upn=upn, password="Other-Password-1")
        with process(tmp_path, "--scenario", str(EXAMPLE)) as again:
            assert again.sign_in(tenant, upn, "Other-Password-1")[0] == "code_needed"
            (rule,) = again.plan_faults()
            assert (rule["kind"], rule["skip"], rule["struck"]) == ("reset_after_effect", 1, 0)
            again.advance(90)
            assert again.state(tenant)["time_line"][0]["outcome"] == "done"
            assert [effect["kind"] for effect in again.effects()] == ["password_changed", "method_added"]

    def test_a_wrong_scenario_is_told_in_one_line_and_nothing_is_kept(self, tmp_path: Path) -> None:
        file = tmp_path / "scenario.json"
        file.write_text('{"tenants": [{"name": ""}]}')
        command = [
            sys.executable,
            "-m",
            "msp.simulator",
            "--state-dir",
            str(tmp_path / "state"),
            "--scenario",
            str(file),
        ]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert ended.stderr.startswith("The scenario cannot be played: ")
        assert "$.tenants[0].name" in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert not (tmp_path / "state" / snapshot.NAME).exists()

    def test_it_needs_no_django(self) -> None:
        code = "import msp.simulator.server, msp.simulator.remote, sys; sys.exit('django' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30, check=False).returncode == 0


class TheControlApi:
    def test_is_closed_without_its_token(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud(made.url, made.simulator.ca_path, "guess") as stranger:
            with pytest.raises(ControlRefused, match="token"):
                stranger.control("state")
            assert made.http.post("/_control/state", json={}).status_code == 401

    def test_says_what_is_wrong_with_a_request(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            for verb, asked, words in (
                ("fly", {}, "no such verb"),
                ("users", {"tenant": made.contoso.id}, "upn"),
                ("users", {"tenant": "nowhere", "upn": "x"}, "no tenant nowhere"),
                ("knobs", {"speed": 1}, "no knob called speed"),
                ("faults", {"plan": [{"kind": "fire"}]}, "no kind of fault"),
                ("faults", {"plan": [{"kind": "500", "path": "("}]}, "no regular expression"),
                ("tenant", {"tenant": made.contoso.id, "cloud": "mars"}, "'global', 'us_gov_l4'"),
                ("tenant", {"tenant": made.contoso.id, "colour": "red"}, "no setting colour"),
                ("tenant", {"tenant": made.contoso.id, "policies": {"methods": {"Sms": "on"}}}, "enabled or disabled"),
                ("user", {"tenant": made.contoso.id, "upn": made.shared.upn, "enabled": "no"}, "true or false"),
                ("user", {"tenant": made.contoso.id, "upn": made.shared.upn, "default": "push"}, "no method for"),
                ("user", {"tenant": made.contoso.id, "upn": made.shared.upn, "roles": ["King"]}, "no directory role"),
                ("consents/enabled", {"client_id": "nobody", "enabled": False}, "No such tenant"),
                ("logs", {"delay": [5, 1]}, "longer than the longest"),
                ("logs", {"delay": 5}, "a list of two numbers"),
                ("logs", {"noise": 2}, "from 0 to 1"),
                ("methods", {"tenant": made.contoso.id, "upn": made.shared.upn, "kind": "stone"}, "stone"),
            ):
                with pytest.raises(ControlRefused, match=words):
                    cloud.control(verb, **asked)

    def test_does_everything_that_a_story_needs(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            tenant = cloud.control("tenants", name="Fabrikam", domain="fabrikam.example")["id"]
            user = cloud.control("users", tenant=tenant, upn="admin", password=PASSWORD)
            token = cloud.register(tenant, user["upn"], "software_oath")
            code = cloud.code(seed=token["seed"])
            assert cloud.sign_in("fabrikam.example", user["upn"], PASSWORD, code)[0] == "signed_in"
            cloud.control("methods/remove", tenant=tenant, upn=user["upn"], method_id=token["method_id"])
            assert cloud.effects()[-1]["kind"] == "method_removed"
            cloud.control("enabled", tenant=tenant, upn=user["upn"], enabled=False)
            assert cloud.sign_in(tenant, user["upn"], PASSWORD)[0] == "disabled"
            app = cloud.register_app(certificate_pem=credential("other").certificate)
            cloud.consent(app, tenant, permissions=["User.Read.All"], roles=[])
            (rule,) = cloud.plan_faults({"match": {"path": "/users"}, "kind": "500", "times": 3}, clear=True)
            assert (rule["kind"], rule["times"], rule["struck"]) == ("500", 3, 0)
            assert made.graph("GET", "/users").status_code == 500
            assert [entry["fault"] for entry in cloud.log(clear=True)] == ["500"]
            assert cloud.log() == []

    def test_changes_what_an_administrator_can_change_of_a_tenant(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            cloud.set_tenant(made.contoso.id, plans=["AAD_PREMIUM"], federated=["elsewhere.example"])
            policies = {"security_defaults": False, "methods": {"hardwareoath": "enabled"}}
            cloud.set_tenant(made.contoso.id, policies=policies)
            known = cloud.set_tenant(made.contoso.id, policies={"methods": {"HardwareOath": "disabled"}})
            assert (known["plans"], known["federated"]) == (["AAD_PREMIUM"], ["elsewhere.example"])
            assert known["policies"]["security_defaults"] is False
            assert known["policies"]["methods"] == {"HardwareOath": "disabled"}
            cloud.set_tenant(made.contoso.id, condition="decommissioned")
            assert made.graph("GET", "/users").status_code == 401

    def test_changes_what_an_administrator_can_change_of_a_user(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            made.registers("software_oath")
            made.registers("microsoft_authenticator")
            known = cloud.set_user(
                made.contoso.id,
                made.shared.upn,
                roles=["Global Reader"],
                mfa_state="enforced",
                default="push",
                synced=True,
            )
            assert (known["mfa_state"], known["default"], known["synced"]) == ("enforced", "push", True)
            assert made.shared.roles == ["f2ef992c-3afb-46b9-b7cf-a126ee74c451"]
            cloud.set_user(made.contoso.id, made.shared.upn, enabled=False)
            assert cloud.effects()[-1]["kind"] == "user_disabled"

    def test_renames_a_user_who_stays_the_same_object(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            before, path = made.shared.upn, f"/users/{made.shared.id}"
            cloud.set_user(made.contoso.id, before, new_upn="renamed@contoso.example")
            assert made.graph("GET", path).json()["userPrincipalName"] == "renamed@contoso.example"
            assert made.graph("GET", f"/users/{before}").status_code == 404

    def test_deletes_a_user_so_that_the_name_can_stand_for_another(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            _, session = cloud.sign_in(made.contoso.id, made.shared.upn, PASSWORD)
            token_id = made.registers("hardware_oath")
            cloud.remove_user(made.contoso.id, made.shared.upn)
            assert not cloud.session_alive(made.contoso.id, session)
            assert made.contoso.tokens[token_id].status == "available"
            assert made.graph("GET", f"/users/{made.shared.upn}").status_code == 404
            cloud.control("users", tenant=made.contoso.id, upn=made.shared.upn)
            found = made.graph("GET", f"/users/{made.shared.upn}").json()
            assert found["id"] != made.shared.id
            assert [user["id"] for user in made.graph("GET", "/users").json()["value"]] == [found["id"]]

    def test_finds_a_method_by_its_label_when_there_is_one(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            asked = {"tenant": made.contoso.id, "upn": made.shared.upn, "label": "Ana"}
            with pytest.raises(ControlRefused, match="0 methods"):
                cloud.control("methods/remove", **asked)
            kept, gone = made.registers("software_oath", label="Ben"), made.registers("software_oath", label="Ana")
            cloud.control("methods/remove", **asked)
            assert gone not in made.method_ids() == [kept]
            made.registers("software_oath", label="Ben")
            with pytest.raises(ControlRefused, match="2 methods"):
                cloud.control("methods/remove", **asked | {"label": "Ben"})

    def test_makes_logs_late_and_the_sign_in_service_ill(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            assert cloud.control("logs", delay=[1, 60], noise=0.5) == {"delay": [1.0, 60.0], "noise": 0.5}
            assert (made.cloud.log_delay, made.cloud.log_noise) == ((1.0, 60.0), 0.5)
            cloud.control("login/trouble", tenant=made.contoso.id, code=90033)
            assert made.ask_token().json()["error_codes"] == [90033]
            cloud.control("login/trouble", tenant=made.contoso.id, code=0)
            assert made.ask_token().status_code == 200

    def test_stops_an_application_and_lets_it_in_again(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            answers = []
            for enabled in (False, True):
                cloud.control("consents/enabled", client_id=APP, tenant=made.contoso.id, enabled=enabled)
                answers.append(made.ask_token().status_code)
            assert answers[0] >= 400
            assert answers[1] == 200

    def test_never_shows_a_password_or_seed_in_state_or_log(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            made.registers("software_oath")
            made.set_password("New-Password-2")
            (method,) = made.cloud.methods(made.contoso.id, made.shared.upn)
            shown = json.dumps([cloud.control("state"), cloud.log(), cloud.effects()])
            assert made.shared.upn in shown
            assert not any(secret in shown for secret in (PASSWORD, "New-Password-2", method.seed))

    def test_starts_over_on_a_reset(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            cloud.control("reset", seed=9)
            assert cloud.control("state")["tenants"] == []
            assert made.ask_token().json()["error_codes"] == [90002]
            one = cloud.build(tenants=2)
            cloud.control("reset", seed=9)
            assert cloud.build(tenants=2) == one

    def test_makes_tokens_worthless_on_demand(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made, RemoteCloud.at(made.url, tmp_path) as cloud:
            bearer = made.bearer
            cloud.control("tokens/expire", tenant=made.contoso.id)
            assert made.http.get("/v1.0/users", headers=bearer).status_code == 401


class TheCertificate:
    def test_is_trusted_only_by_whoever_has_the_authority(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made:
            with pytest.raises(httpx.ConnectError):
                httpx.get(made.url, trust_env=False)
            assert made.http.get(f"/{made.contoso.id}/nothing").status_code == 404

    def test_stays_the_same_over_restarts(self, tmp_path: Path) -> None:
        seen = []
        for _ in range(2):
            with microsoft(tmp_path) as made:
                seen.append(made.simulator.ca_path.read_bytes())
        assert seen[0] == seen[1]
