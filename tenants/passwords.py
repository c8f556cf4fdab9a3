"""The generator of shared passwords."""

from __future__ import annotations

import secrets

CLASSES = ("abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "-_.+!#%*=@")
"""No l, o, I, O, 0, 1: it may have to be typed from a phone. No blank, no Unicode (entra-docs concept-sspr-policy)."""
LENGTH = 24


def new_password() -> str:
    """24 characters with all four of Entra's classes (three are asked, 8 to 256 characters: concept-sspr-policy)."""
    letters = [secrets.choice(kind) for kind in CLASSES]
    letters += [secrets.choice("".join(CLASSES)) for _ in range(LENGTH - len(letters))]
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)
