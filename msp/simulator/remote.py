"""A simulated cloud in another process, seen from outside: the sign-in page for anyone, the control API with its token.

For the demo, rehearsals and tests; the product's own way to a directory never comes through here.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

TIMEOUT = httpx.Timeout(30.0)


class ControlRefused(Exception):
    """The cloud did not do what was asked; the sentence is its own."""


class RemoteCloud:
    """`RemoteCloud(url, ca_path, control_token)`, or `RemoteCloud.at(url, state_dir)` on the same machine.

    Without a control token only `sign_in` and `session_alive` work.
    """

    def __init__(self, url: str, ca_path: Path | str, control_token: str = "") -> None:
        self.url = url
        trusted = ssl.create_default_context(cafile=str(ca_path))
        self._client = httpx.Client(base_url=url, verify=trusted, timeout=TIMEOUT, trust_env=False)
        self._control = {"Authorization": f"Bearer {control_token}"}

    @classmethod
    def at(cls, url: str, state_dir: Path | str) -> RemoteCloud:
        """With the authority and the token that the simulator left in its state directory."""
        place = Path(state_dir)
        return cls(url, place / "ca.pem", (place / "control.token").read_text().strip())

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> RemoteCloud:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The sign-in page

    def sign_in(
        self, tenant: str, username: str, password: str, code: str | None = None, push: str | None = None
    ) -> tuple[str, str]:
        """(result, session): signed_in, wrong_password, wrong_code, code_needed, locked, disabled or no_such_user."""
        asked = {"username": username, "password": password, "code": code, "push": push}
        given = {name: value for name, value in asked.items() if value is not None}
        answer = self._client.post(f"/{tenant}/sign-in", json=given).json()
        return answer["result"], answer.get("session", "")

    def session_alive(self, tenant: str, session: str) -> bool:
        return bool(self._client.post(f"/{tenant}/session", json={"session": session}).json()["result"] == "alive")

    # The control API

    def control(self, verb: str, **asked: Any) -> dict[str, Any]:
        """One verb of `control.VERBS`. Raises ControlRefused with the cloud's own sentence."""
        answer = self._client.post(f"/_control/{verb}", json=asked, headers=self._control)
        found: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            raise ControlRefused(found.get("error", f"{verb} was answered with {answer.status_code}."))
        return found

    def build(
        self,
        *,
        tenants: int,
        accounts_per_tenant: int = 2,
        technicians: int = 8,
        seed: int | None = None,
        everywhere: int | None = None,
    ) -> dict[str, Any]:
        """Fill the cloud; answers the description of `seeding.build`."""
        return self.control(
            "build",
            tenants=tenants,
            accounts_per_tenant=accounts_per_tenant,
            technicians=technicians,
            seed=seed,
            everywhere=everywhere,
        )

    def register_app(self, client_id: str = "", *, certificate_pem: str = "", secret: str = "") -> str:
        """Register an application with its public certificate or a secret; answers its client id."""
        return str(
            self.control("apps", client_id=client_id, certificate_pem=certificate_pem, secret=secret)["client_id"]
        )

    def consent(self, client_id: str, tenant: str = "", **granted: Any) -> None:
        """Consent in one tenant, or in all present and later ones; `permissions` and `roles` as in Cloud.consent."""
        self.control("consents", client_id=client_id, tenant=tenant, **granted)

    def register(self, tenant: str, upn: str, kind: str, label: str = "", **details: Any) -> dict[str, Any]:
        """{method_id, kind, label, seed} of a new method."""
        return self.control("methods", tenant=tenant, upn=upn, kind=kind, label=label, **details)

    def set_tenant(self, tenant: str, **changes: Any) -> dict[str, Any]:
        """Change cloud, condition, plans, federated, policies ...; answers what counts now."""
        return self.control("tenant", tenant=tenant, **changes)

    def set_user(self, tenant: str, upn: str, **changes: Any) -> dict[str, Any]:
        """Change enabled, synced, roles, mfa_state, default ...; `new_upn` renames. Answers what counts now."""
        return self.control("user", tenant=tenant, upn=upn, **changes)

    def remove_user(self, tenant: str, upn: str) -> None:
        self.control("users/remove", tenant=tenant, upn=upn)

    def state(self, tenant: str = "") -> dict[str, Any]:
        """{now, tenants, time_line} without passwords and seeds, of one tenant when named."""
        return self.control("state", tenant=tenant)

    def code(self, *, seed: str, ahead: int = 0) -> str:
        """The code that a phone with this seed shows now by the cloud's clock, or `ahead` steps later."""
        return str(self.control("code", seed=seed, ahead=ahead)["code"])

    def knobs(self, tenant: str = "", **changes: Any) -> dict[str, Any]:
        """Turn knobs, for one tenant or all; answers what counts now."""
        return self.control("knobs", tenant=tenant, **changes)

    def plan_faults(self, *rules: dict[str, Any], clear: bool = False) -> list[dict[str, Any]]:
        """Plan faults, after forgetting the former when `clear`; answers every rule with its counts."""
        found: list[dict[str, Any]] = self.control("faults", plan=list(rules), clear=clear)["rules"]
        return found

    def advance(self, seconds: float) -> None:
        self.control("clock", advance=seconds)

    def log(self, *, clear: bool = False) -> list[dict[str, Any]]:
        """Every request so far, items inside batches too."""
        found: list[dict[str, Any]] = self.control("log", clear=clear)["entries"]
        return found

    def effects(self) -> list[dict[str, Any]]:
        """Every change that really happened."""
        found: list[dict[str, Any]] = self.control("effects")["effects"]
        return found
