"""Make sure that one method of a leaver is gone, and nobody else's."""

from __future__ import annotations

from msp.errors import DefaultMethodRefused, Refused
from msp.microsoft.ports import Answer, MethodKind, Observation
from tenants.actions.work import Work, block, refuse, send
from tenants.models import Method, Step
from tenants.plans import last_way_in, leaves_a_way_in


def remove_method(work: Work, step: Step, look: Observation) -> None:
    """Ask the guard once more, on what was read just now, then remove the method."""
    method = step.method
    assert method is not None
    if not leaves_a_way_in(
        ways_in=work.outside.ways_in(work.account.pk), present=_ids_present(work, look), going={method.pk}
    ):
        return block(work, step, last_way_in())
    try:
        send(work, step, look, lambda: _remove(work, step, method, look))
    except Refused as trouble:
        refuse(work, step, trouble)
    return None


def _remove(work: Work, step: Step, method: Method, look: Observation) -> Answer:
    try:
        return work.directory.remove(work.account.ref, method.observed)
    except DefaultMethodRefused:
        stays = tuple(m for m in look.methods if (m.directory_id, str(m.kind)) != (method.directory_id, method.kind))
        with work.commit():
            work.lease.hold()
            work.record("default_method.moved", step, method=str(method.pk))
        work.directory.move_default(work.account.ref, method.observed, stays)
        return work.directory.remove(work.account.ref, method.observed)


def _ids_present(work: Work, look: Observation) -> set[object]:
    present = {(m.directory_id, str(m.kind)) for m in look.methods if m.kind != MethodKind.PASSWORD}
    return {m.pk for m in work.account.methods.present() if (m.directory_id, m.kind) in present}
