"""Tokens for each tenant: asked for once, kept in memory, renewed when Microsoft stops taking them.

The app's own come by MSAL, the partner's by a refresh token. Neither is ever written anywhere.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msal

from msp.errors import Busy, NoConnection, Unreachable
from msp.microsoft.answers import Reply, patience
from msp.microsoft.clouds import Cloud
from msp.microsoft.connection import Connection
from msp.microsoft.partner_sign_in import PartnerSignIn, RefreshTokenKeeper
from msp.microsoft.ports import Access, ProbeResult, SignInAnswer
from msp.microsoft.sign_in_codes import judged, judged_session, no_token
from msp.microsoft.signing import AssertionSigner, client_assertion, way_to_sign
from msp.microsoft.transport import Transport

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RENEWED_BEFORE_SECONDS = 300.0
"""A partner's token is renewed so long before its end, as MSAL does it with the app's own."""


class TokenStore:
    """Our tokens, one per tenant, cloud and access. Safe to use from any thread; one tenant never waits for another.

    All belong to the one credential of the connection. `keeper` keeps the partner's refresh token; `sign` gives the
    signer of the app's certificate (found by the connection's settings when it is not given).
    """

    def __init__(
        self,
        connection: Connection,
        transport: Transport,
        *,
        keeper: RefreshTokenKeeper | None = None,
        sign: Callable[[], AssertionSigner] | None = None,
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._signer = sign or way_to_sign(connection)
        self._partner = PartnerSignIn(connection.client_id, keeper)
        self._guard = threading.Lock()
        self._doors: dict[tuple[str, str, Access], _Door] = {}

    def token(self, tenant_id: str, cloud: Cloud, access: Access = Access.APPLICATION) -> str:
        """A token that should be good now, from memory when there is one.

        Raises NoConnection (a person must mend the app, its credential or its consent), Busy or Unreachable.
        """
        door = self._door(tenant_id, cloud, access)
        with door.lock:
            door.held = self._acquire(door, tenant_id, cloud, access)
            return door.held

    def renewed(self, tenant_id: str, cloud: Cloud, refused: str, access: Access = Access.APPLICATION) -> str:
        """A token other than the one that Microsoft just refused."""
        door = self._door(tenant_id, cloud, access)
        with door.lock:
            # Several threads may be refused at once; only the first of them has to fetch a new one.
            if door.held == refused:
                door.app, door.good_until = None, 0.0
            door.held = self._acquire(door, tenant_id, cloud, access)
            return door.held

    def claims(self, tenant_id: str, cloud: Cloud, access: Access = Access.APPLICATION) -> Mapping[str, Any]:
        """What our token says of itself; nothing when it cannot be read. Nothing is granted by what is read here."""
        payload = self.token(tenant_id, cloud, access).split(".")[1:2]
        try:
            found = json.loads(base64.urlsafe_b64decode(payload[0] + "=" * (-len(payload[0]) % 4)))
        except (IndexError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def permissions(self, tenant_id: str, cloud: Cloud, access: Access = Access.APPLICATION) -> frozenset[str]:
        """What our token carries: application permissions, or scopes of a delegated one.

        Assumption: the claims are called `roles` and `scp`. They only tell which of two reasons a refusal had.
        """
        claims = self.claims(tenant_id, cloud, access)
        return frozenset([*claims.get("roles", []), *str(claims.get("scp", "")).split()])

    def try_password(self, tenant_id: str, cloud: Cloud, user_name: str, password: str) -> ProbeResult:
        """Sign in with a password alone and say whether it is the right one. No token is kept."""
        return self.sign_in(tenant_id, cloud, user_name, password).result

    def sign_in(
        self, tenant_id: str, cloud: Cloud, user_name: str, password: str, *, keep_session: bool = False
    ) -> SignInAnswer:
        """Sign in with a password alone (resource owner grant) and say what that tells. No token is kept here.

        `keep_session` asks for a refresh token (scope offline_access) and hands it over. Assumption: an app that
        proves itself by its own credential may use this grant without being marked as a public client.
        """
        url = cloud.token_url(tenant_id)
        form = {
            "grant_type": "password",
            "client_id": self._connection.client_id,
            "scope": f"{cloud.scope} offline_access" if keep_session else cloud.scope,
            "username": user_name,
            "password": password,
        }
        reply = self._login(url, form | self._proof(url), {}, tenant_id)
        return judged(reply.status, reply.body or {})

    def go_on(self, tenant_id: str, cloud: Cloud, session: str) -> SignInAnswer:
        """Redeem a refresh token that `sign_in` gave, and say what that tells. No token is kept."""
        url = cloud.token_url(tenant_id)
        form = {
            "grant_type": "refresh_token",
            "client_id": self._connection.client_id,
            "refresh_token": session,
            "scope": cloud.scope,
        }
        reply = self._login(url, form | self._proof(url), {}, tenant_id)
        return judged_session(reply.status, reply.body or {})

    def _door(self, tenant_id: str, cloud: Cloud, access: Access) -> _Door:
        with self._guard:
            return self._doors.setdefault((tenant_id, cloud.name, access), _Door())

    def _acquire(self, door: _Door, tenant_id: str, cloud: Cloud, access: Access) -> str:
        _demand_tenant(tenant_id)
        if access is Access.PARTNER:
            return self._by_the_partner(door, tenant_id, cloud)
        if door.app is None:
            door.app = self._application(tenant_id, cloud)
        answer = door.app.acquire_token_for_client([cloud.scope])
        if "access_token" not in answer:
            # MSAL remembers a "no" for a minute; a new application asks again as soon as it is mended.
            door.app = None
            raise no_token(answer, tenant_id)
        return str(answer["access_token"])

    def _by_the_partner(self, door: _Door, tenant_id: str, cloud: Cloud) -> str:
        if time.monotonic() < door.good_until:
            return door.held
        granted = self._partner.redeem(tenant_id, cloud, self._proof(cloud.token_url(tenant_id)), self._login)
        door.good_until = time.monotonic() + max(granted.seconds - RENEWED_BEFORE_SECONDS, granted.seconds / 2)
        return granted.access_token

    def _application(self, tenant_id: str, cloud: Cloud) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            self._connection.client_id,
            client_credential=self._credential(cloud.token_url(tenant_id)),
            authority=f"{cloud.login_url}/{tenant_id}",
            # Instance discovery asks Microsoft's public host about every other one, and fails without it.
            instance_discovery=False,
            http_client=_MsalHttp(self, tenant_id, cloud),
        )

    def _credential(self, token_url: str) -> dict[str, Callable[[], str]] | str:
        """MSAL's form of our credential; it asks for an assertion whenever it sends one."""
        self._demand_credential()
        if self._connection.client_certificate:
            return {"client_assertion": lambda: self._assertion(token_url)}
        return self._connection.client_secret

    def _proof(self, token_url: str) -> dict[str, str]:
        """The form fields by which the app proves who it is, for a request that MSAL does not make."""
        self._demand_credential()
        if not self._connection.client_certificate:
            return {"client_secret": self._connection.client_secret}
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self._assertion(token_url)}

    def _assertion(self, token_url: str) -> str:
        """The files are read anew for each, so that a renewed certificate is found."""
        return client_assertion(self._signer(), self._connection.client_id, token_url)

    def _demand_credential(self) -> None:
        known = self._connection
        if not known.client_id or not (known.client_certificate or known.client_secret):
            raise NoConnection(
                "The app's own credential is not set, so nothing was sent to Microsoft. Set LATCHKEY_CLIENT_ID and "
                "LATCHKEY_CLIENT_CERTIFICATE (a PEM file with certificate and key), then try again.",
                code="credential_missing",
            )

    def _login(self, url: str, form: Mapping[str, str], headers: Mapping[str, str], tenant_id: str) -> Reply:
        """Post to the token endpoint; an answer that is not OAuth's becomes Busy or Unreachable here."""
        reply = self._transport.ask_login(url, form, headers, f"signing in to tenant {tenant_id}")
        if reply.status == 429 or reply.status >= 500:
            wait = patience(reply)
            raise Busy(
                f"Microsoft's sign-in service answered {reply.status} for tenant {tenant_id}. Nothing was changed "
                f"there. It is tried again in {wait:.0f} s.",
                retry_after=wait,
                code=f"http_{reply.status}",
                request_id=reply.headers.get("x-ms-request-id", reply.request_id),
            )
        if reply.body is None:
            raise Unreachable(
                f"What answered for tenant {tenant_id} at {url} is not Microsoft's sign-in service (status "
                f"{reply.status}, no JSON). Nothing was changed. Check LATCHKEY_LOGIN_URL, LATCHKEY_HTTPS_PROXY and "
                "the network.",
                code="not_a_sign_in_service",
            )
        return reply


