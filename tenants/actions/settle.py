"""Compare the steps of a target with one reading, and write down what it proves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.lifecycle import advance_all
from msp.microsoft.ports import Observation, ProbeResult
from tenants.actions.doubt_password import doubt_password
from tenants.actions.rotate_password import put_in_force
from tenants.actions.work import Work
from tenants.models import SecretVersion, Step
from tenants.plans import ACTS, DID_NOT_SIGN_IN, StepFacts, StepKind, StepState, is_done
from tenants.policy_queries import policy_of

OPEN = (StepState.SENDING, StepState.ACCEPTED, StepState.UNVERIFIED)


class AskTheSignIn(Exception):
    """Only a sign-in can tell whose password is in force, and nobody signs in within a transaction."""

    def __init__(self, step: Step) -> None:
        super().__init__(f"which password signs in after {step}")
        self.step = step


def settle(work: Work, steps: list[Step], look: Observation, tried: Mapping[Any, ProbeResult]) -> None:
    """Move every act that this reading proves, and every one that has been looked at often enough.

    `tried` are the sign-ins tried since the reading, by step. Raises AskTheSignIn for one that is needed; call it
    again with its result.
    """
    proven = []
    for step in steps:
        if step.kind not in ACTS:
            continue
        if step.status == StepState.PLANNED:
            _needless(work, step, look)
        elif step.status in OPEN:
            if is_done(facts_of(step), look):
                if step.status == StepState.SENDING and _was_somebody_elses(work, step, tried):
                    _changed_by_another(work, step, look)
                else:
                    proven.append(step)
            else:
                _not_seen(work, step)
    if proven:
        _proven(work, proven, look)


def facts_of(step: Step) -> StepFacts:
    method = (step.method.directory_id, step.method.kind) if step.method else None
    return StepFacts(step.kind, step.status, method, step.was, step.sent_at)


def _proven(work: Work, steps: list[Step], look: Observation) -> None:
    """One reading proves them together, so they are written down together."""
    for step in steps:
        work.reached(f"{step.kind}.readback.done")
    shown = {
        "proven_password_changed_at": _iso(look, "password_changed_at"),
        "proven_sessions_valid_from": _iso(look, "sessions_valid_from"),
    }
    with work.commit():
        for was in _distinct([step.was for step in steps]):
            same = [step for step in steps if step.was == was]
            advance_all(same, StepState.VERIFIED, verified_at=timezone.now(), problem="", was={**was, **shown})
        for step in steps:
            if step.kind == StepKind.ROTATE_PASSWORD and step.version is not None:
                put_in_force(step.version, proof=SecretVersion.Proof.READ_BACK, outside=work.outside)
            work.record("step.verified", step, request_ids=list(look.request_ids))
            work.reached(f"{step.kind}.proof.uncommitted")
    for step in steps:
        work.reached(f"{step.kind}.proof.committed")


def _distinct(facts: list[dict[str, object]]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for fact in facts:
        if fact not in found:
            found.append(fact)
    return found


def _was_somebody_elses(work: Work, step: Step, tried: Mapping[Any, ProbeResult]) -> bool:
    """After a lost answer the time of the last change speaks for us; where the policy allows, the sign-in decides."""
    if step.kind != StepKind.ROTATE_PASSWORD or step.version is None:
        return False
    if step.pk not in tried and policy_of(work.account).rules.sign_in_probe:
        raise AskTheSignIn(step)
    return tried.get(step.pk) == ProbeResult.PASSWORD_REFUSED


def _changed_by_another(work: Work, step: Step, look: Observation) -> None:
    with work.commit():
        step.advance(
            StepState.UNVERIFIED,
            was={**step.was, DID_NOT_SIGN_IN: True},
            problem=_(
                "The password was changed at about the time when ours was sent, but ours does not sign in: somebody "
                "else changed it. Both versions are kept; try again to rotate to a new one."
            ),
        )
        work.record("step.unverified", step, probe="refused")
        in_force = SecretVersion.objects.filter(secret__account=work.account, status=SecretVersion.Status.CURRENT)
        if look.password_changed_at is not None and (version := in_force.first()) is not None:
            doubt_password(work.account, version, changed_at=look.password_changed_at)


def _iso(look: Observation, fact: str) -> str | None:
    moment = getattr(look, fact)
    return moment.isoformat() if moment else None


def _not_seen(work: Work, step: Step) -> None:
    """Not visible in this reading: it may be late, it may not have happened, it may be a lie."""
    looks, patience = step.looks + 1, work.outside.patience
    with work.commit():
        if step.status == StepState.SENDING and looks >= patience.looks_before_resending:
            # Read back often enough: it did not happen. Every act is safe to do twice, and this one is planned again.
            if step.kind == StepKind.ROTATE_PASSWORD and step.version is not None:
                step.version.advance(SecretVersion.Status.CANDIDATE)
            step.advance(StepState.PLANNED, looks=0, problem=_("Read back: it had not happened. It is sent again."))
            work.record("step.had_not_happened", step)
        elif step.status == StepState.ACCEPTED and patience.next_read_back(looks) is None:
            step.advance(
                StepState.UNVERIFIED,
                looks=looks,
                problem=_(
                    "Microsoft accepted this, but it is not visible when read back. Latchkey keeps looking; "
                    "check the account in the Entra admin center."
                ),
            )
            work.record("step.unverified", step)
        else:
            Step.objects.filter(pk=step.pk).update(looks=looks)
            step.looks = looks


def _needless(work: Work, step: Step, look: Observation) -> None:
    """Already so when we came: the method is not there, or an earlier run changed the password after ours began."""
    if step.kind == StepKind.REMOVE_METHOD:
        already = is_done(facts_of(step), look)
    elif step.kind == StepKind.ROTATE_PASSWORD and step.version is None:
        already = SecretVersion.objects.filter(
            secret__account=work.account,
            status=SecretVersion.Status.CURRENT,
            current_from__gt=work.target.run.started_at,
            source="generated",
        ).exists()
    else:
        already = False
    if already:
        with work.commit():
            step.advance(StepState.NEEDLESS, problem="")
            work.record("step.needless", step)
