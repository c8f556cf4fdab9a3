import pytest
from django.urls import reverse
from technicians.models import Role
from technicians.actions.request_departure import request_departure
from tenants.actions.set_departure_policy import facts_of, set_departure_policy
from tenants.departure_policy_queries import departure_policy_of
from tests.support.visitor import Visitor
from tests.browser.test_every_page import look_at
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

class WhenLooked:
    def test_it(self, world, desks):
        ana, ben, cid = (world.technician(n) for n in ("Ana", "Ben", "Cid"))
        mo, nia = world.technician("Mo", Role.MANAGER), world.technician("Nia", Role.MANAGER)
        set_departure_policy(facts_of(departure_policy_of(world.reseller.pk)) | {"approvals": 2}, by=world.owner)
        later = request_departure([ana, cid], by=mo, reason="end of contract", successor=nia)
        found = []
        for scheme in ("light", "dark"):
            desk = desks(Visitor(world.owner), scheme=scheme)
            desk.page.goto(desk.url + reverse("technicians:departure", args=[later.pk]))
            found += list(look_at(desk, "later"))
            desk.page.screenshot(path=f"/tmp/requests/later-{scheme}.png", full_page=True)
        assert found == []
