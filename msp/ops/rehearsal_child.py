"""`python -m msp.ops.rehearsal_child DIRECTORY PACE`: play `record.json` there, leave `result.json` beside it.

The process is started by `msp.ops.rehearsing` with an environment that holds nothing of the installation. It brings
its own PostgreSQL, Valkey, root key, credential and simulated cloud, all of them below DIRECTORY.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

from msp.errors import LatchkeyError
from msp.ops import credential
from msp.ops.oneshot import close_pools
from msp.ops.processes import ServiceTrouble
from msp.ops.rehearsing import CONDITIONS, RECORD, RESULT
from msp.ops.servers import EmbeddedPair, Layout
from msp.simulator.server import Simulator

CLIENT_ID = "1a7c4e00-0000-4000-8000-000000005e41"

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Always leaves a result, unless it is killed: {"result": ...} or {"problem": a sentence}."""
    place, pace, starter = Path(arguments[0]), arguments[1], os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        told = _play(place, pace)
        making = place / f"{RESULT}.new"
        making.write_text(json.dumps(told), encoding="utf-8")
        making.replace(place / RESULT)
    finally:
        if os.getppid() != starter:
            # Nobody is left to clear up after us.
            shutil.rmtree(place, ignore_errors=True)
    return 0


def _play(place: Path, pace: str) -> dict[str, Any]:
    record = json.loads((place / RECORD).read_text(encoding="utf-8"))
    layout = Layout(place / "postgres", place / "run", place / "valkey", place / "logs", durable=False)
    pair = EmbeddedPair(layout)
    try:
        pair.start()
        with Simulator(place / "home" / "simulator", seed=1) as cloud:
            _settle(place / "home", layout, cloud, record, pace)
            django.setup()
            call_command("migrate", interactive=False, verbosity=0)
            # These load Django's models, so they come after it is set up.
            play = importlib.import_module("msp.rehearsals.play").play
            outside = importlib.import_module("msp.outside").outside()
            try:
                return {"result": play(record, pace=pace, cloud=cloud.cloud, outside=outside, client_id=CLIENT_ID)}
            finally:
                close_pools()
    except ServiceTrouble as trouble:
        return {"problem": f"The copy could not be built. {trouble}"}
    except LatchkeyError as trouble:
        return {"problem": str(trouble)}
    except Exception as wrong:
        log.exception("The rehearsal broke off")
        return {"problem": f"The rehearsal broke off ({type(wrong).__name__}); the log of the worker says where."}
    finally:
        pair.stop()


def _settle(home: Path, layout: Layout, simulator: Simulator, record: dict[str, Any], pace: str) -> None:
    """Our own settings, before Django reads them; and our credential, which the copied cloud knows."""
    (home / "keys").mkdir(mode=0o700, exist_ok=True)
    pem = credential.make(home / "keys" / "client.pem")
    text = pem.read_text(encoding="ascii")
    simulator.cloud.register_app(CLIENT_ID, certificate_pem=text[text.index("-----BEGIN CERTIFICATE") :])
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "msp.settings",
        "DATABASE_URL": layout.database_url,
        "REDIS_URL": layout.redis_url,
        "LATCHKEY_HOME": str(home),
        "LATCHKEY_CLIENT_ID": CLIENT_ID,
        "LATCHKEY_CLIENT_CERTIFICATE": str(pem),
        "LATCHKEY_LOGIN_URL": simulator.url,
        "LATCHKEY_GRAPH_URL": simulator.url,
        "LATCHKEY_CA_BUNDLE": str(simulator.ca_path),
        "LATCHKEY_SIGN_IN_PROBE": "yes" if record["sign_in_probe"] else "no",
        "LATCHKEY_METHOD_CALLS_PER_10_S": str(CONDITIONS[pace]["throttle"]),
        "LATCHKEY_SECOND_LOOK_MINUTES": "0",
        "LATCHKEY_DATABASE_POOL": "80",
        "LATCHKEY_LOG_LEVEL": "ERROR",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
