"""What is drawn from a seed: who is there, which answers go wrong, and which misfortune comes when.

The same seed draws the same; only the moments at which processes meet differ from run to run.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from msp.simulator.faults import random_plan

LAWS = ("false success", "lost password", "colleague touched", "locked out", "stuck", "not recorded")
"""What no run may break, as it is named in reports and in what fails."""
OPERATIONS = ("user.read", "methods.list", "method.delete", "password.set", "sessions.revoke", "batch", "token")
MISFORTUNES = {
    "worker killed": 10,
    "worker stopped": 10,
    "beat killed": 5,
    "web killed": 5,
    "cloud stopped": 5,
    "line cut": 12,
    "broker flushed": 7,
    "broker killed": 4,
    "database restarted": 3,
    "database killed": 3,
    "clock jumped": 8,
    "": 45,
}
"""What strikes the processes, with its weight; "" is none. One run's misfortune strikes all that are in the air."""
INCIDENTS = {
    "a colleague enrols": 22,
    "a stranger enrols": 6,
    "paused and resumed": 12,
    "cancelled": 6,
    "": 54,
}
"""What people do meanwhile."""
PLACES = 5
"""Authenticators that an account can have at Microsoft."""
SECONDS = (0.5, 1.0, 2.0, 4.0)
JUMPS = (-30.0, -10.0, 15.0, 30.0)
"""Seconds by which the wall clock of all processes is wrong for a while."""


@dataclass(frozen=True)
class Happening:
    """Something that happens once so many steps of the first run have moved. `amount` is in seconds."""

    what: str
    after: int
    amount: float


@dataclass(frozen=True)
class DrawnAccount:
    """`holders` are people by number, each with a code generator of their own. `pushed`: who has an app besides."""

    tenant: int
    holders: tuple[int, ...]
    pushed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Draw:
    """One run. Person 0 leaves; when `both_leave` so does person 1, in another run `second_after` steps later."""

    seed: int
    people: int
    tenants: int
    accounts: tuple[DrawnAccount, ...]
    both_leave: bool
    second_after: int
    faults: tuple[dict[str, Any], ...]
    knobs: tuple[dict[str, Any], ...]
    happenings: tuple[Happening, ...]
    changed_outside: bool
    """Somebody changes a password at Microsoft's own page, between the end of the acts and the second look."""

    def in_words(self) -> list[str]:
        """What was drawn, for the report."""
        words = [f"{rule['kind']} at {rule['operation']}" for rule in self.faults]
        words += [f"{name} {value}" for knobs in self.knobs for name, value in knobs.items()]
        words += [happening.what for happening in self.happenings]
        words += ["two leavers"] if self.both_leave else []
        return words + (["password changed outside"] if self.changed_outside else [])


def draw(seed: int) -> Draw:
    chance = random.Random(f"{seed}/harness")
    people, tenants = chance.randint(3, 5), chance.choice((2, 2, 3))
    both = chance.random() < 0.3
    return Draw(
        seed=seed,
        people=people,
        tenants=tenants,
        accounts=tuple(_account(chance, number % tenants, people) for number in range(chance.randint(3, 6))),
        both_leave=both,
        second_after=chance.randint(0, 6),
        faults=tuple(_faults(chance, seed, tenants)),
        knobs=tuple(_knobs(chance) for _ in range(tenants)),
        happenings=tuple(_happenings(chance)),
        changed_outside=chance.random() < 0.06,
    )


def _account(chance: random.Random, tenant: int, people: int) -> DrawnAccount:
    """The leaver mostly holds it; sometimes nobody else does, and then it is the last way in."""
    holders = {0} if chance.random() < 0.9 else set()
    if chance.random() < 0.97 or not holders:
        holders |= set(chance.sample(range(1, people), chance.randint(1, min(3, people - 1))))
    pushed = sorted(person for person in holders if chance.random() < 0.15 and len(holders) < 4)
    return DrawnAccount(tenant, tuple(sorted(holders)), tuple(pushed[: PLACES - len(holders)]))


def _faults(chance: random.Random, seed: int, tenants: int) -> list[dict[str, Any]]:
    """Each strikes in one tenant of this run alone."""
    if chance.random() < 0.2:
        return []
    rules = random_plan(seed, operations=OPERATIONS, most=4, longest=0.3)
    return [rule | {"tenant": chance.randrange(tenants)} for rule in rules]


def _knobs(chance: random.Random) -> dict[str, Any]:
    turned: dict[str, Any] = {}
    if chance.random() < 0.25:
        turned["read_lag"] = chance.choice((0.4, 1.2, 3.0))
    if chance.random() < 0.12:
        turned["throttle"] = 5
    if chance.random() < 0.05:
        turned["lies"] = True
    if chance.random() < 0.2:
        turned["latency_ms"] = chance.choice((20, 60, 150))
    return turned


def _happenings(chance: random.Random) -> list[Happening]:
    kinds = [chance.choices(list(table), weights=list(table.values()))[0] for table in (MISFORTUNES, INCIDENTS)]
    return [
        Happening(kind, after=chance.randint(0, 9), amount=chance.choice(JUMPS if kind == "clock jumped" else SECONDS))
        for kind in kinds
        if kind
    ]
