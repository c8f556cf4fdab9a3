"""What a person does about a step that needs one: let it be tried again, or accept the gap."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, MoveLost, NotPermitted
from msp.ledger.record import record
from tenants.actions.nudge import nudge
from tenants.models import Run, SecretVersion, Step, Target
from tenants.plans import DID_NOT_SIGN_IN, TRIES, StepKind, StepState

if TYPE_CHECKING:
    from technicians.models import Technician

USUAL_DAYS = 30
MOST_DAYS = 365
"""How long a gap is accepted unless somebody says otherwise, and at the longest."""


@transaction.atomic
def retry_target(target: Target, *, by: Technician) -> int:
    """Plan every refused or blocked step of the target again, and read back at once what is unverified.

    The guards are asked again, and what follows the acts (proof, hand-over, second look) is done again after them.
    Says how many steps were planned. Raises NotPermitted, BadInput (break-glass, cancelled run).
    """
    _permitted(by)
    hold_target(target)
    if target.run.cancelled_at is not None:
        raise BadInput(
            _(
                "This run was cancelled for good, so nothing of it is sent again. What is left on %(account)s needs a "
                "new run, or is accepted as a gap. Nothing was changed."
            )
            % {"account": target.account}
        )
    stopped = target.steps.select_related("version").filter(
        Q(status__in=[StepState.REFUSED, StepState.BLOCKED])
        | Q(status=StepState.UNVERIFIED, was__has_key=DID_NOT_SIGN_IN)
        | Q(status=StepState.UNVERIFIED, kind=StepKind.TRY_PASSWORD)
    )
    if target.account.break_glass:
        raise BadInput(_("This is a break-glass account: automation never touches it. Accept the gap instead."))
    count, acts_again = 0, False
    for step in stopped:
        acts_again = acts_again or step.kind not in TRIES
        version = step.version
        if step.status == StepState.UNVERIFIED and version and version.status == SecretVersion.Status.UNVERIFIED:
            version.advance(
                SecretVersion.Status.RETIRED, retired_at=timezone.now(), retired_because=_("did not sign in")
            )
        # The candidate that was refused is dead: a new one is made.
        step.advance(StepState.PLANNED, problem="", refusals=0, looks=0, version=None, was={})
        count += 1
    if acts_again:
        follow_up_again(target)
    Target.objects.filter(pk=target.pk).update(due_at=timezone.now(), tries=0)
    record(
        "target.retried",
        reseller_id=target.reseller_id,
        actor=by,
        tenant_id=target.account.tenant_id,
        account_id=target.account_id,
        run_id=target.run_id,
        steps=count,
    )
    transaction.on_commit(lambda: nudge(target.pk))
    return count


def retry_run(run: Run, *, by: Technician) -> tuple[int, int]:
    """`retry_target` for every account of the run that `by` sees and that has a refused or blocked step.

    How many steps were planned, on how many accounts. Break-glass accounts are passed over. Each account is a
    transaction of its own, so that one whose worker moves a step meanwhile does not hold back the others.
    Raises NotPermitted, BadInput (cancelled run).
    """
    _permitted(by)
    targets = (
        Target.objects.visible_to(by)
        .select_related("account__tenant", "run")
        .filter(run=run, account__break_glass=False, steps__status__in=[StepState.REFUSED, StepState.BLOCKED])
        .distinct()
        .order_by("position")
    )
    planned = []
    for target in targets:
        try:
            planned.append(retry_target(target, by=by))
        except MoveLost:
            continue
    return sum(planned), sum(1 for count in planned if count)


def hold_target(target: Target) -> None:
    """Wait for the worker's commit, and let the next one wait for ours: a worker begins with this row, too."""
    Target.objects.select_for_update(no_key=True).only("pk").get(pk=target.pk)


def follow_up_again(target: Target) -> None:
    """What was proven before the new acts stays written down; a new proof, hand-over and second look come after it."""
    steps = list(target.steps.order_by("position"))
    place = steps[-1].position
    for kind in (StepKind.PROVE, *TRIES, StepKind.RESHARE, StepKind.SECOND_LOOK):
        last = next((step for step in reversed(steps) if step.kind == kind), None)
        if last is None:
            continue
        if last.status == StepState.PLANNED:
            Step.objects.filter(pk=last.pk).update(due_at=None)
        elif last.status == StepState.UNVERIFIED:
            last.advance(StepState.PLANNED, problem="", due_at=None)
        else:
            place += 1
            Step.objects.create(reseller_id=target.reseller_id, target=target, kind=kind, position=place)


@transaction.atomic
def waive_step(step: Step, *, by: Technician, reason: str, until: dt.date | None = None) -> None:
    """A person accepts that this step's effect is missing: who, why and until when stay on the step for good.

    `until` is the last day (UTC) on which the gap is accepted, USUAL_DAYS ahead unless somebody says otherwise. The
    day after, the step needs a person again (`end_waivers`). Raises NotPermitted, BadInput, MoveRefused, MoveLost.
    """
    _permitted(by)
    if not reason.strip():
        raise BadInput(_("Say why this gap is accepted; nothing was changed."))
    today = timezone.now().astimezone(dt.UTC).date()
    until = until or today + dt.timedelta(days=USUAL_DAYS)
    if not today <= until <= today + dt.timedelta(days=MOST_DAYS):
        raise BadInput(
            _("A gap is accepted until a day from today on, and for %(days)d days at most. Nothing was changed.")
            % {"days": MOST_DAYS}
        )
    hold_target(step.target)
    step.advance(StepState.WAIVED, waived_by=by, waived_reason=reason.strip(), waived_until=until)
    account = step.target.account
    record(
        "step.waived",
        reseller_id=step.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        run_id=step.target.run_id,
        step=str(step.pk),
        kind=step.kind,
        reason=reason.strip(),
        until=until.isoformat(),
    )


def _permitted(by: Technician) -> None:
    if not by.may("waive"):
        raise NotPermitted(_("Your role may not decide about steps of a run; nothing was changed."))
