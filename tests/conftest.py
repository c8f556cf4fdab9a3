"""What every test may rely on."""

from __future__ import annotations

pytest_plugins = ["tests.support.servers", "tests.support.stage"]
