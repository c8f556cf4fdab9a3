"""The bundle of ports that doors pass down to actions. Composition only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings

from msp.microsoft.connection import Connection
from msp.microsoft.graph import graph_directories
from msp.microsoft.ports import DirectoryFor
from msp.vault.database import Vault
from msp.vault.keys import RootKeys
from technicians.queries import ways_in_of_those_who_stay
from tenants.plans import Patience


def _passes(_name: str) -> None:
    """A milestone of a step was reached. Only tests that stop a worker at one of them give another function."""


@dataclass(frozen=True)
class Outside:
    """What lies outside an action: directories, the vault, who stays on an account, and how long to wait."""

    directory_for: DirectoryFor
    vault: Vault
    ways_in: Callable[[UUID], set[Any]] = ways_in_of_those_who_stay
    patience: Patience = field(default_factory=Patience)
    reached: Callable[[str], None] = _passes


@cache
def outside() -> Outside:
    """The bundle of this process: one transport, one token store, one vault for all its threads."""
    return Outside(
        directory_for=graph_directories(Connection(**settings.MICROSOFT)),
        vault=Vault(RootKeys(settings.KEY_DIRECTORY)),
        patience=Patience(second_look=settings.SECOND_LOOK_MINUTES * 60),
    )
