"""What the contract tests of the client share: the app's certificate, the cloud in a box, and a place in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.simulator.server import Simulator
from tests.support.box import CLIENT_ID, Place, new_place, way_to
from tests.support.wire import write_certificate


@pytest.fixture(scope="module")
def pem(tmp_path_factory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("app") / "app.pem")


@pytest.fixture(scope="module")
def box(tmp_path_factory, pem) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("cloud"), port=0, seed=1) as simulator:
        certificate = re.search(r"-----BEGIN CERT.+?END CERTIFICATE-----", pem.read_text(), re.DOTALL)
        simulator.cloud.register_app(CLIENT_ID, certificate_pem=certificate.group() if certificate else "")
        yield simulator


@pytest.fixture(scope="module")
def graph(box, pem) -> Graph:
    known: dict[str, Any] = {"client_certificate": str(pem), "login_url": box.url, "graph_url": box.url}
    return Graph(Connection(CLIENT_ID, ca_bundle=str(box.ca_path), timeout_seconds=30, **known))


@pytest.fixture
def place(box, pem) -> Iterator[Place]:
    yield new_place(box, way_to(box, pem))
    box.cloud.faults.clear()
    box.cloud.knobs.reset()
