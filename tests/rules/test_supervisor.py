"""The supervisor with small services that write down when they start and when they are asked to end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msp.ops import home as homes
from msp.ops import places, services
from msp.ops.flows import read_choices
from msp.ops.home import Home
from msp.ops.processes import ServiceTrouble

SCRIPT = """
import sys
from pathlib import Path
from msp.ops.processes import Service, ServiceTrouble
from msp.ops.supervisor import Interrupted, Supervisor

place = Path(sys.argv[1])
FAKE = '''
import os, pathlib, signal, subprocess, sys, time
place, name, habit = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def note(word):
    with open(place / "journal", "a") as journal:
        journal.write(f"{name} {word}\\\\n")
def end(*_):
    note("stops")
    if habit != "stubborn":
        sys.exit(0)
signal.signal(signal.SIGTERM, end)
if habit == "fails":
    print("no bread today"); sys.exit(3)
if habit == "parent":
    grandchild = subprocess.Popen(["sleep", "60"])
    (place / "grandchild").write_text(str(grandchild.pid))
(place / (name + ".pid")).write_text(str(os.getpid()))
note("starts")
(place / (name + ".ready")).touch()
while True:
    time.sleep(0.05)
'''

def fake(word):
    name, _, habit = word.partition(":")
    mark = place / (name + ".ready")
    return Service(name, [sys.executable, "-c", FAKE, str(place), name, habit or "quiet"],
                   before=lambda: mark.unlink(missing_ok=True), ready=mark.exists, grace=1, patience=20)

try:
    with Supervisor(pause=0.1) as supervisor:
        for word in sys.argv[2:]:
            supervisor.add(fake(word))
        (place / "all").touch()
        supervisor.run()
except Interrupted:
    sys.exit(130)
except ServiceTrouble as trouble:
    print(trouble)
    sys.exit(2)
"""


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether the process runs; one that has ended and is not yet collected does not count."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(shown.stdout.strip()) and not shown.stdout.startswith("Z")


class Stage:
    """One supervisor as a process of its own, and what its services wrote down."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.process: subprocess.Popen[str] | None = None

    def begin(self, *words: str) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(self.place), *words],
            cwd=places.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def begin_all(self, *words: str) -> subprocess.Popen[str]:
        process = self.begin(*words)
        until((self.place / "all").exists)
        return process

    def pid(self, name: str) -> int:
        return int((self.place / f"{name}.pid").read_text())

    def journal(self) -> list[str]:
        return (self.place / "journal").read_text().splitlines()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


class WhenEverythingStarts:
    def test_each_waits_for_the_one_before(self, stage: Stage) -> None:
        stage.begin_all("postgres", "worker", "web")
        assert stage.journal() == ["postgres starts", "worker starts", "web starts"]

    def test_a_stop_signal_ends_them_in_the_reverse_order(self, stage: Stage) -> None:
        process = stage.begin_all("postgres", "worker", "web")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0
        assert stage.journal()[3:] == ["web stops", "worker stops", "postgres stops"]

    def test_ctrl_c_at_the_terminal_reaches_only_the_supervisor(self, stage: Stage) -> None:
        process = stage.begin_all("postgres", "web")
        assert os.getpgid(stage.pid("web")) != os.getpgid(process.pid)


class WhenAServiceIsDifficult:
    def test_one_that_does_not_start_ends_the_start_and_says_why(self, stage: Stage) -> None:
        out, _ = stage.begin("postgres", "web:fails").communicate(timeout=20)
        assert stage.process and stage.process.returncode == 2
        assert out.startswith("web ended (exit code 3).")
        assert "no bread today" in out
        assert stage.journal() == ["postgres starts", "postgres stops"]

    def test_one_that_ignores_the_request_is_forced_after_its_grace(self, stage: Stage) -> None:
        process = stage.begin_all("postgres", "worker:stubborn")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert not lives(stage.pid("worker"))
        assert stage.journal()[-1] == "postgres stops"

    def test_a_second_ctrl_c_does_not_wait(self, stage: Stage) -> None:
        process = stage.begin_all("postgres:stubborn", "worker:stubborn", "web:stubborn")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        until(lambda: "web stops" in stage.journal())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert time.monotonic() - began < 2.5  # three times one second of grace would be more


