"""A method that turns out to be somebody's is not taken away by a run that was planned when it was nobody's."""

from __future__ import annotations

from django.utils.translation import gettext as _

from msp.errors import BadInput, MoveLost
from msp.ledger.record import record
from technicians.models import Authenticator
from tenants.models import Method, Step
from tenants.plans import StepKind, StepState

ON_ITS_WAY = (StepState.SENDING, StepState.ACCEPTED, StepState.UNVERIFIED)
OVER = (StepState.VERIFIED, StepState.WAIVED, StepState.NEEDLESS)


def spare_method(method: Method, bound: Authenticator) -> None:
    """Make every removal of it needless that was not sent. Call it in the transaction that binds it.

    Raises BadInput when a removal is on its way, and when a worker was faster: then nothing is bound.
    """
    removals = Step.objects.filter(method=method, kind=StepKind.REMOVE_METHOD).exclude(status__in=OVER)
    for step in removals.select_related("target__account"):
        if step.status in ON_ITS_WAY:
            raise BadInput(_being_removed())
        try:
            if step.status != StepState.PLANNED:
                step.advance(StepState.PLANNED)
            step.advance(
                StepState.NEEDLESS,
                problem=_("It stays: before it was removed, it was bound to %(name)s.") % {"name": bound.technician},
            )
        except MoveLost as lost:
            raise BadInput(_being_removed()) from lost
        account = step.target.account
        record(
            "step.needless",
            reseller_id=step.reseller_id,
            actor=bound.bound_by,
            tenant_id=account.tenant_id,
            account_id=account.pk,
            run_id=step.target.run_id,
            technician_id=bound.technician_id,
            step=str(step.pk),
            kind=step.kind,
        )


def _being_removed() -> str:
    return _(
        "A run is removing this method right now, so it cannot be bound to anybody. Look again in a minute: if it is "
        "gone, enrol anew; if it is still there, claim it then."
    )
