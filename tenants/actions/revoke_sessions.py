"""End every open session of the account."""

from __future__ import annotations

from msp.microsoft.ports import EndSessions, Observation
from tenants.actions.send import Errand
from tenants.actions.work import Work
from tenants.models import Step


def revoke_sessions(work: Work, step: Step, look: Observation) -> Errand:
    return Errand(step, EndSessions())
