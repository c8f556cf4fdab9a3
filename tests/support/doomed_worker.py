"""A worker in a process of its own that kills itself with SIGKILL at a named milestone.

`python -m tests.support.doomed_worker`, with the facts as JSON on standard input:
{"target", "milestone", "connection": {...}, "key_directory"}. It uses the database of DATABASE_URL. Exit code 0
means that the milestone was never reached.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from uuid import UUID

import django

django.setup()

from msp.microsoft.connection import Connection  # noqa: E402
from msp.microsoft.graph import Graph  # noqa: E402 - models need Django first
from msp.outside import Outside  # noqa: E402
from msp.vault.database import Vault  # noqa: E402
from msp.vault.keepers.file import FileKeeper  # noqa: E402
from tenants.actions.work_target import work_target  # noqa: E402
from tests.support.world import AT_ONCE  # noqa: E402


def main() -> None:
    told = json.load(sys.stdin)

    def reached(milestone: str) -> None:
        if milestone == told["milestone"]:
            os.kill(os.getpid(), signal.SIGKILL)

    graph = Graph(Connection(**told["connection"]))
    outside = Outside(
        directory_for=graph.directory,
        registrar_for=graph.registrar,
        vault=Vault(FileKeeper(Path(told["key_directory"]))),
        patience=AT_ONCE,
        reached=reached,
    )
    for _ in range(20):
        work_target(UUID(told["target"]), outside=outside)


if __name__ == "__main__":
    main()
