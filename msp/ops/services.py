"""The processes of an installation, each as the supervisor starts it."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from msp.ops import places
from msp.ops.home import Home
from msp.ops.processes import Service, ServiceTrouble


def web(home: Home, environment: Mapping[str, str], *, host: str, port: int, workers: int) -> Service:
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "msp.wsgi:application"]
    command += ["--host", host, "--port", str(port), "--workers", str(workers), "--blocking-threads", "4"]
    command += ["--no-ws", "--log-level", "warning", "--respawn-failed-workers", "--workers-kill-timeout", "10"]
    return Service(
        "web", command, environment=environment, ready=lambda: answers_ok(asked_host(host), port, "/healthz"), grace=15
    )


def worker(home: Home, environment: Mapping[str, str]) -> Service:
    arguments = ["worker", "--pool", "threads", "--concurrency", "64", "--prefetch-multiplier", "1"]
    arguments += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    # Whatever it was doing is read back by the next worker, so a slow answer does not hold up the end for long.
    return _celery("worker", home, environment, arguments, grace=10)


def beat(home: Home, environment: Mapping[str, str]) -> Service:
    arguments = ["beat", "-s", str(home.path / "celerybeat-schedule"), "--pidfile="]
    return _celery("beat", home, environment, arguments, grace=10)


def _celery(name: str, home: Home, environment: Mapping[str, str], arguments: list[str], *, grace: float) -> Service:
    mark = home.path / f"{name}.ready"
    return Service(
        name,
        [sys.executable, "-m", "celery", "-A", "msp.celery", "--quiet", *arguments],
        environment={**environment, "LATCHKEY_READY_FILE": str(mark)},
        before=lambda: mark.unlink(missing_ok=True),
        ready=mark.exists,
        grace=grace,
    )


def simulator(home: Home, *, port: int, seed: int) -> Service:
    state = home.path / "simulator"
    command = [sys.executable, "-m", "msp.simulator", "--state-dir", str(state), "--port", str(port)]
    return Service("simulator", [*command, "--seed", str(seed)], ready=lambda: is_open("127.0.0.1", port))


def manage(environment: Mapping[str, str], *arguments: str) -> Service:
    """One management command; its output goes straight to ours."""
    command = [sys.executable, "-m", "msp.ops.inner", *arguments]
    return Service(arguments[0], command, environment=environment, straight=True)


# --- small questions ------------------------------------------------------------------------------------------


def asked_host(host: str) -> str:
    """Where to ask a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def answers_ok(host: str, port: int, path: str) -> bool:
    line = http.client.HTTPConnection(host, port, timeout=5)
    try:
        line.request("GET", path, headers={"Host": "localhost"})
        return line.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def require_free(host: str, port: int) -> None:
    """Raises ServiceTrouble when the port cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as wrong:
            raise ServiceTrouble(
                f"Port {port} on {host} cannot be used ({wrong.strerror}). Choose another one with --port."
            ) from None


def free_port(preferred: int = 0) -> int:
    """A port on the loopback address that nobody listens on: the preferred one if it is still free."""
    for port in (preferred, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise ServiceTrouble("No free port was found on this machine.")


def base_environment(home: Home) -> dict[str, str]:
    """What every Django process of this installation is told."""
    environment = {"LATCHKEY_HOME": str(home.path), "DJANGO_SETTINGS_MODULE": "msp.settings", "PYTHONUNBUFFERED": "1"}
    path = str(places.ROOT)
    return {**environment, "PYTHONPATH": path} if Path.cwd() != places.ROOT else environment
