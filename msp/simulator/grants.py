"""Access tokens: in memory only, bound to one tenant and one application. A restart forgets them.

A token counts because it is remembered here, not because of what is written in it.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes


@dataclass(frozen=True)
class Grant:
    """What one access token stands for. `permissions` are those of its issue: a new grant needs a new token.

    With a `user_id` a person stands behind it: then `scopes` count in place of `permissions`, and `directory_roles`
    are that person's in this tenant. `user_tenant_id` is where the person is at home.
    """

    tenant_id: str
    client_id: str
    permissions: frozenset[str]
    expires_at: float
    user_id: str = ""
    scopes: frozenset[str] = frozenset()
    user_tenant_id: str = ""
    directory_roles: tuple[str, ...] = ()


class Grants:
    """All live tokens. They live by the machine's clock, which the clients' caches share."""

    def __init__(self) -> None:
        self._by_token: dict[str, Grant] = {}
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def issue(
        self, tenant_id: str, client_id: str, permissions: frozenset[str], life: float, *, principal_id: str = ""
    ) -> str:
        """A token of the application itself; `principal_id` is its service principal in that tenant."""
        return self.keep(Grant(tenant_id, client_id, permissions, time.time() + life), principal_id=principal_id)

    def keep(self, grant: Grant, *, principal_id: str = "") -> str:
        """The token of a grant: in form a JWT, so that its holder can see what it carries, like Microsoft's."""
        claims: dict[str, Any] = {
            "aud": "https://graph.microsoft.com",
            "tid": grant.tenant_id,
            "appid": grant.client_id,
            "oid": grant.user_id or principal_id,
            "iat": int(time.time()),
            "nbf": int(time.time()),
            "exp": int(grant.expires_at),
            "uti": secrets.token_urlsafe(16),
        }
        if grant.user_id:
            claims["scp"] = " ".join(sorted(grant.scopes))
        else:
            claims["roles"] = sorted(grant.permissions)
        token = jwt.encode(claims, self._key, algorithm="HS256")
        with self._lock:
            self._by_token[token] = grant
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
