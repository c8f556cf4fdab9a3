"""`python3 manage.py bench NAME`: one script of bench/, which prints what something costs as one JSON object."""

from __future__ import annotations

import os
import subprocess
import sys

from msp.ops import places
from msp.ops.home import say

BENCH = places.ROOT / "bench"


def run(arguments: list[str]) -> int:
    """The script's exit code; 2 when there is none of that name."""
    name, rest = (arguments[0] if arguments else ""), arguments[1:]
    if name not in names():
        say(f"Say what to measure: python3 manage.py bench NAME, where NAME is one of {', '.join(names())}.")
        return 2
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # the script sets it once its own servers are up
    return subprocess.call([sys.executable, str(BENCH / f"{name}.py"), *rest])  # noqa: S603 - our own script


def names() -> list[str]:
    """The scripts that can be started by themselves: those with a line for the shell."""
    return sorted(path.stem for path in BENCH.glob("*.py") if path.read_text().startswith("#!"))
