"""The clouds that Entra ID runs in: where to sign in, where Graph answers, and what each of them lacks.

Hosts after Microsoft's page "national cloud deployments". Assumption for China: the page names
login.chinacloudapi.cn, newer client libraries name login.partner.microsoftonline.cn; the page is followed.
Tokens of one cloud are worth nothing in another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlencode

from msp.errors import BadInput, NoConnection

ADDRESS = re.compile(r"https://[^\s/?#@,=]+(/[^\s?#,=]*)?")


class Ability(StrEnum):
    """What Microsoft can do in some clouds and not in others (after the pages of the single calls)."""

    AUTHENTICATION_METHODS = "authentication_methods"
    HARDWARE_OATH = "hardware_oath"
    DELEGATED_ADMIN = "delegated_admin"
    PASSKEY_PROVISIONING = "passkey_provisioning"
    RESET_PASSWORD = "reset_password"


GLOBAL_ONLY = frozenset({Ability.HARDWARE_OATH, Ability.DELEGATED_ADMIN, Ability.PASSKEY_PROVISIONING})
NOT_IN_CHINA = frozenset({Ability.AUTHENTICATION_METHODS, Ability.RESET_PASSWORD})


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

    def admin_consent_url(self, tenant_id: str, client_id: str, redirect_uri: str, state: str) -> str:
        """The page where an administrator of the tenant consents to the app ("client credentials grant").

        The browser comes back to `redirect_uri` with `tenant`, `state`, and `admin_consent=True` or `error`.
        """
        asked = urlencode({"client_id": client_id, "state": state, "redirect_uri": redirect_uri})
        return f"{self.login_url}/{tenant_id}/adminconsent?{asked}"

    def elsewhere(self, *, login_url: str = "", graph_url: str = "") -> Cloud:
        """The same cloud at other addresses; whoever is not named in a setting keeps the known one.

        Each is the text of its setting: one address for every cloud, or `cloud=address` pairs with commas between.
        Raises BadInput, naming the setting, for anything else.
        """
        return replace(
            self,
            login_url=_addresses(login_url, "LATCHKEY_LOGIN_URL").get(self.name, self.login_url),
            graph_url=_addresses(graph_url, "LATCHKEY_GRAPH_URL").get(self.name, self.graph_url),
        )


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        Cloud("us_gov_l4", "https://login.microsoftonline.us", "https://graph.microsoft.us", GLOBAL_ONLY),
        Cloud("us_gov_l5", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us", GLOBAL_ONLY),
        Cloud(
            "china",
            "https://login.chinacloudapi.cn",
            "https://microsoftgraph.chinacloudapi.cn",
            GLOBAL_ONLY | NOT_IN_CHINA,
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


def _addresses(text: str, setting: str) -> dict[str, str]:
    """Cloud name -> address, as a setting says it."""
    told = [part.strip() for part in text.split(",") if part.strip()]
    if len(told) == 1 and "=" not in told[0]:
        return dict.fromkeys(CLOUDS, _address(told[0], setting))
    pairs = [part.partition("=") for part in told]
    found = {name.strip(): _address(address.strip(), setting) for name, _sign, address in pairs}
    if unknown := set(found) - set(CLOUDS):
        raise BadInput(
            f"{setting} names no cloud that there is with {', '.join(sorted(map(repr, unknown)))}; nothing was sent. "
            f"Write one address, or pairs like global=https://... with the names {', '.join(CLOUDS)}."
        )
    if len(found) < len(told):
        raise BadInput(f"{setting} gives one cloud two addresses; nothing was sent. Leave one of them.")
    return found


def _address(text: str, setting: str) -> str:
    if not ADDRESS.fullmatch(text):
        # The value is not repeated: somebody may have pasted a secret, or an address with a password in it.
        raise BadInput(
            f"{setting} must begin with https:// and be a plain address (one, or pairs like global=https://...), "
            "since tokens travel there. Nothing was sent."
        )
    return text.rstrip("/")
