"""What evidence says of one account: each step with its truth, the negative proof, exceptions, deadline, hand-over."""

from __future__ import annotations

import datetime as dt
from typing import Any

from msp.ledger.canonical import rfc3339
from technicians.reshare_queries import AccountShares
from tenants.models import Step, Target
from tenants.plans import ACTS, TRIES, StepState
from tenants.run_queries import EXCEPTIONS, rfc3339_or_none, state_of_steps

GONE = (StepState.VERIFIED, StepState.NEEDLESS)
TRIED = ("said", "code", "code_in_force", "old_version", "in_force", "serials", "still_assigned")
"""What `Step.was` may tell of a try; nothing else of it leaves the house."""


def account_as_evidence(target: Target, shared: AccountShares | None, now: dt.datetime) -> dict[str, Any]:
    """One account of a run. `shared` is None where the run did not change the password."""
    steps = list(target.steps.all())
    return {
        "user_principal_name": target.account.user_principal_name,
        "object_id": target.account.object_id,
        "account_class": str(target.account.account_class),
        "state": str(state_of_steps(steps)),
        "deadline": deadline_of(target, steps, now),
        "before": target.before,
        "steps": [_step(s) for s in steps],
        "after": target.after,
        "exceptions": [exception_as_evidence(s) for s in steps if s.status in EXCEPTIONS],
        "reshared": {"stay": len(shared.shares), "have_it": shared.have_it} if shared else None,
    }


def deadline_of(target: Target, steps: list[Step], now: dt.datetime) -> dict[str, Any]:
    """{"at", "access_gone_at", "met"}. Access is gone when every act was read back, and not before.

    `met` is None while it can still be met, where there is none, and where a person accepted or stated what is left.
    """
    acts = [s for s in steps if s.kind in ACTS]
    gone_at = None
    if acts and all(s.status in GONE for s in acts):
        gone_at = max(s.verified_at or s.changed_at for s in acts)
    decided = any(s.status in (StepState.WAIVED, StepState.STATED, StepState.CANCELLED) for s in acts)
    met = None
    if target.deadline_at and gone_at:
        met = gone_at <= target.deadline_at
    elif target.deadline_at and not decided and now > target.deadline_at:
        met = False
    return {"at": rfc3339_or_none(target.deadline_at), "access_gone_at": rfc3339_or_none(gone_at), "met": met}


def _step(step: Step) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": str(step.kind),
        "state": str(step.status),
        "sent_at": rfc3339_or_none(step.sent_at),
        "accepted_at": rfc3339_or_none(step.accepted_at),
        "verified_at": rfc3339_or_none(step.verified_at),
        "request_ids": [i for i in step.request_ids if i],
        "problem": step.problem,
    }
    if step.method:
        method = step.method
        told["method"] = {"kind": str(method.kind), "label": method.label, "directory_id": method.directory_id}
    if step.kind in TRIES:
        told["tried"] = {name: step.was[name] for name in TRIED if name in step.was}
    if step.status == StepState.STATED:
        told["stated"] = _stated(step)
    return told


def exception_as_evidence(step: Step) -> dict[str, Any]:
    """A step without its effect, or whose effect nobody read back, and who answers for that."""
    told: dict[str, Any] = {"kind": str(step.kind), "state": str(step.status), "reason": step.problem}
    if step.status == StepState.WAIVED:
        told["reason"] = step.waived_reason
        told["accepted_by"] = step.waived_by.email if step.waived_by else ""
        told["accepted_at"] = rfc3339(step.changed_at)
        told["accepted_until"] = step.waived_until.isoformat() if step.waived_until else None
    elif step.status == StepState.STATED:
        told |= {"reason": step.stated_note} | _stated(step)
    return told


def _stated(step: Step) -> dict[str, Any]:
    return {
        "stated_by": step.stated_by.email if step.stated_by else "",
        "stated_at": rfc3339_or_none(step.stated_at),
    }
