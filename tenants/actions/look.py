"""Read the account that is worked on, and keep what was there first and last as evidence."""

from __future__ import annotations

from msp.microsoft.ports import Observation
from tenants.actions.observe_account import observe_account
from tenants.actions.work import Work
from tenants.facts import as_evidence


def take_look(work: Work) -> Observation:
    """Raises what `observe_account` raises, LeaseLost."""

    def keep(look: Observation) -> None:
        work.lease.hold()
        facts = as_evidence(work.account, look)
        if work.target.before is None:
            work.target.before = facts
        work.target.after = facts
        work.target.save(update_fields=["before", "after"])

    return observe_account(work.account, outside=work.outside, first=keep)
