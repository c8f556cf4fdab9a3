"""Fixtures of the page tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.cast import installed
from tests.support.world import World


@pytest.fixture
def at_work(world: World, credential: Path, tmp_path: Path, settings: Any) -> Iterator[World]:
    """A world whose pages reach the same keys and the same cloud as its actions do."""
    with installed(settings, world, credential, tmp_path):
        yield world
