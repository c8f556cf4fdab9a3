"""Play a record in a process of its own, which knows nothing of this installation but the record.

The process gets a private directory with the record in it, and an environment that is made from `PASSED_ON` alone: no
credential, no key, no address of a database, a broker or a cloud. Whatever it needs it makes for itself, and the
directory is gone when this returns.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msp.errors import LatchkeyError
from msp.ops import leash, places
from msp.ops.processes import private

log = logging.getLogger(__name__)

RECORD, RESULT, LOG = "record.json", "result.json", "child.log"
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""What a child is told of our environment."""
CHILD = (sys.executable, "-m", "msp.ops.rehearsal_child")
CONDITIONS: dict[str, dict[str, Any]] = {
    "quick": {"latency_ms": 0, "throttle": 0, "read_lag": 0},
    "documented": {"latency_ms": 120, "throttle": 5, "read_lag": 2},
}
"""By pace, as the simulator's knobs. Assumption: an answer in about 120 ms, and a change visible after two seconds;
Microsoft's documented limit is five method calls in ten seconds for each app and tenant."""
LIMIT = 30 * 60.0
"""Seconds after which a rehearsal is given up."""
GRACE = 30.0
LONGEST_PLACE = 60
"""Characters of the path; sockets lie below it, and their paths are short (`places.LONGEST_SOCKET_PATH`)."""


class NotPlayed(LatchkeyError):
    """The rehearsal came to no result. Nothing real was touched."""


def play_apart(
    record: dict[str, Any], *, pace: str, limit: float = LIMIT, program: Sequence[str] = CHILD
) -> dict[str, Any]:
    """The result (`technicians.rehearsal_plans` has its shape). Raises NotPlayed, with a sentence for the page.

    `limit` is in seconds. Call it from a thread that lives until it returns: the child dies with the thread.
    """
    with _private_place() as place:
        with open(place / RECORD, "w", encoding="utf-8", opener=private) as written:
            json.dump(record, written)
        code = _run([*program, str(place), pace], place, limit)
        try:
            told = json.loads((place / RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            log.error("a rehearsal ended without a result (exit code %s)\n%s", code, _last_words(place))
            cause = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise NotPlayed(
                f"The process of the rehearsal ended without a result ({cause}). Nothing real was touched; "
                "the log of the worker has its last words. Rehearse again."
            ) from None
        if "problem" in told:
            log.warning("a rehearsal came to no result: %s\n%s", told["problem"], _last_words(place))
            raise NotPlayed(told["problem"])
    result: dict[str, Any] = told["result"]
    return result


@contextmanager
def _private_place() -> Iterator[Path]:
    """A directory that goes with everything in it. Others can pass through it, because PostgreSQL runs as another user
    when we are root; what lies in it is closed to them."""
    place = Path(tempfile.mkdtemp(prefix="latchkey-rehearsal-"))
    if len(str(place)) > LONGEST_PLACE:
        place.rmdir()
        place = Path(tempfile.mkdtemp(prefix="latchkey-rehearsal-", dir="/tmp"))
    try:
        place.chmod(0o711)
        (place / "home").mkdir(mode=0o700)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(command: list[str], place: Path, limit: float) -> int:
    """The exit code. A child that takes too long is asked to stop, then killed; its servers die with it."""
    leashed = [sys.executable, "-I", "-S", str(Path(leash.__file__)), str(os.getpid()), str(int(signal.SIGTERM))]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"LATCHKEY_HOME": str(place / "home"), "PYTHONUNBUFFERED": "1"}
    with open(place / LOG, "wb", opener=private) as words:
        child = subprocess.Popen(  # noqa: S603 - our own command line
            [*leashed, "-", "-", *command],
            cwd=places.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return child.wait(limit)
    except subprocess.TimeoutExpired:
        raise NotPlayed(
            f"The rehearsal was stopped after {limit:.0f} s. Nothing real was touched. "
            "Rehearse at the quick pace, or one group of tenants at a time."
        ) from None
    finally:
        _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last_words(place: Path) -> str:
    try:
        return "\n".join((place / LOG).read_text(errors="replace").splitlines()[-20:])
    except OSError:
        return ""
