"""`python -m msp.simulator --state-dir DIR --port N [--scenario FILE]`: the cloud as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from .scenario import ScenarioWrong
from .server import Simulator


def main() -> int:
    parser = argparse.ArgumentParser(prog="msp.simulator", description="A Microsoft cloud in a box.")
    parser.add_argument("--state-dir", type=Path, required=True, help="where certificates, token and state are kept")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=1, help="of a new cloud; a kept one keeps its own")
    parser.add_argument("--scenario", type=Path, help="a JSON file that fills a new cloud; a kept one goes on instead")
    asked = parser.parse_args()
    # Blocked before any thread starts, so that only the wait below takes them.
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        simulator = Simulator(
            asked.state_dir, asked.port, asked.seed, host=asked.host, persist=True, scenario_file=asked.scenario
        )
    except ScenarioWrong as wrong:
        sys.stderr.write(f"The scenario cannot be played: {wrong}\n")
        return 1
    except (OSError, ValueError) as wrong:
        sys.stderr.write(f"The simulated cloud cannot start on {asked.host}:{asked.port}: {wrong}\n")
        return 1
    if asked.scenario and simulator.goes_on:
        sys.stderr.write(f"{asked.state_dir} holds a cloud, which goes on; {asked.scenario} was not loaded again.\n")
    with simulator:
        sys.stdout.write(f"ready {simulator.url}\n")
        sys.stdout.flush()
        signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
