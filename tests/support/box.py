"""A Microsoft cloud in a box, one tenant with one shared account in it, and the client's way there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msp.microsoft.connection import Connection
from msp.microsoft.graph import graph_directories
from msp.microsoft.ports import AccountRef, Directory, DirectoryFor, MethodKind, ObservedMethod
from msp.simulator.server import Simulator

CLIENT_ID = "aaaaaaaa-0000-4000-8000-00000000000a"
OLD, NEW = "Old-Password-1!", "New-Password-2!"


@dataclass
class Place:
    """One tenant with one shared account, and the way there."""

    box: Simulator
    directory: Directory
    account: AccountRef

    @property
    def tenant(self) -> str:
        return self.account.tenant_id

    @property
    def user(self) -> str:
        return self.account.object_id

    def lets_in(self, password: str) -> bool:
        result = self.box.cloud.sign_in(self.tenant, self.user, password).result
        assert result in ("wrong_password", "code_needed", "signed_in")
        return result != "wrong_password"

    def holds(self, method_id: str) -> bool:
        return method_id in {method.id for method in self.box.cloud.methods(self.tenant, self.user)}

    def add(self, kind: MethodKind, label: str = "", **details: str) -> ObservedMethod:
        made = self.box.cloud.register(self.tenant, self.user, str(kind), label, **details)
        return ObservedMethod(kind, made.id, label)

    def effects(self, kind: str) -> int:
        return self.box.cloud.effects.count(kind=kind, tenant_id=self.tenant, by="graph")


def way_to(box: Simulator, pem: Path, **settings) -> DirectoryFor:
    known: dict[str, Any] = {
        "client_certificate": str(pem),
        "login_url": box.url,
        "graph_url": box.url,
        "ca_bundle": str(box.ca_path),
        "timeout_seconds": 10,
        "sign_in_probe": True,
    }
    return graph_directories(Connection(CLIENT_ID, **(known | settings)))


def new_place(box: Simulator, directories: DirectoryFor, *, consent: bool = True, upn: str = "admin") -> Place:
    cloud = box.cloud
    tenant = cloud.add_tenant("Contoso", domain=f"t{len(cloud.tenants)}.example")
    if consent:
        cloud.consent(CLIENT_ID, tenant.id)
    user = cloud.add_user(tenant.id, upn, "Shared Admin", OLD)
    return Place(box, directories(tenant.id, "global"), AccountRef(tenant.id, user.id, user.upn))
