"""Make sure that one method of a leaver is gone, and nobody else's."""

from __future__ import annotations

from msp.errors import DefaultMethodRefused, DirectoryError, Refused
from msp.microsoft.ports import Answer, MethodKind, Observation, RemoveMethod
from tenants.actions.send import Errand
from tenants.actions.work import Work, block
from tenants.exit_queries import customer_has_the_way_in
from tenants.models import NEVER_A_WAY_IN, Method, Run, Step
from tenants.plans import StepKind, StepState, last_way_in, leaves_a_way_in, waits_for_hand_over

GOING = (StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED, StepState.UNVERIFIED)


def remove_method(work: Work, step: Step, look: Observation) -> Errand | None:
    """Ask the guard once more, on what was read just now, then have the method removed."""
    method = step.method
    assert method is not None
    if not _leaves_a_way_in(work, look):
        if work.target.run.kind == Run.Kind.CUSTOMER_EXIT:
            block(work, step, waits_for_hand_over())
            return None
        rotates = any(other.kind == StepKind.ROTATE_PASSWORD for other in work.steps)
        block(work, step, last_way_in(password_changes=rotates))
        return None
    return Errand(
        step,
        RemoveMethod(method.observed),
        another_way=lambda trouble: _after_moving_the_default(work, step, method, look, trouble),
    )


def _after_moving_the_default(
    work: Work, step: Step, method: Method, look: Observation, trouble: Refused
) -> Answer | DirectoryError:
    """The default cannot go while others exist: another one becomes it first."""
    if not isinstance(trouble, DefaultMethodRefused):
        return trouble
    stays = tuple(m for m in look.methods if (m.directory_id, str(m.kind)) != (method.directory_id, method.kind))
    with work.commit():
        work.record("default_method.moved", step, method=str(method.pk))
    try:
        work.directory.move_default(work.account.ref, method.observed, stays)
        return work.directory.remove(work.account.ref, method.observed)
    except DirectoryError as another:
        return another


def _leaves_a_way_in(work: Work, look: Observation) -> bool:
    """For those who stay; or, when a customer goes, for the customer, who has the name and the password in force."""
    if customer_has_the_way_in(work.target):
        return True
    return leaves_a_way_in(ways_in=_ways_in(work), present=_ids_present(work, look), going=_going(work))


def _ways_in(work: Work) -> set[object]:
    """Those of the people who stay.

    While an account is taken over nobody knows yet whose its methods are: there the ones that were present when the
    run began, and that it leaves alone, count as well.
    """
    ways_in: set[object] = work.outside.ways_in(work.account.pk)
    run = work.target.run
    if run.kind != Run.Kind.TAKE_OVER:
        return ways_in
    left_alone = work.account.methods.unknown().filter(first_seen_at__lte=run.started_at)
    return ways_in | set(
        left_alone.exclude(kind__in=NEVER_A_WAY_IN).exclude(steps__target=work.target).values_list("pk", flat=True)
    )


def _going(work: Work) -> set[object]:
    """Every method that this target removes: they go out in one request, so the guard sees them together.

    One that went out and is still seen is no way in either: its owner may stay, and it goes all the same.
    """
    return {step.method_id for step in work.steps if step.kind == StepKind.REMOVE_METHOD and step.status in GOING}


def _ids_present(work: Work, look: Observation) -> set[object]:
    present = {(m.directory_id, str(m.kind)) for m in look.methods if m.kind != MethodKind.PASSWORD}
    return {m.pk for m in work.present if (m.directory_id, m.kind) in present}
