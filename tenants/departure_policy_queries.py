"""Which policy of departures holds for a reseller."""

from __future__ import annotations

from uuid import UUID

from tenants.models import DeparturePolicy
from tenants.plans import StepKind


def departure_policy_of(reseller_id: UUID) -> DeparturePolicy:
    """The reseller's own, or the defaults as a row that is not saved."""
    own: DeparturePolicy | None = DeparturePolicy.objects.filter(reseller_id=reseller_id).first()
    return own or DeparturePolicy(reseller_id=reseller_id)


def tries_asked_by(reseller_id: UUID) -> tuple[StepKind, ...]:
    """The negative proof that the policy asks of a departure: which of TRIES, in their order."""
    policy = departure_policy_of(reseller_id)
    asked = {
        StepKind.TRY_PASSWORD: policy.try_password,
        StepKind.TRY_CODE: policy.try_code,
        StepKind.TRY_SESSION: policy.try_session,
    }
    return tuple(kind for kind, wanted in asked.items() if wanted)
