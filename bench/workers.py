"""Real Celery workers for a bench script, and what they cost in processor time and memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Workers:
    """Processes that work the queue. Their figures are read from /proc while they live."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def peak_rss_mb(self) -> int:
        """Of the largest of them."""
        return max(peak_rss_mb(process.pid) for process in self.processes)


def cpu_seconds(pid: int) -> float:
    """User and system time of one process."""
    facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / TICK


def cpu_seconds_of_children(pid: int) -> float:
    """Of every process below this one that still lives, as with a PostgreSQL and its backends."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(cpu_seconds(int(child)) for child in children)


def peak_rss_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024


@contextlib.contextmanager
def workers(home: Path, *, count: int, threads: int, environment: dict[str, str]) -> Iterator[Workers]:
    """`count` processes that share `threads` threads; ready when this begins."""
    running = Workers()
    logs = [home / f"worker-{number}.log" for number in range(count)]
    try:
        for number, log in enumerate(logs):
            ready = home / f"worker-{number}.ready"
            ready.unlink(missing_ok=True)
            command = [sys.executable, "-m", "celery", "-A", "msp.celery", "--quiet", "worker", "--pool", "threads"]
            command += ["--concurrency", str(threads // count), "--prefetch-multiplier", "1"]
            command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"bench-{number}@%h"]
            with log.open("wb") as out:
                running.processes.append(
                    subprocess.Popen(
                        command,
                        env=os.environ | environment | {"LATCHKEY_READY_FILE": str(ready)},
                        stdout=out,
                        stderr=subprocess.STDOUT,
                    )
                )
        for number, log in enumerate(logs):
            end = time.monotonic() + 60
            while not (home / f"worker-{number}.ready").exists():
                if running.processes[number].poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"worker {number} did not start: {log.read_text()[-2000:]}")
                time.sleep(0.1)
        yield running
    finally:
        for process in running.processes:
            process.terminate()
        for process in running.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
