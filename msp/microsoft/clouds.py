"""The clouds that Entra ID runs in: where to sign in, where Graph answers, and what each of them lacks.

Hosts after Microsoft's page "national cloud deployments". Assumption for China: the page names
login.chinacloudapi.cn, newer client libraries name login.partner.microsoftonline.cn; the page is followed.
Tokens of one cloud are worth nothing in another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from msp.errors import NoConnection


class Ability(StrEnum):
    """What Graph can do in some clouds and not in others (after the pages of the single calls)."""

    AUTHENTICATION_METHODS = "authentication_methods"
    HARDWARE_OATH = "hardware_oath"


@dataclass(frozen=True)
class Cloud:
    """One cloud: base addresses without a slash at the end, and the abilities that it lacks."""

    name: str
    login_url: str
    graph_url: str
    lacks: frozenset[Ability] = frozenset()

    @property
    def scope(self) -> str:
        """What a token is asked for: everything that was consented to at this cloud's Graph."""
        return f"{self.graph_url}/.default"

    def token_url(self, tenant_id: str) -> str:
        return f"{self.login_url}/{tenant_id}/oauth2/v2.0/token"

    def elsewhere(self, *, login_url: str = "", graph_url: str = "") -> Cloud:
        """The same cloud at other addresses; an empty address leaves the known one."""
        return replace(
            self,
            login_url=login_url.rstrip("/") or self.login_url,
            graph_url=graph_url.rstrip("/") or self.graph_url,
        )


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        Cloud(
            "us_gov_l4",
            "https://login.microsoftonline.us",
            "https://graph.microsoft.us",
            lacks=frozenset({Ability.HARDWARE_OATH}),
        ),
        Cloud(
            "us_gov_l5",
            "https://login.microsoftonline.us",
            "https://dod-graph.microsoft.us",
            lacks=frozenset({Ability.HARDWARE_OATH}),
        ),
        Cloud(
            "china",
            "https://login.chinacloudapi.cn",
            "https://microsoftgraph.chinacloudapi.cn",
            lacks=frozenset({Ability.AUTHENTICATION_METHODS, Ability.HARDWARE_OATH}),
        ),
    )
}


def cloud_named(name: str) -> Cloud:
    """The cloud of that name. Raises NoConnection for a name that is not in the table."""
    try:
        return CLOUDS[name]
    except KeyError:
        raise NoConnection(
            f"There is no cloud called {name!r}; nothing was sent. Give the tenant one of: {', '.join(CLOUDS)}.",
            code="unknown_cloud",
        ) from None
