"""`python3 manage.py faults`: break things at random, judge the laws, and end with 1 when one was broken."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from tests.faults.harness.processes import house

PROFILES = {"short": (100, 0), "long": (300, 10_000)}
"""Runs with real processes, and plays of the machine of rules (which CI has in tests/faults/test_fault_rules.py)."""


def main(arguments: list[str]) -> int:
    asked = _read(arguments)
    began = time.monotonic()
    runs, plays = PROFILES[asked.profile]
    runs = runs if asked.runs is None else asked.runs
    plays = plays if asked.plays is None else asked.plays
    summary: dict[str, Any] = {"profile": asked.profile}
    if runs:
        summary["processes"] = _with_processes(range(asked.seed, asked.seed + runs))
    if plays:
        from tests.faults.harness import rule_runs

        summary["rules"] = rule_runs.run(plays, asked.seed)
    from tests.faults.harness import report

    summary |= {"seconds": round(time.monotonic() - began, 1), "machine": report.machine()}
    _say(report.in_words(summary))
    if asked.json:
        sys.stdout.write(json.dumps(summary) + "\n")
    levels = [summary[level] for level in ("processes", "rules") if level in summary]
    return int(any(level["failed_seeds"] for level in levels))


def _with_processes(seeds: range) -> dict[str, Any]:
    began = time.monotonic()
    with house() as made:
        # Only now: Django is told by the house where its database is.
        from tests.faults.harness import report
        from tests.faults.harness.house_run import play_all

        _say(f"Ready after {time.monotonic() - began:.1f} s; {len(seeds)} runs, seeds {seeds[0]} to {seeds[-1]}.")
        played = play_all(seeds, made, lambda one: _say(report.line_of(one)))
        for words in made.died_alone:
            _say(f"Died by itself: {words}")
        return report.of_processes(played, made.struck, made.died_alone)


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py faults", description=__doc__, allow_abbrev=False)
    parser.add_argument("--profile", choices=PROFILES, default="short", help="how much (default short)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each run has the next one (default 1)")
    parser.add_argument("--runs", type=int, help="runs with real processes, in place of the profile's")
    parser.add_argument("--plays", type=int, help="plays of the machine of rules, in place of the profile's")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
