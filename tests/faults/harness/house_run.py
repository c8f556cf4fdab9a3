"""Many runs in the air at once, in one installation, until each has its verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from tests.faults.harness.draw import draw
from tests.faults.harness.play import Play, Played
from tests.faults.harness.processes import House

IN_THE_AIR = 20


def play_all(seeds: Iterable[int], house: House, tell: Callable[[Played], None]) -> list[Played]:
    """`tell` hears of each run as it ends. This thread alone starts and kills processes."""
    waiting = list(seeds)
    played: list[Played] = []
    with ThreadPoolExecutor(IN_THE_AIR) as pool:
        in_the_air: set[Future[Played]] = set()
        while waiting or in_the_air:
            while waiting and len(in_the_air) < IN_THE_AIR:
                in_the_air.add(pool.submit(Play(draw(waiting.pop(0)), house).to_its_end))
            ended, in_the_air = wait(in_the_air, timeout=0.1, return_when=FIRST_COMPLETED)
            for one in ended:
                played.append(one.result())
                tell(played[-1])
            house.tick()
            time.sleep(0.02)
    return played
