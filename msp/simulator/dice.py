"""Chance that repeats: the same seed gives the same ids, seeds of tokens and jitter, asked for in the same order."""

from __future__ import annotations

import base64
import random
import threading
import uuid


class Dice:
    """`generation` grows with every restart from a snapshot, so that nothing is drawn twice."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.generation = 0
        self._dice: dict[str, random.Random] = {}
        self._dice_lock = threading.RLock()

    def chance(self, purpose: str) -> random.Random:
        """A generator of its own for each purpose, so that one use does not shift another."""
        with self._dice_lock:
            if purpose not in self._dice:
                self._dice[purpose] = random.Random(f"{self.seed}/{self.generation}/{purpose}")  # noqa: S311
            return self._dice[purpose]

    def new_id(self) -> str:
        with self._dice_lock:
            return str(uuid.UUID(int=self.chance("ids").getrandbits(128), version=4))

    def new_seed(self) -> str:
        """160 bits in Base32. Not secret: they come from the cloud's seed."""
        with self._dice_lock:
            return base64.b32encode(self.chance("seeds").randbytes(20)).decode()
