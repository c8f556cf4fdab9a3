"""Which policy of departures holds for a reseller."""

from __future__ import annotations

from uuid import UUID

from tenants.models import DeparturePolicy


def departure_policy_of(reseller_id: UUID) -> DeparturePolicy:
    """The reseller's own, or the defaults as a row that is not saved."""
    own: DeparturePolicy | None = DeparturePolicy.objects.filter(reseller_id=reseller_id).first()
    return own or DeparturePolicy(reseller_id=reseller_id)
