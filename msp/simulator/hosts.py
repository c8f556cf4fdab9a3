"""Microsoft's clouds by host name: whom a host serves, and what a cloud does not have.

Hosts after Microsoft's page on national cloud deployments; login.partner.microsoftonline.cn is the name that newer
client libraries use for China. Any other host, such as an address of this machine, serves every cloud.
"""

from __future__ import annotations

from urllib.parse import urlsplit

LOGIN_HOSTS = {
    "login.microsoftonline.com": ("global",),
    "login.microsoftonline.us": ("us_gov_l4", "us_gov_l5"),
    "login.chinacloudapi.cn": ("china",),
    "login.partner.microsoftonline.cn": ("china",),
}
GRAPH_HOSTS = {
    "graph.microsoft.com": ("global",),
    "graph.microsoft.us": ("us_gov_l4",),
    "dod-graph.microsoft.us": ("us_gov_l5",),
    "microsoftgraph.chinacloudapi.cn": ("china",),
}


def _host(base: str) -> str:
    return (urlsplit(base).hostname or "").lower()


def serves(base: str, cloud: str) -> bool:
    """Whether the host of a base address belongs to this cloud, or to none in particular."""
    clouds = (LOGIN_HOSTS | GRAPH_HOSTS).get(_host(base))
    return clouds is None or cloud in clouds


def answers_graph(base: str) -> bool:
    return _host(base) not in LOGIN_HOSTS


def answers_login(base: str) -> bool:
    return _host(base) not in GRAPH_HOSTS


def cloud_has(cloud: str, parts: tuple[str, ...]) -> bool:
    """Whether a cloud's Graph has this path (Graph reference, "national cloud deployments" of each page)."""
    match [part.lower() for part in parts]:
        case ["tenantrelationships", *_] | ["directory", "authenticationmethoddevices", *_]:
            return cloud == "global"
        case ["users", _, "authentication", "hardwareoathmethods", *_]:
            return cloud == "global"
        case ["users", _, "authentication", "requirements" | "signinpreferences"]:
            return True
        case ["users", _, "authentication", *_]:
            return cloud != "china"
    return True
