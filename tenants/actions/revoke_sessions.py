"""End every open session of the account."""

from __future__ import annotations

from msp.errors import Refused
from msp.microsoft.ports import Observation
from tenants.actions.work import Work, refuse, send
from tenants.models import Step


def revoke_sessions(work: Work, step: Step, look: Observation) -> None:
    try:
        send(work, step, look, lambda: work.directory.revoke_sessions(work.account.ref))
    except Refused as trouble:
        refuse(work, step, trouble)
