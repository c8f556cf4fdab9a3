"""Read the account that is worked on, and keep what was there first and last as evidence."""

from __future__ import annotations

from msp.microsoft.ports import Observation
from tenants.actions.observe_account import read_account, write_down
from tenants.actions.work import Work
from tenants.facts import as_evidence


def take_look(work: Work) -> Observation:
    """A reading, kept in a commit of its own. Raises what `read_account` raises, LeaseLost."""
    look = read_account(work.account, outside=work.outside)
    with work.commit():
        keep_look(work, look)
    return look


def keep_look(work: Work, look: Observation) -> None:
    """Write a reading down, in an open `commit`.

    The target's row goes before the account's: people who decide about enrolments and departures come in that order.
    """
    facts = as_evidence(work.account, look)
    if work.target.before is None:
        work.target.before = facts
    work.target.after = facts
    work.target.save(update_fields=["before", "after"])
    work.present = write_down(work.account, look)
