"""Coming to a customer's tenant as the partner's user, with the rights that GDAP gives that user there.

The secure application model (pages "auth-cloudsolutionprovider" and "secure-sample-application"): a user of the
partner signs in once, with a second factor, in the partner's own tenant; the refresh token of that sign-in is redeemed
at each customer's token endpoint. Whoever holds it is that user in every customer's tenant, so it is kept sealed.
Assumption: redeeming a refresh token does not end it, so that several tenants may redeem the same one at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from msp.errors import KeyTrouble, NoConnection
from msp.microsoft.answers import Reply
from msp.microsoft.clouds import Ability, Cloud
from msp.microsoft.sign_in_codes import no_token

log = logging.getLogger(__name__)

HOUR = 3600.0

LogIn = Callable[[str, Mapping[str, str], Mapping[str, str], str], Reply]
"""(token endpoint, form, headers, tenant id) -> its answer, which is OAuth's."""


class RefreshTokenKeeper(Protocol):
    """Where the one refresh token of the partner's sign-in lies, sealed."""

    def read(self) -> str:
        """The token, or "" when none was ever stored."""
        ...

    def replace(self, used: str, new: str) -> None:
        """Keep `new` in the place of `used`. When another one lies there by now, that one stays: it is younger."""
        ...


@dataclass(frozen=True)
class Granted:
    """A token for one tenant, and for how many seconds it is good."""

    access_token: str = field(repr=False)
    seconds: float


class PartnerSignIn:
    """Redeems the partner's refresh token, tenant by tenant."""

    def __init__(self, client_id: str, keeper: RefreshTokenKeeper | None) -> None:
        self._client_id = client_id
        self._keeper = keeper

    def redeem(self, tenant_id: str, cloud: Cloud, proof: Mapping[str, str], log_in: LogIn) -> Granted:
        """A delegated token for one tenant. A new refresh token that comes along takes the place of the kept one.

        Raises NoConnection where a person must mend something, and what `log_in` raises.
        """
        if Ability.DELEGATED_ADMIN in cloud.lacks:
            raise NoConnection(
                f"Tenant {tenant_id} cannot be reached as the partner: the cloud {cloud.name} has no delegated "
                "administration. Nothing was sent. Have the app consented in that tenant instead.",
                code="not_in_this_cloud",
            )
        used = self._kept(tenant_id)
        form = {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "refresh_token": used,
            "scope": cloud.scope,
        }
        answer = log_in(cloud.token_url(tenant_id), form | dict(proof), {}, tenant_id).body or {}
        granted = answer.get("access_token")
        if not isinstance(granted, str) or not granted:
            raise no_token(answer, tenant_id)
        new = answer.get("refresh_token")
        if isinstance(new, str) and new and new != used:
            self._keep(used, new)
        return Granted(granted, _seconds(answer))

    def _kept(self, tenant_id: str) -> str:
        trouble = "no sign-in of the partner is kept here"
        try:
            found = self._keeper.read() if self._keeper else ""
        except KeyTrouble as wrong:
            found, trouble = "", f"the partner's sign-in does not open ({wrong})"
        if not found:
            raise NoConnection(
                f"Tenant {tenant_id} is to be reached as the partner, and {trouble}. Nothing was sent. "
                "Store one with `python3 manage.py partner_token`, then try again.",
                code="partner_token_missing",
            )
        return found

    def _keep(self, used: str, new: str) -> None:
        try:
            if self._keeper:
                self._keeper.replace(used, new)
        except KeyTrouble as wrong:
            # The one before is still good, and so is the access token that came along: the work goes on.
            log.warning("The partner's new refresh token was not kept; the one before stays. %s", wrong)


def _seconds(answer: Mapping[str, Any]) -> float:
    try:
        return max(float(answer.get("expires_in", HOUR)), 0.0)
    except (TypeError, ValueError):
        return HOUR
