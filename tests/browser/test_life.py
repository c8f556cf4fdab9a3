"""The pages of an authenticator's life in a real browser: no barrier, no complaint, and a list that fits a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import timezone

from technicians.actions.ask_for_new_phone import ask_for_new_phone
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.assign import assign
from technicians.actions.enrol import begin_enrolment
from technicians.actions.enrolment_links import send_enrolment_link
from technicians.actions.report_lost_phone import report_lost_phone
from technicians.actions.suspend import suspend
from technicians.models import EnrolmentRequest
from tenants.models import TenantGroup
from tests.browser.conftest import Desks
from tests.browser.test_every_page import look_at, none_of
from tests.support.browser import SCHEMES, Desk
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DAY = "2026-12-01"


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryPageOfALife:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        """Ana holds a full account, one on which she is the last way in, and one where all is well."""
        self.world = world
        self.ana, self.ben, self.cid = (world.technician(name) for name in ("Ana", "Ben", "Cid"))
        self.full = world.account(world.tenant("Adventure Works"))
        self.alone = world.account(world.tenant("Contoso"))
        self.plain = world.account(world.tenant("Fabrikam"), "breakfast-administrator")
        world.give(self.full, self.ana, self.ben, *(world.technician(name) for name in ("Dan", "Eve", "Fay")))
        world.give(self.alone, self.ana)
        world.give(self.plain, self.ana, self.ben)
        for account in (self.alone, self.plain):
            assign(self.cid, account, by=world.owner, reason="helps")
        self.group = TenantGroup.objects.create(reseller=world.reseller, name="Northern customers")
        self.group.tenants.add(*(a.tenant for a in (self.full, self.alone, self.plain)))

    def test_has_no_barrier_and_fits_a_phone(self, scheme: str, desks: Desks):
        none_of(self.as_manager(desks(Visitor(self.world.owner), scheme=scheme)))
        none_of(self.as_technician(desks(Visitor(self.ana, fresh=False), scheme=scheme)))

    def as_manager(self, desk: Desk) -> Iterator[str]:
        joined = self.world.technician("Gil")
        pages = {
            "person": ("technicians:detail", self.ana, ""),
            "lost phone": ("technicians:lost_phone", self.ana, ""),
            "lost phone, passwords too": ("technicians:lost_phone", self.ana, "?passwords=yes"),
            "new phone": ("technicians:new_phone", self.ana, ""),
            "suspend": ("technicians:suspend", self.ana, ""),
            "assign many": ("technicians:assign_many", joined, ""),
            "assign many, chosen": ("technicians:assign_many", joined, f"?choose=yes&groups={self.group.pk}"),
            "assign many, wrong": ("technicians:assign_many", joined, "?choose=yes&accounts=nobody@nowhere.example"),
            "nothing to enrol": ("technicians:enrolment_list_of", joined, ""),
        }
        for name, (address, person, query) in pages.items():
            desk.opens(address, person.pk, query=query)
            yield from look_at(desk, f"life {name}")
        suspend(self.ben, by=self.world.owner, reason="parental leave")
        for name, address in {"bring back": "bring_back", "suspended": "detail", "suspended twice": "suspend"}.items():
            desk.opens(f"technicians:{address}", self.ben.pk)
            yield from look_at(desk, f"life {name}")

    def as_technician(self, desk: Desk) -> Iterator[str]:
        ask_for_new_phone(self.ana, by=self.ana)
        begin_enrolment(self.ana, self.plain, by=self.ana, outside=self.world.outside)
        EnrolmentRequest.objects.filter(account=self.full).update(due_on=DAY)
        EnrolmentRequest.objects.filter(account=self.alone).update(done_at=timezone.now())
        desk.opens("technicians:enrolment_list")
        yield from look_at(desk, "life list of a new phone")
        sent = send_enrolment_link(self.ana, by=self.world.owner, base=desk.url)
        token = sent.address.rstrip("/").rpartition("/")[2]
        desk.opens("technicians:enrolment_link", token)
        yield from look_at(desk, "life link")
        desk.page.get_by_role("button", name="Open my list").click()
        desk.page.get_by_role("heading", name="My enrolment list").wait_for()
        desk.opens("technicians:enrolment_link", token)
        yield from look_at(desk, "life link used")
        desk.opens("technicians:lost_phone", self.ana.pk)
        yield from look_at(desk, "life I lost my phone")
        report_lost_phone(self.ana, by=self.ana, reason="left on the train")
        ask_to_enrol(self.ana, [self.plain], because=EnrolmentRequest.Because.LOST_PHONE, by=self.ana)
        desk.opens("technicians:enrolment_list")
        yield from look_at(desk, "life list after a loss")
        desk.opens("technicians:lost_phone", self.ana.pk)
        yield from look_at(desk, "life lost again")

    def test_the_link_that_no_server_mailed_is_shown(self, scheme: str, desks: Desks):
        ask_for_new_phone(self.ana, by=self.ana)
        none_of(self.send(desks(Visitor(self.world.owner), scheme=scheme)))

    def send(self, desk: Desk) -> Iterator[str]:
        desk.opens("technicians:enrolment_list_of", self.ana.pk)
        yield from look_at(desk, "life list for a manager")
        desk.page.get_by_role("button", name="Send the link to this list").click()
        desk.page.get_by_role("heading", name="The enrolment link").wait_for()
        yield from look_at(desk, "life link made")
