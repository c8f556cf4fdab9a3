"""People who ask for departures and people who decide about them."""

from __future__ import annotations

from typing import Any

import pytest

from technicians.actions.decide_request import approve
from technicians.actions.request_departure import request_departure
from technicians.models import DepartureRequest, Role, Technician
from tenants.actions.set_departure_policy import facts_of, set_departure_policy
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Run
from tests.support.world import World


class Scene:
    """Ana and Ben share Contoso and Fabrikam; Mo and Nia manage, and Olga owns."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world, self.owner = world, world.owner
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.mo, self.nia = world.technician("Mo", Role.MANAGER), world.technician("Nia", Role.MANAGER)
        self.contoso = world.account(world.tenant("Contoso"))
        self.fabrikam = world.account(world.tenant("Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            world.give(account, self.ana, self.ben)

    def policy(self, **rules: Any) -> None:
        now = facts_of(departure_policy_of(self.world.reseller.pk)) | rules
        set_departure_policy(now, by=self.owner)

    def asks(self, *leavers: Technician, by: Technician | None = None, **wish: Any) -> DepartureRequest:
        """Ana leaves and Mo asks, unless something else is said."""
        return request_departure(list(leavers or (self.ana,)), by=by or self.mo, **({"reason": "resigned"} | wish))

    def approves(self, request: DepartureRequest, *people: Technician) -> Run | None:
        runs = [approve(request, by=person) for person in people]
        return runs[-1]

    def now(self, row: Any) -> Any:
        """The row as it is in the database now."""
        return type(row).objects.get(pk=row.pk)
