"""What is left when something is killed: nothing that runs, and nothing that hinders the next start."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from msp.ops import leash, places, servers
from msp.ops.home import DEMO, Home
from msp.ops.servers import EmbeddedPair, Layout
from tests.rules.test_supervisor import Stage, lives, stage, until

__all__ = ["stage"]

pytestmark = pytest.mark.fault

STARTER = """
import sys, time
from pathlib import Path
from msp.ops.servers import EmbeddedPair, Layout
place = Path(sys.argv[1])
pair = EmbeddedPair(Layout(place / "pg", place / "run", place / "valkey", place / "logs", durable=False))
pair.start()
print(*[child.process.pid for child in pair.children], flush=True)
time.sleep(60)
"""


@pytest.fixture
def layout() -> Iterator[Layout]:
    """Short for the sockets, passable for the user who runs PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="latchkey-pair-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o711)
        yield Layout(place / "pg", place / "run", place / "valkey", place / "logs", durable=False)


class WhenTheSupervisorIsKilled:
    def test_no_orphan_is_left(self, stage: Stage) -> None:
        process = stage.begin_all("postgres", "worker", "web")
        process.kill()
        until(lambda: not any(lives(stage.pid(name)) for name in ("postgres", "worker", "web")), 10)

    def test_the_real_servers_go_too(self, layout: Layout) -> None:
        starter = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(layout.cluster.parent)],
            cwd=places.ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert starter.stdout
        pids = [int(word) for word in starter.stdout.readline().split()]
        assert len(pids) == 2 and all(lives(pid) for pid in pids)
        starter.kill()
        starter.communicate()
        until(lambda: not any(lives(pid) for pid in pids), 15)


class WhenAServiceIsKilled:
    def test_it_is_started_again(self, stage: Stage) -> None:
        stage.begin_all("postgres", "worker")
        first = stage.pid("worker")
        os.kill(first, signal.SIGKILL)
        until(lambda: stage.pid("worker") != first and stage.journal().count("worker starts") == 2)
        assert lives(stage.pid("postgres"))

    def test_what_it_had_started_itself_goes_before_it_starts_again(self, stage: Stage) -> None:
        stage.begin_all("web:parent")
        first, grandchild = stage.pid("web"), int((stage.place / "grandchild").read_text())
        os.kill(first, signal.SIGKILL)
        until(lambda: stage.journal().count("web starts") == 2)
        until(lambda: not lives(grandchild), 5)


class WhereTheSystemHasNoParentDeathSignal:
    def test_the_leash_watches_by_itself(self, tmp_path: Path) -> None:
        keeper = (
            "import os, subprocess, sys, time\n"
            "code = 'import sys; sys.path.insert(0, sys.argv[1]); import leash; '\n"
            'code += \'leash.watch(int(sys.argv[2]), 15, ["sh", "-c", "echo $$ >pid; exec sleep 60"])\'\n'
            f"subprocess.Popen([sys.executable, '-c', code, {str(Path(leash.__file__).parent)!r}, str(os.getpid())])\n"
            "time.sleep(60)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", keeper], cwd=tmp_path)
        pid_file = tmp_path / "pid"
        until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
        pid = int(pid_file.read_text())
        assert lives(pid)
        process.kill()
        process.wait()
        until(lambda: not lives(pid), 10)


class WhenTheServersWereKilled:
    def test_the_data_is_there_after_the_next_start(self, layout: Layout) -> None:
        pair = EmbeddedPair(dataclasses.replace(layout, durable=True))
        pair.start()
        with servers._connection(layout, "latchkey") as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        for child in pair.children:
            child.process.kill()
            child.process.wait()
        pair.stop()
        pair.start()
        try:
            with servers._connection(layout, "latchkey") as connection:
                assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
        finally:
            pair.stop()

    def test_a_stale_process_number_that_is_somebody_elses_now_does_not_hinder(self, layout: Layout) -> None:
        pair = EmbeddedPair(layout, valkey=False)
        pair.start()
        pair.stop()
        bystander = subprocess.Popen(["sleep", "60"])
        try:
            (layout.cluster / "postmaster.pid").write_text(f"{bystander.pid}\n{layout.cluster}\n0\n5432\n")
            pair.start()
            pair.stop()
            assert bystander.poll() is None
        finally:
            bystander.kill()
            bystander.wait()

    def test_a_first_start_that_was_cut_short_is_begun_again(self, layout: Layout) -> None:
        unfinished = layout.cluster.with_name("pg.new")
        unfinished.mkdir()
        (unfinished / "PG_VERSION").write_text("18\n")
        pair = EmbeddedPair(layout, valkey=False)
        pair.start()
        assert pair.answers()
        pair.stop()


class WhenADemoIsWiped:
    def test_its_database_goes_with_it(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home")
        home.open(DEMO)
        home.settle()
        cluster = places.cluster_directory(home.path)
        cluster.mkdir(parents=True)
        home.wipe()
        assert not cluster.exists()
        assert home.kind() == ""
