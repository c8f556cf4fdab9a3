"""Nothing in the product knows that it talks to the simulator: no import, no word, no sign by which it could tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msp.simulator import server
from tests.support.source import ROOT, TEMPLATES, python_files

SIGNS = re.compile(
    r"simulat|in[-_ ]a[-_ ]box|/_control\b|control\.token|x-simulator|\bfake|\bmock|\bsandbox|\bdummy",
    re.IGNORECASE,
)
"""Its name in any form, its own addresses and files, what it says of itself on the wire, and words for such a thing."""

ALLOWED_TO_KNOW = {
    "msp/ops/demo.py",
    "msp/ops/outside_check.py",
    "msp/ops/rehearsal_child.py",
    "msp/ops/services.py",
    "msp/rehearsals/copied_cloud.py",
    "msp/rehearsals/play.py",
    "msp/rehearsals/sign_in.py",
}
"""The demo fills a simulated cloud, the supervisor starts it, the check of `demo --once` looks from its side, and a
rehearsal plays a copy in one, in a process of its own."""
APART = (("msp", "simulator"), ("msp", "ops"), ("msp", "rehearsals"))

TEXTS = {".html", ".txt", ".js", ".css", ".svg"}


def product() -> list[Path]:
    """Everything that runs for a reseller, relative to the root; what starts and fills a demo or a copy is looked at
    apart."""
    code = [path for path in python_files() if path.parts[:2] not in APART]
    return [*code, *(path.relative_to(ROOT) for path in sorted(TEMPLATES.rglob("*")) if path.suffix in TEXTS)]


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


class TheProduct:
    def test_is_looked_at_here(self) -> None:
        seen = {str(path) for path in product()}
        assert {"msp/microsoft/transport.py", "msp/settings.py", "tenants/tasks.py", "templates/base.html"} <= seen
        assert len(seen) > 150

    def test_has_no_word_of_the_simulator(self) -> None:
        assert [f"{path}: {found[0]}" for path in product() if (found := SIGNS.search(text_of(path)))] == []

    def test_is_known_to_the_simulators_keepers_alone(self) -> None:
        imports = re.compile(r"(?:from|import) +msp\.simulator|[\"']msp\.simulator")
        others = [path for path in python_files() if path.parts[:2] != ("msp", "simulator")]
        knowing = {str(path) for path in others if imports.search(text_of(path))}
        assert knowing == ALLOWED_TO_KNOW

    @pytest.mark.parametrize(
        "sign",
        [
            "from msp.simulator.server import Simulator",
            server._Handler.server_version,
            "Simulated cloud authority",
            "/_control/knobs",
            "LATCHKEY_SIMULATOR",
        ],
    )
    def test_would_be_found_out(self, sign: str) -> None:
        assert SIGNS.search(sign)
