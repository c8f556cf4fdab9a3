"""Microsoft Graph for the whole process: one set of connections and tokens, and the way to every tenant."""

from __future__ import annotations

import httpx

from msp.errors import BadInput
from msp.microsoft.client import GraphDirectory
from msp.microsoft.clouds import cloud_named
from msp.microsoft.connection import Connection
from msp.microsoft.line import Line
from msp.microsoft.ports import Access, Directory, DirectoryFor
from msp.microsoft.tokens import TokenStore
from msp.microsoft.transport import Transport


class Graph:
    """Build it once per process, after forking. `wire` replaces the network (for tests).

    Raises BadInput when an address or the CA bundle cannot be used.
    """

    def __init__(self, connection: Connection, *, wire: httpx.BaseTransport | None = None) -> None:
        for setting, url in (
            ("LATCHKEY_LOGIN_URL", connection.login_url),
            ("LATCHKEY_GRAPH_URL", connection.graph_url),
        ):
            if url and not url.startswith("https://"):
                raise BadInput(f"{setting} must begin with https://, since tokens travel there. Nothing was sent.")
        self._connection = connection
        self._transport = Transport(connection, wire=wire)
        self._tokens = TokenStore(connection, self._transport)

    def line(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION) -> Line:
        known = self._connection
        cloud = cloud_named(cloud_name).elsewhere(login_url=known.login_url, graph_url=known.graph_url)
        return Line(tenant_id, cloud, self._tokens, self._transport)

    def directory(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION, /) -> Directory:
        """One tenant's accounts."""
        return GraphDirectory(self.line(tenant_id, cloud_name, access), may_probe=self._connection.sign_in_probe)


def graph_directories(connection: Connection, *, wire: httpx.BaseTransport | None = None) -> DirectoryFor:
    """The way to every tenant's Directory."""
    return Graph(connection, wire=wire).directory
