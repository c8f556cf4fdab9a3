"""What one worker has in hand while it works on one target."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from msp.errors import Refused
from msp.ledger.models import Entry
from msp.ledger.record import entry_of, write_entries
from msp.microsoft.ports import Directory, Observation
from tenants.actions.lease import HeldLease
from tenants.models import SharedAccount, Step, Target
from tenants.plans import StepState

if TYPE_CHECKING:
    from msp.outside import Outside


class Later(Exception):
    """Nothing can be done on this account for some seconds, and nobody is to blame."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Work:
    """One target in the hands of one worker."""

    target: Target
    lease: HeldLease
    outside: Outside
    directory: Directory
    said: list[Entry] = field(default_factory=list)

    @property
    def account(self) -> SharedAccount:
        return self.target.account

    def reached(self, milestone: str) -> None:
        self.outside.reached(milestone)

    @contextmanager
    def commit(self) -> Iterator[None]:
        """A transaction of its own. Its first line must be `lease.hold()`, its last writes down what was said in it."""
        self.said.clear()
        with transaction.atomic(durable=True):
            yield
            write_entries(self.said)

    def record(self, verb: str, step: Step, **facts: Any) -> None:
        """An entry of the ledger, written with the others at the end of this `commit`."""
        entry = entry_of(
            verb,
            reseller_id=self.target.reseller_id,
            actor=None,
            tenant_id=self.account.tenant_id,
            account_id=self.account.pk,
            run_id=self.target.run_id,
            step=str(step.pk),
            kind=step.kind,
            **facts,
        )
        self.said.append(entry)


def was_before(look: Observation) -> dict[str, Any]:
    """What a later reading is compared with."""
    return {
        "read_at": _iso(look.read_at),
        "password_changed_at": _iso(look.password_changed_at),
        "sessions_valid_from": _iso(look.sessions_valid_from),
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def nothing_more() -> None:
    """The usual companion of a move: no other row moves with the step."""


def refuse(work: Work, step: Step, trouble: Refused, *, also: Callable[[], None] = nothing_more) -> None:
    """Microsoft said no, and nothing changed: write its reason down."""
    with work.commit():
        work.lease.hold()
        step.advance(StepState.REFUSED, problem=str(trouble), request_ids=[*step.request_ids, trouble.request_id])
        also()
        work.record("step.refused", step, code=trouble.code, request_id=trouble.request_id, problem=str(trouble))


def block(work: Work, step: Step, reason: str) -> None:
    """A guard stops the step before anything is sent."""
    with work.commit():
        work.lease.hold()
        step.advance(StepState.BLOCKED, problem=reason)
        work.record("step.blocked", step, problem=reason)
