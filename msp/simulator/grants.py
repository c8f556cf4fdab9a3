"""Access tokens: opaque, in memory only, bound to one tenant and one application. A restart forgets them."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes


@dataclass(frozen=True)
class Grant:
    """What one access token stands for. `permissions` are those of its issue: a new grant needs a new token."""

    tenant_id: str
    client_id: str
    permissions: frozenset[str]
    expires_at: float


class Grants:
    """All live tokens. They live by the machine's clock, which the clients' caches share."""

    def __init__(self) -> None:
        self._by_token: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def issue(self, tenant_id: str, client_id: str, permissions: frozenset[str], life: float) -> str:
        token = secrets.token_urlsafe(48)
        with self._lock:
            self._by_token[token] = Grant(tenant_id, client_id, permissions, time.time() + life)
        return token

    def of(self, token: str) -> Grant | None:
        """What a token stands for, unless it has run out."""
        with self._lock:
            grant = self._by_token.get(token)
            if grant is not None and grant.expires_at <= time.time():
                del self._by_token[token]
                return None
            return grant

    def expire(self, tenant_id: str = "") -> None:
        """End every token, or those of one tenant."""
        with self._lock:
            self._by_token = {t: g for t, g in self._by_token.items() if tenant_id and g.tenant_id != tenant_id}


def thumbprints(certificate_pem: str) -> tuple[str, str]:
    """(x5t#S256, x5t) of a certificate as RFC 7515 writes them: base64url without padding."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    # SHA-1 is what x5t is made of; it only finds the key, the signature is checked with it.
    digests = certificate.fingerprint(hashes.SHA256()), certificate.fingerprint(hashes.SHA1())  # noqa: S303
    sha256, sha1 = (base64.urlsafe_b64encode(digest).rstrip(b"=").decode() for digest in digests)
    return sha256, sha1
