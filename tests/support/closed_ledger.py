"""A ledger that takes nothing, as when its disk is full."""

from __future__ import annotations

from typing import Any, Never

import pytest

from msp.errors import LedgerClosed
from msp.ledger.models import Entry


def close_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Never:
        raise LedgerClosed("closed")

    monkeypatch.setattr(type(Entry.objects), "bulk_create", refuse)
