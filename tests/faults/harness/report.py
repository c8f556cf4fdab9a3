"""What came of many runs: counts for people and machines, and the trace of each that broke a law."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.harness.draw import LAWS
from tests.faults.harness.play import Played

KEYS = [law.replace(" ", "_") for law in LAWS]


def line_of(one: Played) -> str:
    """One line for each run, and below it whatever was broken, with the trace."""
    drawn = ", ".join(one.draw.in_words()) or "nothing drawn"
    said = one.trouble or ", ".join(one.states)
    lines = [f"seed {one.draw.seed}: {said} after {one.seconds:.1f} s ({drawn})"]
    lines += [f"  left for a person: {words}" for words in dict.fromkeys(one.left)]
    if one.broken or one.trouble:
        lines += [f"  BROKEN {broken.law}: {broken.what}" for broken in one.broken]
        lines += [f"    {line}" for line in one.trace]
        lines.append(f"  play it again: python3 manage.py faults --seed {one.draw.seed} --runs 1")
    return "\n".join(lines)


def of_processes(played: Sequence[Played], struck: Counter[str], died_alone: Sequence[str]) -> dict[str, Any]:
    """Counts of the runs with real processes. `not_judged`: the harness itself could not go on."""
    drawn = Counter(words for one in played for words in _kinds(one))
    return {
        "runs": len(played),
        "seeds": [min((p.draw.seed for p in played), default=0), max((p.draw.seed for p in played), default=0)],
        "accounts": sum(len(one.draw.accounts) for one in played),
        "broken": broken(played),
        "failed_seeds": sorted(one.draw.seed for one in played if one.broken or one.trouble),
        "not_judged": sum(bool(one.trouble) and not one.broken for one in played),
        "states": dict(Counter(state for one in played for state in one.states)),
        "left_for_a_person": dict(Counter(words.partition(":")[0] for one in played for words in one.left)),
        "drawn": dict(drawn.most_common()),
        "struck": dict(struck),
        "died_by_themselves": len(died_alone),
    }


def _kinds(one: Played) -> list[str]:
    faults = [rule["kind"] for rule in one.draw.faults]
    knobs = [name for turned in one.draw.knobs for name in turned]
    happenings = [happening.what for happening in one.draw.happenings]
    return [*faults, *knobs, *happenings, *(["two leavers"] if one.draw.both_leave else [])]


def broken(played: Sequence[Played]) -> dict[str, int]:
    """law -> number of runs that broke it."""
    found = Counter(law for one in played for law in {found.law for found in one.broken})
    return {key: found[law] for key, law in zip(KEYS, LAWS, strict=True)}


def machine() -> str:
    """On what it was measured."""
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    model = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    return f"{os.cpu_count()} cores {model}, {int(memory) // 1024 // 1024} GB, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def in_words(summary: dict[str, Any]) -> str:
    """The last lines for a person."""
    lines = []
    for level in ("processes", "rules"):
        counts = summary.get(level)
        if counts:
            laws = ", ".join(f"{number} {key.replace('_', ' ')}" for key, number in counts["broken"].items())
            lines.append(f"{level}: {counts['runs']} runs, seeds {counts['seeds'][0]} to {counts['seeds'][1]}: {laws}")
    return "\n".join([*lines, f"{summary['seconds']:.0f} s on {summary['machine']}"])
