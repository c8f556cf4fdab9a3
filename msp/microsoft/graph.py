"""Microsoft Graph for the whole process: one set of connections and tokens, and the way to every tenant."""

from __future__ import annotations

import httpx

from msp.microsoft.breaker import CircuitBreaker
from msp.microsoft.budget import Budget
from msp.microsoft.client import GraphDirectory
from msp.microsoft.clouds import CLOUDS, cloud_named
from msp.microsoft.connection import Connection
from msp.microsoft.enrolment_ports import Registrar
from msp.microsoft.line import Line
from msp.microsoft.partner import GraphPartner
from msp.microsoft.partner_ports import Partner
from msp.microsoft.partner_sign_in import RefreshTokenKeeper
from msp.microsoft.ports import Access, Directory, DirectoryFor
from msp.microsoft.registrar import GraphRegistrar
from msp.microsoft.tenant_ports import TenantReader
from msp.microsoft.tenant_reader import GraphTenantReader
from msp.microsoft.tokens import TokenStore
from msp.microsoft.transport import Transport


class Graph:
    """Build it once per process, after forking. `keeper` keeps the partner's refresh token; `wire` replaces the
    network (for tests).

    Raises BadInput, naming the setting, when an address, the CA bundle, the proxy or the key cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        keeper: RefreshTokenKeeper | None = None,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = connection
        self._clouds = {
            name: cloud.elsewhere(login_url=connection.login_url, graph_url=connection.graph_url)
            for name, cloud in CLOUDS.items()
        }
        self._transport = Transport(connection, wire=wire)
        self._tokens = TokenStore(connection, self._transport, keeper=keeper)
        self._budget = Budget(connection.method_calls_per_10_s)
        self._breaker = CircuitBreaker()

    def line(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION) -> Line:
        """The way to one tenant. Raises NoConnection for a cloud that there is not."""
        cloud = self._clouds[cloud_named(cloud_name).name]
        return Line(
            tenant_id, cloud, self._tokens, self._transport,
            budget=self._budget, breaker=self._breaker, access=access,
        )  # fmt: skip

    def directory(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION, /) -> Directory:
        """One tenant's accounts."""
        return GraphDirectory(self.line(tenant_id, cloud_name, access), may_probe=self._connection.sign_in_probe)

    def reader(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION, /) -> TenantReader:
        """One tenant as a whole."""
        return GraphTenantReader(self.line(tenant_id, cloud_name, access))

    def registrar(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION, /) -> Registrar:
        """The making of methods in one tenant."""
        return GraphRegistrar(self.line(tenant_id, cloud_name, access))

    def partner(self, tenant_id: str, cloud_name: str, access: Access = Access.APPLICATION, /) -> Partner:
        """The partner's own tenant."""
        return GraphPartner(self.line(tenant_id, cloud_name, access))


def graph_directories(
    connection: Connection, *, keeper: RefreshTokenKeeper | None = None, wire: httpx.BaseTransport | None = None
) -> DirectoryFor:
    """The way to every tenant's Directory."""
    return Graph(connection, keeper=keeper, wire=wire).directory