def _demand_tenant(tenant_id: str) -> None:
    if not TENANT.fullmatch(tenant_id):
        raise NoConnection(
            f"{tenant_id!r} is neither a tenant id nor a domain; nothing was sent. Correct it in the customer's entry.",
            code="tenant_id_unusable",
        )


@dataclass
class _Door:
    """One tenant's application at MSAL, and the token that was handed out last.

    `good_until` (on the monotonic clock) counts for a partner's token alone: MSAL keeps the ends of its own.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    app: msal.ConfidentialClientApplication | None = None
    held: str = field(default="", repr=False)
    good_until: float = 0.0


@dataclass(frozen=True)
class _MsalResponse:
    """The shape in which MSAL wants an answer."""

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str]


class _MsalHttp:
    """MSAL's way out: through our transport, so that trust, time-outs and errors are decided in one place."""

    def __init__(self, store: TokenStore, tenant_id: str, cloud: Cloud) -> None:
        self._store, self._tenant_id, self._cloud = store, tenant_id, cloud

    def get(self, url: str, **_: Any) -> _MsalResponse:
        """Answer MSAL's discovery of the tenant's endpoints from our own table.

        The endpoint's address is documented ("client credentials grant"), so this saves one round trip per
        tenant, and an unknown tenant is told by its AADSTS number instead of a bare 400.
        """
        token_url = self._cloud.token_url(self._tenant_id)
        known = {"token_endpoint": token_url, "authorization_endpoint": token_url.replace("/token", "/authorize")}
        return _MsalResponse(200, json.dumps(known), {})

    def post(
        self, url: str, data: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> _MsalResponse:
        # MSAL hands the assertion over as bytes; as a form value those would be sent as the text "b'...'".
        form = {
            name: value.decode("ascii") if isinstance(value, bytes) else str(value)
            for name, value in (data or {}).items()
        }
        reply = self._store._login(url, form, headers or {}, self._tenant_id)
        return _MsalResponse(reply.status, json.dumps(reply.body), reply.headers)

    def close(self) -> None:
        """Nothing to close: the transport belongs to somebody else."""
