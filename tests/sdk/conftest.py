"""Microsoft's libraries for Graph, signed in by certificate at a simulated cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sdk.libraries import Libraries
from tests.support.simulated import Microsoft, microsoft


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Microsoft]:
    with microsoft(tmp_path) as made:
        made.contoso.plans = ["AAD_PREMIUM_P2"]
        yield made


@pytest.fixture
def libraries(cloud: Microsoft) -> Iterator[Libraries]:
    with Libraries(cloud) as made:
        yield made
