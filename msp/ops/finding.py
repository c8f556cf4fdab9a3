"""The shape of what `doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`well` is None when it could not be checked: not a fault by itself."""

    subject: str
    well: bool | None
    words: str
