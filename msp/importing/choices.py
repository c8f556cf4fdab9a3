"""What a person decides about a file, beyond its kind: which product wrote it, which column is which, which row counts.

No value of a file is in it, only places, so that it may be kept in the open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msp.errors import BadInput

MAPPED = "mapped"
"""The source of a file whose columns a person named."""


class AskForColumns(BadInput):
    """Only a person can say which column of this file is which. The message never quotes a row."""


@dataclass(frozen=True)
class Choices:
    """`columns` are places from 0 on, by the name of our field; `accounts` ids of shared accounts, by line.

    `counts` are the lines whose password counts where several give one account different passwords.
    `header` says whether the first row names the columns.
    """

    source: str = ""
    columns: Mapping[str, int] = field(default_factory=dict)
    header: bool = True
    accounts: Mapping[int, str] = field(default_factory=dict)
    counts: frozenset[int] = frozenset()

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "columns": dict(self.columns),
            "header": self.header,
            "accounts": {str(line): account for line, account in self.accounts.items()},
            "counts": sorted(self.counts),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Choices:
        return cls(
            source=kept.get("source", ""),
            columns=kept.get("columns", {}),
            header=kept.get("header", True),
            accounts={int(line): account for line, account in kept.get("accounts", {}).items()},
            counts=frozenset(kept.get("counts", ())),
        )


NONE = Choices()
