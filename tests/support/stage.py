"""The fixtures that put a world on the stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msp.ops.credential import make
from msp.simulator.server import Simulator
from tests.support.world import World, connected, connection_to, found_reseller


@pytest.fixture(scope="session")
def simulator_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One HTTPS server for the whole session; `simulator` empties its cloud for each test."""
    with Simulator(tmp_path_factory.mktemp("simulator"), seed=1) as running:
        yield running


@pytest.fixture(scope="session")
def credential(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("credential") / "latchkey.pem")


@pytest.fixture
def simulator(simulator_server: Simulator) -> Simulator:
    simulator_server.cloud.reset()
    return simulator_server


def build_world(simulator: Simulator, credential: Path, home: Path, **facts: Any) -> World:
    connection = connection_to(simulator, credential, **facts)
    outside = connected(connection, home)
    reseller, owner = found_reseller("Northwind IT", "olga@reseller.example")
    return World(simulator, outside, reseller, owner, connection)


@pytest.fixture
def world(db: None, simulator: Simulator, credential: Path, tmp_path: Path) -> Iterator[World]:
    """A reseller with an owner and no customers yet, beside an empty cloud that trusts it."""
    made = build_world(simulator, credential, tmp_path)
    directory_for: Any = made.outside.directory_for
    yield made
    # Thousands of tests in one process would keep their connections open.
    directory_for.__self__._transport._client.close()
