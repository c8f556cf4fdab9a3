"""Many tenants with two shared accounts each, at a simulated cloud and in Latchkey. Import it once Django is set up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from stage import certificate, cloud_process
from workers import cpu_seconds

from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.ops.demo import public_certificate
from msp.outside import Outside
from msp.simulator.remote import RemoteCloud
from msp.vault.database import Vault
from msp.vault.keepers.file import FileKeeper
from technicians.actions.create_technician import create_technician
from technicians.models import Role, Technician
from tenants.models import Reseller
from tenants.plans import Patience
from tests.support.crowd import build_crowd


@dataclass(frozen=True)
class Crowd:
    """`people[0]` holds every account."""

    cloud: RemoteCloud
    outside: Outside
    owner: Technician
    people: list[Technician]
    client_id: str
    connection: Connection
    environment: dict[str, str]
    """For worker processes that are to work on it."""
    cloud_pid: int

    def cpu_seconds_of_the_cloud(self) -> float:
        return cpu_seconds(self.cloud_pid)


@contextlib.contextmanager
def crowd(home: Path, *, number: int, tenants: int, **knobs: Any) -> Iterator[Crowd]:
    """The `number`th of one script; the cloud's `knobs` turn once everything is built."""
    with (
        cloud_process(home / str(number), seed=number + 1) as (url, state, pid),
        RemoteCloud.at(url, state) as cloud,
    ):
        pem = certificate(home)
        settings.MICROSOFT["client_certificate"] = str(pem)
        client_id = cloud.register_app(certificate_pem=public_certificate())
        cloud.consent(client_id)
        connection = Connection(
            client_id=client_id, client_certificate=str(pem), login_url=url, graph_url=url,
            ca_bundle=str(state / "ca.pem"), timeout_seconds=10,
        )  # fmt: skip
        graph = Graph(connection)
        outside = Outside(
            graph.directory, Vault(FileKeeper(home / "keys")), registrar_for=graph.registrar,
            patience=replace(Patience(), unreachable=(1, 2)),
        )  # fmt: skip
        reseller = Reseller.objects.create(name=f"Reseller {number}")
        owner = create_technician(
            reseller=reseller, email=f"owner{number}@r.example", name="Owner", role=Role.OWNER, by=None
        )
        built = cloud.build(tenants=tenants, seed=number + 1, everywhere=0)
        people = build_crowd(built, reseller, outside, prefix=f"bench{number}-")
        cloud.knobs(**knobs)
        cloud.log(clear=True)
        environment = {
            "LATCHKEY_CLIENT_ID": client_id,
            "LATCHKEY_CLIENT_CERTIFICATE": str(pem),
            "LATCHKEY_LOGIN_URL": url,
            "LATCHKEY_GRAPH_URL": url,
            "LATCHKEY_CA_BUNDLE": str(state / "ca.pem"),
        }
        yield Crowd(cloud, outside, owner, people, client_id, connection, environment, pid)
