"""`up` and `demo`: what is started, in which order, and what the person is told."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msp.ops import credential, places, services
from msp.ops.home import ADDRESS_FILE, DEMO, REAL, Home, say
from msp.ops.processes import COULD_NOT_BEGIN, Service, ServiceTrouble
from msp.ops.servers import EmbeddedPair, Layout
from msp.ops.supervisor import Interrupted, Supervisor

STOPPED = 130


@dataclass(frozen=True)
class Choices:
    """What was asked for on the command line."""

    host: str = "127.0.0.1"
    port: int = 8800
    fresh: bool = False
    once: bool = False
    json: bool = False
    tenants: int = 25
    technicians: int = 8
    seed: int = 1
    evidence_dir: Path | None = None

    def of_the_demo(self) -> list[str]:
        return [f"--tenants={self.tenants}", f"--technicians={self.technicians}", f"--seed={self.seed}"]


def _whole(least: int, most: int) -> object:
    def number(text: str) -> int:
        found = int(text)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"must be between {least} and {most}")
        return found

    number.__name__ = "whole number"
    return number


def read_choices(command: str, arguments: list[str]) -> Choices:
    """Wrong arguments end the program with one line and exit code 2, as argparse does it."""
    parser = argparse.ArgumentParser(prog=f"manage.py {command}", allow_abbrev=False)
    parser.add_argument("--port", type=_whole(1, 65535), default=8800, help="web port (default 8800)")  # type: ignore[arg-type]
    if command == "up":
        parser.description = "Run Latchkey for real tenants: database, broker, web, worker and beat."
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    else:
        parser.description = "Run Latchkey against a simulated Microsoft cloud."
        parser.add_argument("--tenants", type=_whole(1, 2000), default=25, help="customers to invent (default 25)")  # type: ignore[arg-type]
        parser.add_argument("--technicians", type=_whole(2, 500), default=8, help="people to invent (default 8)")  # type: ignore[arg-type]
        parser.add_argument("--seed", type=int, default=1, help="same seed, same demo (default 1)")
        parser.add_argument("--fresh", action="store_true", help="throw the demo's data away and start over")
        parser.add_argument("--once", action="store_true", help="do the main job once, without a browser, and end")
        parser.add_argument("--json", action="store_true", help="with --once: one JSON object on standard output")
        parser.add_argument("--evidence-dir", type=Path, help="with --once: where the evidence files go")
    read = parser.parse_args(arguments)
    choices = Choices(**vars(read))
    if not choices.once and (choices.json or choices.evidence_dir):
        parser.error("--json and --evidence-dir belong to --once")
    return choices


# --- what both share ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def supervised(home: Home, kind: str, *, fresh: bool = False) -> Iterator[Supervisor]:
    """The owner lock, the two servers and a supervisor; everything is stopped and released at the end."""
    home.open(kind)
    with home.own_as_supervisor():
        if fresh:
            home.wipe()
            home.open(kind)
        home.settle()
        with Supervisor() as supervisor:
            start_servers(supervisor, home)
            yield supervisor
            say("Stopping.")


def start_servers(supervisor: Supervisor, home: Home) -> None:
    pair = EmbeddedPair(
        Layout.of(home.path), postgres=not home.is_given("DATABASE_URL"), valkey=not home.is_given("REDIS_URL")
    )
    if pair.postgres and not pair.layout.cluster.exists():
        say("Creating the database.")
    supervisor.add(*pair.services())
    pair.furnish()


def migrate(supervisor: Supervisor, environment: dict[str, str]) -> None:
    """Raises ServiceTrouble when a migration fails, or the root key does not fit; why has been said by then.

    It is the first to read the settings: a wrong one has been said in its one line, and ends the program.
    """
    # Without Django's checks of the code: they belong to whoever changes it, and take half a second of each start.
    quickly = ("--no-input", "--verbosity=0", "--skip-checks")
    code = supervisor.run_to_its_end(services.manage(environment, "migrate", *quickly))
    if code == COULD_NOT_BEGIN:
        raise SystemExit(code)
    if code:
        raise ServiceTrouble(
            "The database could not be brought up to date, or its root key does not fit; see above. Nothing else was "
            "started."
        )


def begin_work(supervisor: Supervisor, home: Home, environment: dict[str, str], choices: Choices) -> list[Service]:
    """Start worker, beat and web without waiting; they are stopped in the reverse order: web, beat, worker."""
    web_workers = 1 if home.kind() == DEMO else 2
    begun = [
        services.worker(home, environment),
        services.beat(home, environment),
        services.web(home, environment, host=choices.host, port=choices.port, workers=web_workers),
    ]
    supervisor.spawn(*begun)
    return begun


def address(choices: Choices) -> str:
    host = services.asked_host(choices.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{choices.port}"


def keep_address(home: Home, choices: Choices) -> None:
    """For the links that commands print. A LATCHKEY_URL that somebody gave stands above it and is left alone."""
    home.write(ADDRESS_FILE, address(choices))


# --- up -------------------------------------------------------------------------------------------------------


def up(choices: Choices) -> int:
    home = Home.here()
    services.require_free(choices.host, choices.port)
    try:
        with supervised(home, REAL) as supervisor:
            environment = services.base_environment(home)
            keep_address(home, choices)
            migrate(supervisor, environment)
            supervisor.wait_for(*begin_work(supervisor, home, environment, choices))
            supervisor.run_to_its_end(services.manage(environment, "set_up_link"))
            print(f"Latchkey runs at {address(choices)}  (Ctrl+C stops it)", flush=True)  # noqa: T201
            supervisor.run()
    except Interrupted:
        return STOPPED
    return 0


# --- demo -----------------------------------------------------------------------------------------------------


def demo(choices: Choices) -> int:
    if choices.once:
        return demo_once(choices)
    began = time.monotonic()
    home = Home.here()
    services.require_free(choices.host, choices.port)
    try:
        with supervised(home, DEMO, fresh=choices.fresh) as supervisor:
            environment = start_cloud(supervisor, home, choices)
            keep_address(home, choices)
            migrate(supervisor, environment)
            # The link is made while web and worker still start: on a small machine that saves a second.
            begun = begin_work(supervisor, home, environment, choices)
            show_the_way_in(supervisor, home, environment, choices)
            supervisor.wait_for(*begun)
            say(f"Ready after {time.monotonic() - began:.1f} s. Data: {home.path}. Ctrl+C stops everything.")
            supervisor.run()
    except Interrupted:
        return STOPPED
    return 0


def start_cloud(supervisor: Supervisor, home: Home, choices: Choices) -> dict[str, str]:
    """Start the simulated cloud; returns the environment in which Latchkey takes it for Microsoft's."""
    known = home.settings().get("LATCHKEY_LOGIN_URL", "").rpartition(":")[2]
    port = services.free_port(int(known) if known.isdigit() else 0)
    settings = {
        "LATCHKEY_LOGIN_URL": f"https://127.0.0.1:{port}",
        "LATCHKEY_GRAPH_URL": f"https://127.0.0.1:{port}",
        "LATCHKEY_CA_BUNDLE": str(home.path / "simulator" / "ca.pem"),
        "LATCHKEY_METHOD_CALLS_PER_10_S": "5",  # as many as the simulated cloud lets through (demo.REALISTIC)
        "LATCHKEY_CLIENT_ID": credential.DEMO_CLIENT_ID,
        "LATCHKEY_CLIENT_CERTIFICATE": str(credential.make(home.path / "keys" / "client.pem")),
    }
    home.keep_settings(settings)
    supervisor.add(services.simulator(home, port=port, seed=choices.seed))
    return services.base_environment(home) | settings


