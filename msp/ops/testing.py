"""`python3 manage.py test`: pytest on private servers, with a Chromium where one can be had."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from msp.ops import places


def run(arguments: list[str]) -> int:
    """pytest's exit code. Without -n, -p or a debugger both cores are used."""
    os.chdir(places.ROOT)
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # the plugin sets it when the servers are up
    if wants_browser(arguments):
        fetch_chromium()
    if not any(argument.startswith(("-n", "--numprocesses", "-p", "--pdb", "--dist", "-d")) for argument in arguments):
        arguments = ["-n", "2", *arguments]
    # pytest comes with the development requirements only, so it cannot be imported at the top.
    pytest = importlib.import_module("pytest")
    sys.path.insert(0, str(places.ROOT))
    return int(pytest.main(["-p", "tests.support.servers", *arguments]))


def break_things(arguments: list[str]) -> int:
    """`python3 manage.py faults`: the fault harness (docs/reliability.md). 0 when no law was broken, else 1."""
    os.chdir(places.ROOT)
    sys.path.insert(0, str(places.ROOT))
    # It lives with the tests, which a bare installation can do without.
    harness = importlib.import_module("tests.faults.harness.door")
    return int(harness.main(arguments))


def wants_browser(arguments: list[str]) -> bool:
    """Whether tests that need a browser can be among the chosen ones."""
    if any("not browser" in argument for argument in arguments):
        return False
    chosen = [argument for argument in arguments if Path(argument.split("::")[0]).exists()]
    return not chosen or any("browser" in path or Path(path).resolve() == places.ROOT / "tests" for path in chosen)


def fetch_chromium() -> None:
    """Debian's package, when root and none is there; without it those tests say why they are skipped."""
    known = ("chromium", "chromium-browser", "google-chrome")
    if os.environ.get("LATCHKEY_CHROMIUM") or any(shutil.which(name) for name in known):
        return
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        return
    sys.stderr.write("Installing Chromium for the browser tests ...\n")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([apt, "update", "-qq"], env=environment, **quiet)  # type: ignore[call-overload]  # noqa: S603
    subprocess.run([apt, "install", "-y", "-qq", "chromium"], env=environment, **quiet)  # type: ignore[call-overload]  # noqa: S603
