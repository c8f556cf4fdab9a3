"""Azure Key Vault by its REST API (version 7.4), and the tokens that it wants.

Tokens: a managed identity of the machine (page "How to use managed identities on an Azure VM to get an access token"),
or an app of the directory by its password (page "OAuth 2.0 client credentials flow").
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

import httpx

from msp.errors import BadInput
from msp.key_services.line import Line, Reply
from msp.key_services.names import AzureKey
from msp.key_services.purpose import KeyServiceTrouble, Purpose

API_VERSION = "7.4"
MACHINES_TOKENS = "http://169.254.169.254/metadata/identity/oauth2/token"
SIGN_IN = {
    "azure.net": "https://login.microsoftonline.com",
    "usgovcloudapi.net": "https://login.microsoftonline.us",
    "azure.cn": "https://login.chinacloudapi.cn",
}
"""By the last two words of the vault's name; page "Azure Key Vault: DNS suffixes" and "National clouds"."""
SPARE_SECONDS = 120


class AzureVault:
    """One key of one vault. Keeps a token until shortly before it ends, and never shows it."""

    def __init__(
        self,
        name: AzureKey,
        purpose: Purpose,
        *,
        secret_file: str = "",
        ca_bundle: str = "",
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises BadInput when an app is named without its password or for a cloud that is not known."""
        sign_in = SIGN_IN.get(".".join(name.domain.split(".")[-2:]), "")
        if name.tenant and not secret_file:
            raise BadInput(f"{purpose.setting} names an app, so {purpose.secret_setting} must be set too.")
        if name.tenant and not sign_in:
            raise BadInput(f"{purpose.setting} must name a vault in a cloud of Microsoft's, such as vault.azure.net.")
        self.name = name
        self.purpose = purpose
        self._sign_in = sign_in
        self._secret_file = secret_file
        self._line = Line(purpose, ca_bundle=ca_bundle, wire=wire)
        self._lock = threading.Lock()
        self._token = ""
        self._token_ends = 0.0

    def describe(self) -> str:
        return f"key {self.name.key} of the key keeper {self.name.vault}"

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, expected: Collection[int] = ()
    ) -> Reply:
        """`path` begins behind the key's name. Statuses but 2xx and `expected` become KeyServiceTrouble."""
        reply = self._line.ask(
            method,
            f"{self.name.vault}/keys/{self.name.key}{path}?api-version={API_VERSION}",
            where=self.describe(),
            headers={"Authorization": f"Bearer {self._current_token()}"},
            json=body,
        )
        if 200 <= reply.status < 300 or reply.status in expected:
            return reply
        if reply.status == 401:
            with self._lock:
                self._token = ""
        raise self.refused(self._reason(reply))

    def password(self) -> str:
        """Of the app, when one is named. Raises KeyServiceTrouble when the file holds none."""
        return self.purpose.secret_in(self._secret_file, self.purpose.secret_setting)

    def refused(self, why: str) -> KeyServiceTrouble:
        return self.purpose.refused(self.describe(), why)

    def _reason(self, reply: Reply) -> str:
        if reply.status == 401:
            return "it does not take our token. Check that vault and identity belong to the same directory"
        if reply.status == 403 and _inner_code(reply) == "KeyDisabled":
            return "this version of the key is disabled there. Enable it, or restore what was sealed since"
        if reply.status == 403:
            return (
                "its access policy, role assignment or firewall does not let us do this. Give our identity the right "
                "that docs/keys.md names"
            )
        if reply.status == 404:
            return f"it has no such key or version. Correct {self.purpose.setting}, or recover the deleted key"
        return f"it answered {reply.status}. Check that the key there is an RSA key and may do it"

    def _current_token(self) -> str:
        with self._lock:
            if not self._token or time.monotonic() > self._token_ends:
                self._token, seconds = self._app_token() if self.name.tenant else self._machine_token()
                self._token_ends = time.monotonic() + seconds - SPARE_SECONDS
            return self._token

    def _machine_token(self) -> tuple[str, float]:
        query = {"api-version": "2018-02-01", "resource": f"https://{self.name.domain}"}
        if self.name.client:
            query["client_id"] = self.name.client
        reply = self._line.ask(
            "GET",
            f"{MACHINES_TOKENS}?{httpx.QueryParams(query)}",
            where=f"managed identity of this machine, for {self.name.vault}",
            headers={"Metadata": "true"},
        )
        return self._token_in(reply, "this machine has no such managed identity. Assign one, or name an app")

    def _app_token(self) -> tuple[str, float]:
        reply = self._line.ask(
            "POST",
            f"{self._sign_in}/{self.name.tenant}/oauth2/v2.0/token",
            where=f"sign-in of app {self.name.client} for {self.name.vault}",
            form={
                "grant_type": "client_credentials",
                "client_id": self.name.client,
                "client_secret": self.password(),
                "scope": f"https://{self.name.domain}/.default",
            },
        )
        return self._token_in(
            reply,
            f"the directory does not let app {self.name.client} in. Renew its password in the file of "
            f"{self.purpose.secret_setting}, or correct {self.purpose.setting}",
        )

    def _token_in(self, reply: Reply, otherwise: str) -> tuple[str, float]:
        token, seconds = reply.body.get("access_token"), reply.body.get("expires_in")
        # The machine's endpoint says the seconds as text, the sign-in as a number.
        if reply.status == 200 and isinstance(token, str) and token and str(seconds).isdecimal():
            return token, float(str(seconds))
        raise self.refused(otherwise)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_base64url(text: object) -> bytes:
    """b"" for what is no base64url."""
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""


def _inner_code(reply: Reply) -> str:
    """`error.innererror.code`, after the page "Azure Key Vault REST API error codes"."""
    found: Any = reply.body
    for name in ("error", "innererror", "code"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""
