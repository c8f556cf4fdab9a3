"""Make sure that one method of a leaver is gone, and nobody else's."""

from __future__ import annotations

from msp.errors import DefaultMethodRefused, DirectoryError, Refused
from msp.microsoft.ports import Answer, MethodKind, Observation, RemoveMethod
from tenants.actions.send import Errand
from tenants.actions.work import Work, block
from tenants.models import Method, Step
from tenants.plans import StepKind, StepState, last_way_in, leaves_a_way_in


def remove_method(work: Work, step: Step, look: Observation) -> Errand | None:
    """Ask the guard once more, on what was read just now, then have the method removed."""
    method = step.method
    assert method is not None
    if not leaves_a_way_in(
        ways_in=work.outside.ways_in(work.account.pk), present=_ids_present(work, look), going=_going(step)
    ):
        block(work, step, last_way_in())
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
        work.lease.hold()
        work.record("default_method.moved", step, method=str(method.pk))
    try:
        work.directory.move_default(work.account.ref, method.observed, stays)
        return work.directory.remove(work.account.ref, method.observed)
    except DirectoryError as another:
        return another


def _going(step: Step) -> set[object]:
    """Every method that this target still removes: they go out in one request, so the guard sees them together."""
    others = Step.objects.filter(
        target_id=step.target_id,
        kind=StepKind.REMOVE_METHOD,
        status__in=[StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED],
    )
    return set(others.values_list("method_id", flat=True))


def _ids_present(work: Work, look: Observation) -> set[object]:
    present = {(m.directory_id, str(m.kind)) for m in look.methods if m.kind != MethodKind.PASSWORD}
    return {m.pk for m in work.account.methods.present() if (m.directory_id, m.kind) in present}
