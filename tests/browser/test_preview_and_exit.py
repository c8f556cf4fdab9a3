"""The preview of a departure and the pages of a customer's exit in a real browser: no barrier, and they fit a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import timezone

from technicians.actions.assign import assign
from technicians.actions.exit_customer import exit_customer
from technicians.actions.finish_exit import finish_exit
from technicians.actions.hand_customer_over import confirm_receipt, make_package
from technicians.actions.reveal_password import reveal_password
from tenants.models import CustomerExit, SharedAccount, Step, Target, Tenant
from tenants.plans import StepKind
from tests.browser.conftest import Desks
from tests.browser.test_every_page import look_at, none_of
from tests.support.browser import SCHEMES, Desk
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryPreview:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        """Ana holds accounts of every sort: shared, the last way in, break-glass, synced, and without connection."""
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        names = ("Adventure Works", "Contoso", "Fabrikam", "Tailspin", "Wingtip Toys")
        shared, alone, glass, synced, closed = (world.account(world.tenant(name)) for name in names)
        for account in (shared, glass, synced, closed):
            world.give(account, self.ana, self.ben)
        world.give(alone, self.ana)
        assign(self.ben, alone, by=world.owner, reason="helps")
        reveal_password(self.ana, shared, reason="work", outside=world.outside)
        SharedAccount.objects.filter(pk=glass.pk).update(break_glass=True)
        SharedAccount.objects.filter(pk=synced.pk).update(synced=True, account_class="critical")
        Tenant.objects.filter(pk=closed.tenant_id).update(
            connection_problem="Nobody has consented in this tenant yet (AADSTS700016). Open the link on its page."
        )
        self.shared = shared

    def test_has_no_barrier_and_fits_a_phone(self, scheme: str, desks: Desks):
        none_of(self.seen(desks(Visitor(self.world.owner, fresh=False), scheme=scheme)))

    def seen(self, desk: Desk) -> Iterator[str]:
        for name, query in (("preview", ""), ("preview held", "?only=held"), ("preview none", "?q=nowhere")):
            desk.opens("technicians:offboard", self.ana.pk, query=query)
            yield from look_at(desk, name)
        desk.opens("technicians:exit_customer", self.shared.tenant.customer_id)
        yield from look_at(desk, "exit begin")
        going = exit_customer(self.shared.tenant.customer, by=self.world.owner, reason="They move.")
        yield from self.at(desk, going, "exit begun")
        self.world.work(going.run)
        yield from self.at(desk, going, "exit package")
        make_package(
            going, by=self.world.owner, recipient="Carla Contoso", passphrase="correct horse battery staple",
            outside=self.world.outside,
        )  # fmt: skip
        self.world.work(going.run)
        yield from self.at(desk, going, "exit confirm")
        confirm_receipt(going, by=self.world.owner, note="Carla called back from the number we know.")
        Step.objects.filter(target__run=going.run, kind=StepKind.SECOND_LOOK).update(due_at=timezone.now())
        Target.objects.filter(run=going.run).update(due_at=timezone.now())
        self.world.work(going.run)
        yield from self.at(desk, going, "exit may end")
        finish_exit(going, by=self.world.owner, reason="The contract has ended.", outside=self.world.outside)
        yield from self.at(desk, going, "exit ended")

    def at(self, desk: Desk, going: CustomerExit, name: str) -> Iterator[str]:
        desk.opens("technicians:customer_exit", going.pk)
        yield from look_at(desk, name)
