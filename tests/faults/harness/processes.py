"""A whole installation of real processes that can be killed, stopped, cut off and started again.

Database and broker are private ones; web, workers and beat are started with the command lines of `up`, except that
their clock can jump. Latchkey reaches the simulated cloud by a line that can be cut.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis

from msp.ops import credential, services
from msp.ops.home import Home
from msp.ops.processes import Child, Service
from msp.ops.servers import EmbeddedPair, Layout
from msp.simulator.remote import RemoteCloud
from tests.faults.harness import jumping_clock
from tests.support.cut_line import OUT, CutLine

WORKERS = ("worker 1", "worker 2")
SETTINGS = {
    "LATCHKEY_LEASE_SECONDS": "12",
    "LATCHKEY_GRAPH_TIMEOUT_SECONDS": "3",
    "LATCHKEY_METHOD_CALLS_PER_10_S": "0",
    "LATCHKEY_SWEEP_SECONDS": "1",
    "LATCHKEY_READ_EVERY_HOURS": "0",
    "LATCHKEY_LOG_LEVEL": "ERROR",
    "DJANGO_SETTINGS_MODULE": "msp.settings",
}
"""Short waits, so that a kill costs seconds: a lease outlives the longest call four times over, as by default."""


@dataclass(frozen=True)
class Misfortune:
    """What strikes the processes, and for how many seconds (of a clock: by how many)."""

    what: str
    amount: float


@dataclass
class House:
    """The running installation. Only the thread that started it may start processes: see `msp.ops.leash`."""

    place: Path
    pair: EmbeddedPair
    line: CutLine
    cloud: RemoteCloud
    services: dict[str, Service]
    web_url: str
    children: dict[str, Child] = field(default_factory=dict)
    wished: queue.SimpleQueue[Misfortune] = field(default_factory=queue.SimpleQueue)
    struck: Counter[str] = field(default_factory=Counter)
    died_alone: list[str] = field(default_factory=list)
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def tick(self) -> None:
        """Let what was wished for strike, undo what is over, and start again whatever is dead."""
        while not self.wished.empty():
            misfortune = self.wished.get()
            self.struck[misfortune.what] += 1
            STRIKE[misfortune.what](self, misfortune.amount)
        over = [undo for at, undo in self._later if at <= time.monotonic()]
        self._later = [(at, undo) for at, undo in self._later if at > time.monotonic()]
        for undo in over:
            undo()
        for name, child in list(self.children.items()):
            if not child.alive:
                self.died_alone.append(f"{name}: {child.last_words()[-300:]}")
                self.start(name)

    def _hear(self, name: str, line: str) -> None:
        """What the processes say lies in one file each until the house is gone."""
        with (self.place / f"{name}.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def undo_everything(self) -> None:
        for _at, undo in self._later:
            undo()
        self._later.clear()

    def after(self, seconds: float, undo: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, undo))

    def start(self, *names: str, ready: bool = False) -> None:
        for name in names:
            self.children[name] = Child(self.services[name], self._hear)
        for name in names if ready else ():
            self.children[name].wait_until_ready()

    def kill(self, *names: str) -> None:
        """SIGKILL to the process and to whatever it has started."""
        for name in names:
            child = self.children.pop(name)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait(10)
            self.start(name)

    def halt(self, name: str, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so many seconds."""
        group = self.children[name].process.pid
        self._signal(group, signal.SIGSTOP)
        self.after(seconds, lambda: self._signal(group, signal.SIGCONT))

    def _signal(self, group: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)

    def cut(self, seconds: float) -> None:
        self.line.cut_after(OUT, 1)
        self.after(seconds, self.line.mend)

    def jump(self, seconds: float) -> None:
        clock = self.place / "clock"
        jumping_clock.put_wrong(clock, seconds)
        self.after(6, lambda: jumping_clock.put_wrong(clock, 0))

    def flush(self) -> None:
        with contextlib.suppress(redis.RedisError), contextlib.closing(self._valkey()) as broker:
            broker.flushall()

    def _valkey(self) -> Any:
        return redis.Redis(unix_socket_path=str(self.pair.layout.valkey_socket), socket_timeout=10)

    def again(self, server: str, *, crash: bool) -> None:
        """Stop a server in good order, or by the signal that leaves it to its recovery, and start it again."""
        number = ("postgres", "valkey").index(server)
        old = self.pair.children[number]
        if crash:
            old.kill()
            old.process.wait(30)
        else:
            old.stop()
        new = self.pair.children[number] = Child(old.service)
        new.wait_until_ready()


