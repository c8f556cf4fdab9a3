"""A person holds a run, lets it go on, or ends it. What was sent is read back in every case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.actions.nudge import wake
from tenants.models import Run, Step, Target
from tenants.models.run import UNDER_WAY
from tenants.plans import ACTS, TRIES, StepKind, StepState

if TYPE_CHECKING:
    from technicians.models import Technician

LEFT_ALONE = (Run.Kind.ENROLMENT, Run.Kind.CLEAN_UP)
"""Runs on tokens of our own, which end with their enrolment."""
FOLLOW_UPS = (StepKind.PROVE, StepKind.RESHARE, StepKind.SECOND_LOOK)


@dataclass(frozen=True)
class Cancelled:
    """What a cancelled run leaves behind, in counts of acts: done, on their way, and never sent."""

    done: int
    on_their_way: int
    never_sent: int


@transaction.atomic
def pause_run(run: Run, *, by: Technician, reason: str) -> None:
    """Nothing new is sent until somebody resumes. Raises NotPermitted, BadInput (nothing under way, paused already)."""
    run = _held(run, by)
    if run.is_paused:
        raise BadInput(_("This run is paused already; nothing was changed."))
    if not reason.strip():
        raise BadInput(_("Say why the run is paused; nothing was changed."))
    run.paused_at, run.paused_by, run.paused_because = timezone.now(), by, reason.strip()
    run.save(update_fields=["paused_at", "paused_by", "paused_because"])
    _record("run.paused", run, by, reason=reason.strip())


@transaction.atomic
def resume_run(run: Run, *, by: Technician) -> None:
    """Go on where it stopped. Raises NotPermitted, BadInput (not paused)."""
    run = _held(run, by)
    if not run.is_paused:
        raise BadInput(_("This run is not paused; nothing was changed."))
    _let_go(run)
    _record("run.resumed", run, by)
    due = list(run.targets.filter(due_at__lte=timezone.now()).values_list("pk", flat=True))
    transaction.on_commit(lambda: wake(due))


@transaction.atomic
def cancel_run(run: Run, *, by: Technician, reason: str) -> Cancelled:
    """Everything that was not sent is given up; what was sent is read back and proven as always. For good.

    Access inside Latchkey that the run has ended stays ended. Raises NotPermitted, BadInput.
    """
    run = _held(run, by)
    if not reason.strip():
        raise BadInput(_("Say why the run is cancelled: the reason is part of the evidence. Nothing was changed."))
    now = timezone.now()
    # A worker's commit begins with its target: whoever comes second waits here, and not half-way through the steps.
    list(Target.objects.select_for_update(no_key=True).filter(run=run).order_by("pk").values_list("pk"))
    steps = Step.objects.filter(target__run=run)
    # Compare-and-set: a worker that is about to send one of them loses its move, and sends nothing.
    given_up = steps.filter(kind__in=[*ACTS, *TRIES], status=StepState.PLANNED).update(
        status=StepState.CANCELLED, changed_at=now, problem=reason.strip(), sealed=None
    )
    sent = Step.objects.filter(
        target=OuterRef("target"),
        kind__in=ACTS,
        status__in=[StepState.SENDING, StepState.ACCEPTED, StepState.VERIFIED, StepState.UNVERIFIED],
    )
    untouched = steps.filter(~Exists(sent), kind__in=FOLLOW_UPS, status=StepState.PLANNED)
    untouched.update(status=StepState.CANCELLED, changed_at=now, problem=reason.strip())
    run.cancelled_at, run.cancelled_by, run.cancelled_because = now, by, reason.strip()
    run.save(update_fields=["cancelled_at", "cancelled_by", "cancelled_because"])
    _let_go(run)
    left = Step.objects.filter(target=OuterRef("pk"), status__in=UNDER_WAY)
    Target.objects.filter(~Exists(left), run=run).exclude(due_at=None).update(due_at=None)
    due = Target.objects.filter(Exists(left), run=run).exclude(
        Exists(Step.objects.filter(target=OuterRef("pk"), kind=StepKind.SECOND_LOOK, due_at__isnull=False))
    )
    due.update(due_at=now)
    acts = steps.filter(kind__in=ACTS)
    outcome = Cancelled(
        done=acts.filter(status__in=[StepState.VERIFIED, StepState.NEEDLESS]).count(),
        on_their_way=acts.filter(status__in=[StepState.SENDING, StepState.ACCEPTED]).count(),
        never_sent=given_up,
    )
    _record("run.cancelled", run, by, reason=reason.strip(), **vars(outcome))
    woken = list(due.values_list("pk", flat=True))
    transaction.on_commit(lambda: wake(woken))
    return outcome


def _held(run: Run, by: Technician) -> Run:
    """The run's row, for this transaction ours alone."""
    if not by.may("waive") or run.reseller_id != by.reseller_id:
        raise NotPermitted(_("Your role may not pause, resume or cancel a run; nothing was changed."))
    if Target.objects.filter(run=run).exclude(pk__in=Target.objects.visible_to(by).values("pk")).exists():
        raise NotPermitted(
            _("This run concerns tenants that you do not see. Ask somebody who sees all of them; nothing was changed.")
        )
    if run.kind in LEFT_ALONE:
        raise BadInput(_("This run belongs to an enrolment: cancel the enrolment instead. Nothing was changed."))
    held: Run = Run.objects.select_for_update().get(pk=run.pk)
    if held.cancelled_at is not None:
        raise BadInput(_("This run was cancelled already; nothing was changed."))
    acts = Step.objects.filter(target__run=held, kind__in=[*ACTS, *TRIES])
    if not held.is_paused and not acts.filter(status__in=UNDER_WAY).exists():
        raise BadInput(_("Nothing of this run is left to be sent; nothing was changed."))
    return held


def _let_go(run: Run) -> None:
    run.paused_at, run.paused_by, run.paused_because = None, None, ""
    run.save(update_fields=["paused_at", "paused_by", "paused_because"])


def _record(verb: str, run: Run, by: Technician, **facts: Any) -> None:
    tenants = run.targets.values_list("account__tenant_id", flat=True).distinct()
    record(
        verb,
        reseller_id=run.reseller_id,
        actor=by,
        run_id=run.pk,
        tenants=sorted(str(tenant) for tenant in tenants),
        **facts,
    )