class WhenTheCommandLineIsRead:
    def test_the_demo_has_the_promised_defaults(self) -> None:
        choices = read_choices("demo", [])
        assert (choices.tenants, choices.technicians, choices.port) == (25, 8, 8800)

    @pytest.mark.parametrize(
        "arguments", [["--port", "0"], ["--port", "x"], ["--tenants", "-3"], ["--json"], ["--no-such-thing"]]
    )
    def test_nonsense_ends_with_two(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as end:
            read_choices("demo", arguments)
        assert end.value.code == 2
        assert arguments[0] in capsys.readouterr().err

    def test_up_knows_nothing_of_invented_tenants(self) -> None:
        with pytest.raises(SystemExit):
            read_choices("up", ["--tenants", "3"])


class WhenAPortIsTaken:
    def test_one_line_names_it_and_the_way_out(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(ServiceTrouble, match=rf"Port {port} .* --port\.$"):
                services.require_free("127.0.0.1", port)


class WhenADataDirectoryIsOpened:
    def test_only_its_owner_may_enter(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home")
        home.open(homes.DEMO)
        assert (home.path.stat().st_mode & 0o777, (home.path / "keys").stat().st_mode & 0o777) == (0o700, 0o700)

    @pytest.mark.parametrize(("first", "second"), [(homes.DEMO, homes.REAL), (homes.REAL, homes.DEMO)])
    def test_a_demo_and_a_real_one_are_never_mixed(self, tmp_path: Path, first: str, second: str) -> None:
        home = Home(tmp_path / "home")
        home.open(first)
        with pytest.raises(ServiceTrouble, match=f"holds a {first} installation"):
            home.open(second)
        home.open(first)

    def test_a_real_one_is_never_wiped(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home")
        home.open(homes.REAL)
        with pytest.raises(ServiceTrouble, match="not wiped"):
            home.wipe()
        assert home.kind() == homes.REAL

    def test_a_place_that_cannot_be_written_gets_one_line(self) -> None:
        with pytest.raises(ServiceTrouble, match=r"^/dev/null/home cannot be written .*LATCHKEY_HOME=path\.$"):
            Home(Path("/dev/null/home")).open(homes.DEMO)

    def test_settings_for_other_terminals_are_kept_private_and_the_users_own_stay(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home")
        home.open(homes.DEMO)
        home.write(homes.SETTINGS_FILE, 'LATCHKEY_LOG_LEVEL="DEBUG"\nLATCHKEY_URL=http://old\n')
        home.keep_settings({"LATCHKEY_URL": "http://new"})
        assert home.settings() == {"LATCHKEY_LOG_LEVEL": "DEBUG", "LATCHKEY_URL": "http://new"}
        assert (home.path / homes.SETTINGS_FILE).stat().st_mode & 0o777 == 0o600

    def test_a_second_supervisor_is_refused_and_told_who_runs(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home")
        home.open(homes.DEMO)
        with home.own_as_supervisor(), pytest.raises(ServiceTrouble, match=rf"already runs .*process {os.getpid()}"):
            home.own_as_supervisor()

    def test_the_way_to_the_sockets_is_short_enough_whatever_the_home(self, tmp_path: Path) -> None:
        deep = tmp_path / ("very" * 20) / ("deep" * 20)
        path = places.socket_directory(deep) / ".s.PGSQL.5432.lock"
        assert len(os.fsencode(path)) < 107
        assert places.socket_directory(deep) == places.socket_directory(deep)
        assert places.socket_directory(deep) != places.socket_directory(deep / "other")
