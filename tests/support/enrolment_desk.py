"""Contoso at a simulated cloud, from where an administrator enrols: hardware tokens, passes, phones, demands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from msp.simulator import totp
from msp.simulator.grants import Grant
from msp.simulator.state import DEFAULT_PERMISSIONS, SimUser
from tests.support.simulated import APP, Microsoft, microsoft

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
INVENTORY = "/directory/authenticationMethodDevices/hardwareOathDevices"
TO_CHANGE_POLICIES = "Policy.ReadWrite.AuthenticationMethod"
TO_CHANGE_METHODS = "UserAuthenticationMethod.ReadWrite.All"
TOKEN: dict[str, Any] = {
    "serialNumber": "LK-0001",
    "manufacturer": "Latchkey",
    "model": "Software",
    "secretKey": SEED,
    "timeIntervalInSeconds": 30,
    "hashFunction": "hmacsha1",
    "displayName": "Ana",
}
IN_DIRECTORY, IN_METHODS = (400, "Request_BadRequest"), (400, "badRequest")
POLICY = (
    "Converged UserCredentialPolicy does not allow creating or updating this authentication method. "
    "AuthMethodType [{}]."
)


class Desk(Microsoft):
    """Contoso with hardware tokens and passes switched on, and an application that may enrol."""

    def __init__(self, made: Microsoft) -> None:
        self.__dict__ |= made.__dict__
        self.grant((*DEFAULT_PERMISSIONS, TO_CHANGE_POLICIES))
        self.allow(HardwareOath="enabled", TemporaryAccessPass="enabled")

    def allow(self, **states: str) -> None:
        self.contoso.policies.methods |= states

    # Hardware tokens

    def inventory(self, method: str, tail: str = "", **sent: Any) -> httpx.Response:
        return self.graph(method, f"{INVENTORY}{tail}", "beta", **sent)

    def create(self, **facts: Any) -> httpx.Response:
        return self.inventory("POST", json=TOKEN | facts)

    def created(self, **facts: Any) -> str:
        answer = self.create(**facts)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def token(self, token_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.inventory("GET", f"/{token_id}").json()
        return found

    def standing(self, token_id: str) -> tuple[str, str]:
        """(status, id of the holder or "")."""
        found = self.token(token_id)
        return found["status"], (found["assignedTo"] or {}).get("id", "")

    def of_user(self, method: str, tail: str = "", *, user: SimUser | None = None, **sent: Any) -> httpx.Response:
        key = (user or self.shared).id
        return self.graph(method, f"/users/{key}/authentication/hardwareOathMethods{tail}", "beta", **sent)

    def assign(self, token_id: str, user: SimUser | None = None) -> httpx.Response:
        return self.of_user("POST", user=user, json={"device": {"id": token_id}})

    def activate(self, token_id: str, code: object) -> httpx.Response:
        return self.of_user("POST", f"/{token_id}/activate", json={"verificationCode": code})

    def assign_and_activate(self, token_id: str, code: object, user: SimUser | None = None) -> httpx.Response:
        sent = {"device": {"id": token_id}, "verificationCode": code}
        return self.of_user("POST", "/assignAndActivate", user=user, json=sent)

    def active(self, **facts: Any) -> str:
        token_id = self.created(**facts)
        answer = self.assign_and_activate(token_id, self.code(**facts))
        assert answer.status_code == 204, answer.text
        return token_id

    def code(self, steps: int = 0, **facts: Any) -> str:
        """What a token of TOKEN with these facts shows, so many steps from now."""
        asked = TOKEN | facts
        interval, digest = asked["timeIntervalInSeconds"], asked["hashFunction"].removeprefix("hmac")
        at = self.cloud.now().timestamp() + steps * interval
        return totp.code(asked["secretKey"], at, interval=interval, digest=digest)

    def signs_in(self, code: str) -> str:
        return self.cloud.sign_in(self.contoso.id, self.shared.upn, self.shared.password, code).result

    def person(self, *roles: str, scopes: tuple[str, ...]) -> dict[str, str]:
        """Headers of a token with somebody of the partner behind it."""
        grant = Grant(self.contoso.id, APP, frozenset(), 4e9, "somebody", frozenset(scopes), "partner", roles)
        self.cloud._grants._by_token["delegated"] = grant
        return {"Authorization": "Bearer delegated"}

    # Everything else

    def shown(self, collection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.authentication("GET", collection).json()["value"]
        return found

    def issue(self, version: str = "v1.0", **asked: Any) -> httpx.Response:
        return self.authentication("POST", "temporaryAccessPassMethods", version, json=asked)

    def signs_in_with(self, access_pass: str) -> str:
        return self.cloud.sign_in(self.contoso.id, self.shared.upn, "", access_pass=access_pass).result

    def add_phone(self, asked: dict[str, Any], version: str = "v1.0") -> httpx.Response:
        return self.authentication("POST", "phoneMethods", version, json=asked)

    def add_email(self, address: object) -> httpx.Response:
        return self.authentication("POST", "emailMethods", json={"emailAddress": address})

    def preferences(self) -> dict[str, Any]:
        found: dict[str, Any] = self.authentication("GET", "signInPreferences", "beta").json()
        return found

    def preferred(self) -> object:
        return self.preferences()["userPreferredMethodForSecondaryAuthentication"]

    def prefer(self, **asked: Any) -> httpx.Response:
        return self.authentication("PATCH", "signInPreferences", "beta", json=asked)

    def prefer_word(self, word: object) -> httpx.Response:
        return self.prefer(userPreferredMethodForSecondaryAuthentication=word)

    def demand(self, state: object) -> httpx.Response:
        return self.authentication("PATCH", "requirements", "beta", json={"perUserMfaState": state})

    def demanded(self) -> str:
        return str(self.authentication("GET", "requirements", "beta").json()["perUserMfaState"])


@contextmanager
def enrolment_desk(state_dir: Path) -> Iterator[Desk]:
    with microsoft(state_dir) as made:
        yield Desk(made)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def sentence(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])