def show_the_way_in(supervisor: Supervisor, home: Home, environment: dict[str, str], choices: Choices) -> None:
    """Invent the demo's people and customers once; later starts only need a new sign-in link."""
    if home.has("filled"):
        command = services.manage(environment, "sign_in_link")
    else:
        command = services.manage(environment, "fill_demo", *choices.of_the_demo())
    if supervisor.run_to_its_end(command):
        raise ServiceTrouble("The demo could not be filled; see above. `demo --fresh` starts over.")
    home.write("filled", " ".join(choices.of_the_demo()))


def demo_once(choices: Choices) -> int:
    """The main job in a temporary home; the evidence stays. Standard output belongs to the inner command."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    evidence = (choices.evidence_dir or Path(f"latchkey-evidence-{stamp}")).absolute()
    home = Home(Path(tempfile.mkdtemp(prefix="latchkey-once-")))
    arguments = [*choices.of_the_demo(), f"--evidence-dir={evidence}", *(["--json"] if choices.json else [])]
    try:
        with supervised(home, DEMO) as supervisor:
            environment = start_cloud(supervisor, home, choices)
            migrate(supervisor, environment)
            worker, beat = services.worker(home, environment), services.beat(home, environment)
            supervisor.add(worker, beat)
            code = supervisor.run_to_its_end(services.manage(environment, "demo_once", *arguments))
            if evidence.is_dir():
                say(f"Evidence: {evidence}")
        return code
    except Interrupted:
        return STOPPED
    finally:
        if home.kind() == DEMO:
            home.wipe()
        shutil.rmtree(home.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            places.programs().parent.rmdir()  # only if nothing else of ours is there
