"""The same departure as a plain script would do it: one account after another, waiting when it is told to wait.

What an administrator would write with Microsoft's documentation at hand: look, change the password, end the
sessions, delete the leaver's methods, look again. A token is fetched once for each tenant.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import msal

from msp.microsoft.connection import Connection

PATHS = {
    "software_oath": "softwareOathMethods",
    "hardware_oath": "hardwareOathMethods",
    "microsoft_authenticator": "microsoftAuthenticatorMethods",
    "phone": "phoneMethods",
}


@dataclass(frozen=True)
class Job:
    """One shared account and what of the leaver is on it: (kind, id) of each method."""

    tenant_id: str
    object_id: str
    methods: tuple[tuple[str, str], ...]


def offboard_one_after_another(jobs: Iterable[Job], connection: Connection) -> float:
    """Seconds for all of them. Raises httpx.HTTPStatusError for what a person would have to look at."""
    began, tokens = time.monotonic(), {}
    with httpx.Client(verify=connection.ca_bundle, timeout=60, base_url=connection.graph_url) as line:
        for job in jobs:
            if job.tenant_id not in tokens:
                tokens[job.tenant_id] = _token(line, job.tenant_id, connection)
            _offboard(line, job, {"Authorization": f"Bearer {tokens[job.tenant_id]}"})
    return time.monotonic() - began


def _offboard(line: httpx.Client, job: Job, headers: dict[str, str]) -> None:
    user = f"/v1.0/users/{job.object_id}"
    beta = f"/beta/users/{job.object_id}"
    _ask(line, headers, "GET", f"{user}?$select=id,userPrincipalName,lastPasswordChangeDateTime")
    _ask(line, headers, "GET", f"{beta}/authentication/methods")
    new = {"passwordProfile": {"password": secrets.token_urlsafe(24), "forceChangePasswordNextSignIn": False}}
    _ask(line, headers, "PATCH", user, new)
    left = list(job.methods)
    while left:
        kind, method_id = left.pop(0)
        answer = _ask(line, headers, "DELETE", f"{beta}/authentication/{PATHS[kind]}/{method_id}", may_refuse=True)
        if answer.status_code == 400 and left:
            left.append((kind, method_id))
        elif answer.status_code == 400:
            _ask(line, headers, "PATCH", f"{beta}/authentication/signInPreferences",
                 {"userPreferredMethodForSecondaryAuthentication": "oath"})  # fmt: skip
            _ask(line, headers, "DELETE", f"{beta}/authentication/{PATHS[kind]}/{method_id}")
    _ask(line, headers, "POST", f"{user}/revokeSignInSessions")
    _ask(line, headers, "GET", f"{beta}/authentication/methods")
    _ask(line, headers, "GET", f"{user}?$select=id,lastPasswordChangeDateTime,signInSessionsValidFromDateTime")


def _ask(
    line: httpx.Client, headers: dict[str, str], verb: str, path: str, body: Any = None, *, may_refuse: bool = False
) -> httpx.Response:
    while True:
        answer = line.request(verb, path, headers=headers, json=body)
        if answer.status_code != 429:
            break
        time.sleep(float(answer.headers.get("retry-after", "10")))
    if not (may_refuse and answer.status_code == 400):
        answer.raise_for_status()
    return answer


def _token(line: httpx.Client, tenant_id: str, connection: Connection) -> str:
    app = msal.ConfidentialClientApplication(
        connection.client_id,
        client_credential=connection.client_secret,
        authority=f"{connection.login_url}/{tenant_id}",
        instance_discovery=False,
        http_client=line,
    )
    answer = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    if "access_token" not in answer:
        raise RuntimeError(f"no token for {tenant_id}: {answer.get('error_description')}")
    return str(answer["access_token"])
