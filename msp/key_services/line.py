"""HTTPS to a key service: our authorities, no proxy, and nothing of the environment's."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from msp.errors import BadInput
from msp.key_services.purpose import Purpose

SECONDS = 10.0
BUSY = {
    429: "it asks for patience",
    472: "it is a standby of a disaster recovery, which does not serve: name the primary",
    473: "it is a standby that does not serve: name the active one",
    503: "it is sealed or under maintenance: unseal it",
}
"""After the "HTTP status codes" page of the API of OpenBao and Vault, and "Throttling" of Azure Key Vault."""


@dataclass(frozen=True)
class Reply:
    """What came back: a status below 500, and the JSON object of the body, {} for anything else."""

    status: int
    body: dict[str, Any]


class Line:
    """The way to one key service. Safe to use from any thread."""

    def __init__(self, purpose: Purpose, *, ca_bundle: str = "", wire: httpx.BaseTransport | None = None) -> None:
        """`wire` replaces the network (for tests). Raises BadInput when the authorities cannot be read."""
        self._purpose = purpose
        self._client = httpx.Client(
            verify=_trusted(ca_bundle, purpose),
            trust_env=False,
            timeout=SECONDS,
            follow_redirects=False,
            transport=wire,
        )

    def ask(
        self,
        method: str,
        url: str,
        *,
        where: str,
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        """Raises KeyServiceTrouble when there is no answer or one that only time can change."""
        try:
            answer = self._client.request(method, url, headers=headers, json=json, data=form)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise self._purpose.silent(where, "it did not answer") from None
        if answer.status_code in BUSY:
            raise self._purpose.silent(where, f"it answered {answer.status_code} ({BUSY[answer.status_code]})")
        if answer.status_code >= 500:
            raise self._purpose.silent(where, f"it answered {answer.status_code}")
        try:
            body = answer.json() if answer.content else {}
        except ValueError:
            body = {}
        return Reply(answer.status_code, body if isinstance(body, dict) else {})


def _trusted(ca_bundle: str, purpose: Purpose) -> ssl.SSLContext:
    if not ca_bundle:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError):
        raise BadInput(
            f"The file {ca_bundle} (setting {purpose.setting}_CA_BUNDLE) cannot be read as certificates in PEM form. "
            f"{purpose.stands}. Name the right file, or leave the setting empty for the usual authorities."
        ) from None
