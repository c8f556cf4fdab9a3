"""What enrolments that are over may have left behind: late ones expire, passes go, codes of nothing end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from technicians.actions.issue_pass import take_back_leftover_passes
from technicians.actions.kept_code_waits import end_those_that_wait_in_vain

if TYPE_CHECKING:
    from msp.outside import Outside


def clear_up_enrolments(*, outside: Outside) -> int:
    """How many things were cleared up. For the clock; after `expire_enrolments`. Raises LedgerClosed."""
    return end_those_that_wait_in_vain() + take_back_leftover_passes(outside=outside)