STRIKE: dict[str, Callable[[House, float], None]] = {
    "worker killed": lambda house, _: house.kill(WORKERS[0]),
    "worker stopped": lambda house, seconds: house.halt(WORKERS[1], seconds * 4),
    "beat killed": lambda house, _: house.kill("beat"),
    "web killed": lambda house, _: house.kill("web"),
    "cloud stopped": lambda house, seconds: house.halt("cloud", seconds),
    "line cut": lambda house, seconds: house.cut(seconds),
    "broker flushed": lambda house, _: house.flush(),
    "broker killed": lambda house, _: house.again("valkey", crash=True),
    "database restarted": lambda house, _: house.again("postgres", crash=False),
    "database killed": lambda house, _: house.again("postgres", crash=True),
    "clock jumped": lambda house, seconds: house.jump(seconds),
}


@contextlib.contextmanager
def house() -> Iterator[House]:
    """An empty installation that runs, and this process told where it is; everything is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="latchkey-faults-", dir="/tmp"))
    place.chmod(0o711)
    # Durable, as in earnest: a killed database may lose nothing that was committed.
    layout = Layout(place / "postgres", place / "run", place / "valkey", place / "logs", durable=True)
    pair = EmbeddedPair(layout)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        stack.callback(pair.stop)
        pair.start()
        made = _furnished(place, pair, stack)
        stack.callback(_stop, made)
        _migrate()
        made.start(*WORKERS, "beat", "web", ready=True)
        yield made


def _furnished(place: Path, pair: EmbeddedPair, stack: contextlib.ExitStack) -> House:
    home = Home(place / "home")
    home.open("demo")
    port, web_port, clock = services.free_port(), services.free_port(), place / "clock"
    clock.write_text("0")
    state = place / "cloud"
    command = [*_python("tests.faults.harness.cloud_process"), str(state), str(port)]
    cloud_service = Service("cloud", command, ready=lambda: services.is_open("127.0.0.1", port))
    cloud_child = Child(cloud_service)
    stack.callback(cloud_child.stop)
    cloud_child.wait_until_ready()
    cloud = stack.enter_context(RemoteCloud.at(f"https://127.0.0.1:{port}", state))
    line = stack.enter_context(CutLine(port))
    pem = credential.make(home.path / "keys" / "client.pem")
    client_id = cloud.register_app(certificate_pem=pem.read_text())
    cloud.consent(client_id)
    address = f"https://127.0.0.1:{line.port}"
    environment = {
        **SETTINGS,
        "DATABASE_URL": pair.layout.database_url,
        "REDIS_URL": pair.layout.redis_url,
        "LATCHKEY_HOME": str(home.path),
        "LATCHKEY_CLIENT_ID": client_id,
        "LATCHKEY_CLIENT_CERTIFICATE": str(pem),
        "LATCHKEY_LOGIN_URL": address,
        "LATCHKEY_GRAPH_URL": address,
        "LATCHKEY_CA_BUNDLE": str(state / "ca.pem"),
        jumping_clock.PLACE: str(clock),
    }
    os.environ |= environment
    wanted = _with_a_jumping_clock(home, services.base_environment(home) | environment, web_port)
    wanted["cloud"] = cloud_service
    return House(place, pair, line, cloud, wanted, f"http://127.0.0.1:{web_port}", {"cloud": cloud_child})


def _with_a_jumping_clock(home: Home, environment: dict[str, str], port: int) -> dict[str, Service]:
    """The services of `up`, by name; two workers."""
    found = {name: _numbered(services.worker(home, environment), name, home) for name in WORKERS}
    found["beat"] = services.beat(home, environment)
    found["web"] = services.web(home, environment, host="127.0.0.1", port=port, workers=1)
    ours = {
        "msp.celery": "tests.faults.harness.celery_app",
        "msp.wsgi:application": "tests.faults.harness.web_app:application",
    }
    return {
        name: replace(service, command=[ours.get(word, word) for word in service.command])
        for name, service in found.items()
    }


def _numbered(worker: Service, name: str, home: Home) -> Service:
    mark = home.path / f"{name}.ready"
    return replace(
        worker,
        name=name,
        environment={**worker.environment, "LATCHKEY_READY_FILE": str(mark)},
        before=lambda: mark.unlink(missing_ok=True),
        ready=mark.exists,
    )


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    # It tells of every connection that a killed database has broken.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    call_command("migrate", verbosity=0)


def _stop(made: House) -> None:
    made.undo_everything()
    for name in ("web", "beat", *WORKERS):
        if name in made.children:
            made.children[name].stop()
