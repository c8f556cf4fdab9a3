"""The transit engine of OpenBao and HashiCorp Vault, after its API pages, which both share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import httpx

from msp.key_services.line import Line, Reply
from msp.key_services.names import TransitKey
from msp.key_services.purpose import KeyServiceTrouble, Purpose


class Transit:
    """One key of a transit engine. Never shows the token, which is read from its file at each use."""

    def __init__(
        self,
        name: TransitKey,
        purpose: Purpose,
        *,
        token_file: str,
        ca_bundle: str = "",
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = name
        self.purpose = purpose
        self._token_file = token_file
        self._line = Line(purpose, ca_bundle=ca_bundle, wire=wire)

    def describe(self) -> str:
        return f"key {self.name.key} of the key keeper {self.name.address} ({self.name.mount})"

    def token(self) -> str:
        """Raises KeyServiceTrouble when the file holds none."""
        return self.purpose.secret_in(self._token_file, self.purpose.secret_setting)

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, expected: Collection[int] = ()
    ) -> Reply:
        """`path` begins behind the mount. Statuses other than 2xx that are not `expected` become KeyServiceTrouble."""
        reply = self._line.ask(
            method,
            f"{self.name.address}/v1/{self.name.mount}/{path}",
            where=self.describe(),
            headers={"X-Vault-Token": self.token()},
            json=body,
        )
        if 200 <= reply.status < 300 or reply.status in expected:
            return reply
        reasons = {
            403: f"it does not take our token, or its policy does not let us use {path.partition('/')[0]} with this "
            f"key. Renew the token in the file of {self.purpose.secret_setting}, or the policy",
            404: f"it has no such key. Correct {self.purpose.setting}",
            307: f"it sends us on to another server. Name the active one in {self.purpose.setting}",
        }
        raise self.refused(
            reasons.get(
                reply.status, f"it answered {reply.status}. Check that the key there is of the right kind and may do it"
            )
        )

    def data_of(self, reply: Reply) -> dict[str, Any]:
        """What every answer of the engine holds under "data"."""
        data = reply.body.get("data")
        return data if isinstance(data, dict) else {}

    def refused(self, why: str) -> KeyServiceTrouble:
        return self.purpose.refused(self.describe(), why)
