"""The engine's part in a guided place: it keeps the order and the guards, and a person does the steps.

Nothing can be read there, so no step becomes verified: at best a person states it, and another one confirms it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import KeyTrouble
from msp.ledger.record import record
from tenants.actions.findings import open_finding, resolve_findings
from tenants.actions.mend import hold_target
from tenants.guided_plans import NEVER_READ, NEVER_TRIED, NOTHING_STATED, STATED_WITH_IT, name_of, whose_turn
from tenants.models import Finding, Run, SecretVersion, SharedAccount, Step, Target
from tenants.plans import ACTS, SETTLED, TRIES, StepKind, StepState, last_way_in, leaves_a_way_in, worst

if TYPE_CHECKING:
    from msp.outside import Outside

LOOKED_AT_AGAIN = dt.timedelta(minutes=5)
"""A person may waive or retry a step meanwhile: so soon the engine notices without being told."""
PROBLEMS = (StepState.UNVERIFIED, StepState.REFUSED, StepState.BLOCKED)


@transaction.atomic
def work_by_hand(target: Target, *, outside: Outside) -> dt.datetime | None:
    """Do what needs no person, and answer when to look again; None when nothing is left.

    `target.account.tenant` has to be loaded. Call it again after every statement: it changes nothing twice.
    Raises MoveLost when somebody moves a step at the same moment.
    """
    # One after the other: a worker, and people who state steps.
    hold_target(target)
    SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=target.account_id)
    target.run = Run.objects.get(pk=target.run_id)
    steps = list(target.steps.select_related("method", "version__secret__account__tenant").order_by("position"))
    _settle_what_needs_nobody(target, steps)
    waiting = whose_turn(steps)
    while waiting is not None and _is_the_last_way_in(target, waiting, steps, outside):
        _move(target, waiting, StepState.BLOCKED, last_way_in())
        waiting = whose_turn(steps)
    if waiting is None or waiting.kind not in ACTS:
        _follow_up(target, steps, outside)
        waiting = whose_turn(steps)
    due_at = timezone.now() + LOOKED_AT_AGAIN if waiting is not None else None
    Target.objects.filter(pk=target.pk).update(due_at=due_at, tries=0, problem=_words(waiting))
    _note_problems(target, steps)
    return due_at


def _words(waiting: Step | None) -> str:
    if waiting is None:
        return ""
    return _("It waits for a person: %(step)s.") % {"step": name_of(waiting.kind)}


def _settle_what_needs_nobody(target: Target, steps: Sequence[Step]) -> None:
    for step in steps:
        if step.status != StepState.PLANNED or step.kind not in ACTS:
            continue
        if target.run.cancelled_at is not None:
            _move(target, step, StepState.CANCELLED, target.run.cancelled_because)
        elif step.method is not None and step.method.removed_at is not None:
            _move(target, step, StepState.NEEDLESS, "")
        elif step.kind == StepKind.ROTATE_PASSWORD and _changed_since(target, step):
            _move(target, step, StepState.NEEDLESS, _("Another run changed the password after this one began."))


def _changed_since(target: Target, step: Step) -> bool:
    newer = SecretVersion.objects.filter(
        secret__account=target.account_id,
        status=SecretVersion.Status.CURRENT,
        current_from__gt=target.run.started_at,
        source=SecretVersion.Source.GENERATED,
    )
    return step.version is None and newer.exists()


def _is_the_last_way_in(target: Target, step: Step, steps: Sequence[Step], outside: Outside) -> bool:
    """The lock-out guard, asked when the step's turn comes. What is there is what people said is there."""
    if step.kind != StepKind.REMOVE_METHOD or step.status != StepState.PLANNED:
        return False
    present = set(target.account.methods.present().values_list("pk", flat=True))
    going = {s.method_id for s in steps if s.kind == StepKind.REMOVE_METHOD and s.status not in SETTLED}
    return not leaves_a_way_in(ways_in=outside.ways_in(target.account_id), present=present, going=going)


def _follow_up(target: Target, steps: Sequence[Step], outside: Outside) -> None:
    """Every act is settled: hand over, and say of what can be neither read nor tried here that it is so."""
    stated = any(step.kind in ACTS and step.status == StepState.STATED for step in steps)
    for step in steps:
        if step.status != StepState.PLANNED:
            continue
        if step.kind in TRIES:
            _move(target, step, StepState.NEEDLESS, str(NEVER_TRIED))
        elif step.kind == StepKind.RESHARE:
            _hand_over(target, step, steps, outside)
        elif step.kind == StepKind.SECOND_LOOK:
            _move(target, step, StepState.NEEDLESS, str(NEVER_READ))
        elif step.kind == StepKind.PROVE and not stated:
            _move(target, step, StepState.NEEDLESS, str(NOTHING_STATED))


def _hand_over(target: Target, step: Step, steps: Sequence[Step], outside: Outside) -> None:
    """That the new password opens here is seen; that it is in force there was said by whoever set it."""
    changes = [s for s in steps if s.kind == StepKind.ROTATE_PASSWORD and s.status == StepState.STATED]
    version = changes[-1].version if changes else None
    if version is None:
        _move(target, step, StepState.NEEDLESS, _("The password was not changed by this run."))
        return
    try:
        outside.vault.open(bytes(version.sealed), version.place)
    except KeyTrouble as trouble:
        _move(target, step, StepState.BLOCKED, str(trouble))
        return
    who = changes[-1].stated_by
    _move(
        target,
        step,
        StepState.STATED,
        "",
        version=version,
        stated_by=who,
        stated_at=timezone.now(),
        stated_note=str(STATED_WITH_IT),
    )


def _move(target: Target, step: Step, to: StepState, problem: str, **facts: Any) -> None:
    step.advance(to, problem=problem, **facts)
    record(
        f"step.{to}",
        reseller_id=target.reseller_id,
        actor=None,
        tenant_id=target.account.tenant_id,
        account_id=target.account_id,
        run_id=target.run_id,
        step=str(step.pk),
        kind=step.kind,
        problem=problem,
    )


def _note_problems(target: Target, steps: Sequence[Step]) -> None:
    account = target.account
    if worst(step.status for step in steps) in PROBLEMS:
        said = [step.problem for step in steps if step.status in PROBLEMS and step.problem]
        open_finding(
            Finding.Kind.RUN_PROBLEM, tenant=account.tenant, account=account, detail=" ".join(dict.fromkeys(said))
        )
    elif all(step.status in SETTLED for step in steps):
        resolve_findings(account, kinds=[Finding.Kind.RUN_PROBLEM])
