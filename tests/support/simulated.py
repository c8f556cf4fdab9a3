"""A simulated cloud for tests, with one application that is consented everywhere and speaks plain HTTP to it."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from msp.simulator.server import Simulator
from msp.simulator.state import DEFAULT_PERMISSIONS, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, SimTenant, SimUser

APP = "11111111-aaaa-4aaa-8aaa-111111111111"
SECRET = "an-application-secret"
PASSWORD = "Old-Password-1"


@dataclass(frozen=True)
class Credential:
    """An application's key and certificate, PEM."""

    private_key: str
    certificate: str

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> str:
        return x509.load_pem_x509_certificate(self.certificate.encode()).fingerprint(algorithm).hex()


@functools.cache
def credential(name: str = "latchkey") -> Credential:
    """One of a few credentials, made once per test run."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Credential(private.decode(), certificate.public_bytes(pem).decode())


class Microsoft:
    """A running simulator, tenant Contoso in it, its shared account, and an HTTP client that trusts it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.cloud, self.url = simulator, simulator.cloud, simulator.url
        trusted = ssl.create_default_context(cafile=str(simulator.ca_path))
        self.http = httpx.Client(base_url=simulator.url, verify=trusted, timeout=10, trust_env=False)
        self.cloud.register_app(APP, certificate_pem=credential().certificate, secret=SECRET)
        self.cloud.consent(APP)
        self.contoso: SimTenant = self.cloud.add_tenant("Contoso", "contoso.example")
        self.shared: SimUser = self.cloud.add_user(self.contoso.id, "shared-admin", "Shared Admin", PASSWORD)

    def ask_token(self, tenant: str = "", **form: str) -> httpx.Response:
        """The token endpoint, with the application's secret unless the form says otherwise ("" leaves a field out)."""
        asked = {
            "client_id": APP,
            "client_secret": SECRET,
            "grant_type": "client_credentials",
            "scope": f"{self.url}/.default",
        }
        sent = {name: value for name, value in (asked | form).items() if value}
        return self.http.post(f"/{tenant or self.contoso.id}/oauth2/v2.0/token", data=sent)

    def probe(self, password: str, username: str = "", **form: str) -> int:
        """The AADSTS code of a sign-in with a password alone."""
        name = username or self.shared.upn
        answer = self.ask_token(grant_type="password", username=name, password=password, **form)
        return int(answer.json()["error_codes"][0])

    def grant(
        self, permissions: tuple[str, ...] = DEFAULT_PERMISSIONS, *, roles: tuple[str, ...] | None = None
    ) -> None:
        """Replace what the application may do in Contoso."""
        held = (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,) if roles is None else roles
        self.cloud.consent(APP, self.contoso.id, permissions=permissions, roles=held)

    @property
    def bearer(self) -> dict[str, str]:
        """A fresh token for Contoso, as a header."""
        token, _ = self.cloud.issue_token(self.contoso, APP)
        return {"Authorization": f"Bearer {token}"}

    def graph(self, method: str, path: str, version: str = "v1.0", **sent: Any) -> httpx.Response:
        """One Graph call in Contoso."""
        headers = self.bearer | sent.pop("headers", {})
        return self.http.request(method, f"/{version}{path}", headers=headers, **sent)

    def authentication(self, method: str, tail: str, version: str = "v1.0", **sent: Any) -> httpx.Response:
        """One call to the methods service about the shared account."""
        return self.graph(method, f"/users/{self.shared.id}/authentication/{tail}", version, **sent)

    def batch(self, *requests: dict[str, Any], version: str = "v1.0") -> dict[str, dict[str, Any]]:
        """A batch in Contoso: id -> answer."""
        answer = self.graph("POST", "/$batch", version, json={"requests": list(requests)})
        assert answer.status_code == 200, answer.text
        return {one["id"]: one for one in answer.json()["responses"]}

    def registers(self, kind: str, **details: Any) -> str:
        """Register a method on the shared account; answers its id."""
        return self.cloud.register(self.contoso.id, self.shared.upn, kind, **details).id

    def method_ids(self) -> list[str]:
        """What is really registered on the shared account, the password apart."""
        return [method.id for method in self.cloud.methods(self.contoso.id, self.shared.upn)]

    def set_password(self, password: str) -> httpx.Response:
        profile = {"passwordProfile": {"password": password, "forceChangePasswordNextSignIn": False}}
        return self.graph("PATCH", f"/users/{self.shared.id}", json=profile)


@contextmanager
def microsoft(state_dir: Path, **options: Any) -> Iterator[Microsoft]:
    with Simulator(state_dir, **options) as simulator:
        made = Microsoft(simulator)
        try:
            yield made
        finally:
            made.http.close()
