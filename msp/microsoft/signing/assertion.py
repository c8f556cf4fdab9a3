"""The assertion itself, on the signing port."""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from msp.errors import NoConnection

ASSERTION_SECONDS = 300
"""Microsoft wants an end five to ten minutes after the beginning."""


class AssertionSigner(Protocol):
    """Whoever can sign with the key of the app's certificate."""

    @property
    def certificate(self) -> x509.Certificate: ...

    def sign(self, message: bytes) -> bytes:
        """The PS256 signature: RSASSA-PSS, SHA-256, a salt as long as the hash. Raises NoConnection or Busy."""
        ...

    def describe(self) -> str:
        """Where certificate and key are, for a person; never a secret."""
        ...


def client_assertion(
    signer: AssertionSigner, client_id: str, token_url: str, *, now: Callable[[], dt.datetime] | None = None
) -> str:
    """A signed assertion for one token endpoint, good for five minutes.

    Raises NoConnection when the certificate is not valid now, before anything is asked of anybody.
    """
    at = now() if now else dt.datetime.now(dt.UTC)
    _demand_valid(signer, at)
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(signer.certificate)}
    began = int(at.timestamp())
    claims = {
        "aud": token_url,
        "iss": client_id,
        "sub": client_id,
        "jti": str(uuid.uuid4()),
        "nbf": began,
        "iat": began,
        "exp": began + ASSERTION_SECONDS,
    }
    message = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{message}.{_base64url(signer.sign(message.encode()))}"


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate (DER), base64url without padding, as `x5t#S256` wants it (RFC 7515, 4.1.8)."""
    return _base64url(certificate.fingerprint(SHA256()))


def _demand_valid(signer: AssertionSigner, at: dt.datetime) -> None:
    first, last = signer.certificate.not_valid_before_utc, signer.certificate.not_valid_after_utc
    if first <= at <= last:
        return
    if at < first:
        when, remedy = f"is valid only from {first:%Y-%m-%d %H:%M} UTC on", "Check this machine's clock, or wait."
    else:
        when = f"expired on {last:%Y-%m-%d %H:%M} UTC"
        remedy = (
            "Make a new one, add it to the app's registration, and store it here (setting LATCHKEY_CLIENT_CERTIFICATE)."
        )
    raise NoConnection(
        f"The app's certificate ({signer.describe()}) {when}. Nothing was sent to Microsoft. {remedy}",
        code="certificate_not_yet_valid" if at < first else "certificate_expired",
    )


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
