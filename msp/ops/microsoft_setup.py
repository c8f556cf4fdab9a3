"""Is what we say of ourselves to Microsoft in order? Read from settings and files; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.microsoft.clouds import CLOUDS, Cloud
from msp.microsoft.connection import Connection
from msp.microsoft.transport import Transport
from msp.ops.finding import Finding
from tenants.actions.read_tenant import read_credential
from tenants.check_facts import CheckState
from tenants.check_plans import judge_credential

OTHER_NAMES = {"https://login.partner.microsoftonline.cn": "china"}
"""Sign-in hosts that newer client libraries name for a cloud beside the one of Microsoft's page."""


def setup() -> Iterator[Finding]:
    """The app's id, its credential, the addresses, and whom to trust."""
    known = Connection(**settings.MICROSOFT)
    yield app_id(known.client_id)
    yield credential(known)
    yield addresses(known)
    yield way_out(known)


def app_id(client_id: str) -> Finding:
    if not client_id:
        return Finding(
            "app",
            False,
            _("LATCHKEY_CLIENT_ID is not set. It is the Application (client) ID of the app's registration."),
        )
    try:
        UUID(client_id)
    except ValueError:
        return Finding(
            "app",
            False,
            _(
                "LATCHKEY_CLIENT_ID is not an id (8-4-4-4-12 hexadecimal digits). Copy the Application (client) ID: "
                "Entra admin centre of your own tenant, App registrations, the app, Overview."
            ),
        )
    return Finding("app", True, _("LATCHKEY_CLIENT_ID has the form of an id."))


def credential(known: Connection) -> Finding:
    """A credential that ends soon is well today, and the words say when it will not be."""
    if not known.client_certificate and not known.client_secret:
        return Finding(
            "credential",
            False,
            _("Neither LATCHKEY_CLIENT_CERTIFICATE nor LATCHKEY_CLIENT_SECRET is set, so nobody lets the app in."),
        )
    item = judge_credential(read_credential(known), timezone.now())
    words = " ".join(part for part in (item.sentence, item.remedy) if part)
    if known.client_certificate and known.client_secret:
        words += " " + _("Certificate and secret are both set: the certificate is used. Remove LATCHKEY_CLIENT_SECRET.")
    return Finding("credential", item.state != CheckState.WRONG, words)


def addresses(known: Connection) -> Finding:
    """Sign-in and Graph of each cloud must belong together: tokens of one are worth nothing at the other."""
    try:
        clouds = [c.elsewhere(login_url=known.login_url, graph_url=known.graph_url) for c in CLOUDS.values()]
    except BadInput as wrong:
        return Finding("addresses", False, str(wrong))
    split = [cloud for cloud in clouds if _is_split(cloud)]
    if split and (known.login_url or known.graph_url):
        pairs = ", ".join(f"{cloud.name}: {cloud.login_url} + {cloud.graph_url}" for cloud in split)
        return Finding(
            "addresses",
            False,
            _(
                "LATCHKEY_LOGIN_URL and LATCHKEY_GRAPH_URL do not belong together (%(pairs)s). Set both to one cloud's "
                "or server's, or neither."
            )
            % {"pairs": pairs},
        )
    return Finding("addresses", True, _("Sign-in and Graph addresses belong together."))


def _is_split(cloud: Cloud) -> bool:
    """One address is Microsoft's and the other is not, or each is of another cloud."""
    login = {c.name for c in CLOUDS.values() if c.login_url == cloud.login_url}
    login |= {name for url, name in OTHER_NAMES.items() if url == cloud.login_url}
    graph = {c.name for c in CLOUDS.values() if c.graph_url == cloud.graph_url}
    if login or graph:
        return not login & graph
    return False


def way_out(known: Connection) -> Finding:
    """Reading authorities and proxy as every call would."""
    try:
        Transport(known)
    except BadInput as wrong:
        return Finding("trust", False, str(wrong))
    if known.ca_bundle:
        return Finding(
            "trust", True, _("The authorities in %s are trusted instead of the usual ones.") % known.ca_bundle
        )
    return Finding("trust", True, _("The usual authorities are trusted."))
