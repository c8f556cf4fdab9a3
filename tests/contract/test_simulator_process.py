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
from tests.support.simulated import PASSWORD, credential, microsoft

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def process(state_dir: Path, *, stop: int = signal.SIGTERM) -> Iterator[RemoteCloud]:
    """A simulator process, reached through its control API; its exit code must be 0 unless it is killed."""
    command = [sys.executable, "-m", "msp.simulator", "--state-dir", str(state_dir), "--port", "0", "--seed", "5"]
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

    def test_it_needs_no_django(self) -> None:
        code = "import msp.simulator.server, msp.simulator.remote, sys; sys.exit('django' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30, check=False).returncode == 0


class ASnapshot:
    def test_brings_everything_back(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made:
            for kind in ("software_oath", "hardware_oath", "phone", "microsoft_authenticator"):
                made.registers(kind, label="Ana")
            made.cloud.sign_in(made.contoso.id, made.shared.upn, "Wrong-Password-1")
            made.set_password("New-Password-2")
            kept = snapshot.dump(made.cloud)
        back = snapshot.dump(snapshot.restore(json.loads(json.dumps(kept))))
        assert back | {"generation": 0} == kept

    def test_never_gives_an_id_twice(self, tmp_path: Path) -> None:
        with microsoft(tmp_path) as made:
            before = {made.cloud.new_id() for _ in range(50)}
            again = snapshot.restore(snapshot.dump(made.cloud))
        assert not before & {again.new_id() for _ in range(50)}

    def test_of_another_format_is_not_guessed_at(self) -> None:
        with pytest.raises(ValueError, match="format 99"):
            snapshot.restore({"format": 99})


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
