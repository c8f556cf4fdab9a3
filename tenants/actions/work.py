"""What one worker has in hand while it works on one target."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from msp.errors import Refused
from msp.ledger.record import record, written_together
from msp.microsoft.ports import Directory, Observation
from tenants.actions.lease import HeldLease
from tenants.models import Method, SharedAccount, Step, Target
from tenants.plans import StepState

if TYPE_CHECKING:
    from msp.outside import Outside


class Later(Exception):
    """Nothing can be done on this account for some seconds, and nobody is to blame."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


@dataclass
class Work:
    """One target in the hands of one worker.

    `present` are the methods that the last reading showed, `steps` those of the target as they are now.
    """

    target: Target
    lease: HeldLease
    outside: Outside
    directory: Directory
    present: list[Method] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    _is_open: bool = False
    _at_its_end: list[str] = field(default_factory=list)

    @property
    def account(self) -> SharedAccount:
        return self.target.account

    def reached(self, milestone: str) -> None:
        """Tell that a milestone is reached; one that follows a commit is told when the open one is over."""
        if self._is_open and milestone.endswith(".committed"):
            self._at_its_end.append(milestone)
        else:
            self.outside.reached(milestone)

    @contextmanager
    def commit(self) -> Iterator[None]:
        """A transaction that holds the lease, with its entries of the ledger; inside an open one it is part of that.

        Raises LeaseLost when somebody else holds the account by now, LedgerClosed; then nothing in it happened.
        """
        if self._is_open:
            yield
            return
        self._is_open, self._at_its_end = True, []
        try:
            with transaction.atomic(durable=True), written_together():
                self.lease.hold()
                yield
        finally:
            self._is_open = False
        for milestone in self._at_its_end:
            self.outside.reached(milestone)

    def record(self, verb: str, step: Step, **facts: Any) -> None:
        """An entry of the ledger, in this `commit`."""
        record(
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
        step.advance(StepState.REFUSED, problem=str(trouble), request_ids=[*step.request_ids, trouble.request_id])
        also()
        work.record("step.refused", step, code=trouble.code, request_id=trouble.request_id, problem=str(trouble))


def block(work: Work, step: Step, reason: str) -> None:
    """A guard stops the step before anything is sent."""
    with work.commit():
        step.advance(StepState.BLOCKED, problem=reason)
        work.record("step.blocked", step, problem=reason)
