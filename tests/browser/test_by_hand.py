"""In a real browser: a person sets a password at a firewall, and another one takes a script for a tenant."""

from __future__ import annotations

import hashlib

import pytest
from playwright.sync_api import expect

from technicians.actions.assign import assign
from technicians.actions.offboard import offboard
from technicians.actions.state_authenticator import state_authenticator
from technicians.models import Technician
from tenants.actions.add_accounts import NewAccount, add_accounts
from tenants.actions.add_place import NewPlace, add_place
from tenants.actions.set_hands_off import set_hands_off
from tenants.models import Step, Tenant
from tenants.plans import MethodKind, StepKind, StepState
from tests.browser.conftest import Desks
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, shoot
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def looked_at(desk: Desk, name: str) -> list[str]:
    """What is wrong with the page that is open, wide and narrow, with a picture of each."""
    wrong = []
    for size in (WIDE, NARROW):
        desk.resizes(size)
        shoot(desk.page, f"{name}-{desk.scheme}-{size[0]}")
        wrong += desk.barriers() + (["scrolls sideways"] if desk.scrolls_sideways() else [])
    desk.resizes(WIDE)
    return [f"{name}: {each}" for each in wrong]


class Scene:
    """Ana leaves. She and Ben hold Contoso's firewall and an account in Contoso's tenant, where Latchkey only reads."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        for person in (self.ana, self.ben, world.owner):
            person.set_password("only for today")
            person.save()
        self.tenant = world.tenant("Contoso")
        account = world.account(self.tenant)
        world.give(account, self.ana, self.ben)
        set_hands_off(self.tenant, True, by=world.owner, reason="their auditor asked for it")
        self.place = add_place(
            self.tenant.customer,
            NewPlace("Contoso firewall", Tenant.System.FIREWALL, "https://fw.contoso.example/"),
            by=world.owner,
        )
        [self.firewall] = add_accounts(
            [NewAccount(self.place, "admin", owner="Ben", password="Old-Firewall-1")],
            by=world.owner,
            outside=world.outside,
            source="entered",
        )
        for who in (self.ana, self.ben):
            assign(who, self.firewall, by=world.owner, reason="on the team")
            state_authenticator(
                self.firewall, who, kind=MethodKind.SOFTWARE_OATH, label=f"{who.name}'s phone", by=world.owner
            )
        self.run = offboard(self.ana, by=world.owner, reason="resigned").run
        world.work(self.run)

    def desk(self, person: Technician, **facts: object) -> Desk:
        return self.desks(Visitor(person), **facts)

    def step(self, kind: StepKind) -> Step:
        return Step.objects.get(target__run=self.run, target__account=self.firewall, kind=kind)


class WhenAPersonDoesAStep(Scene):
    def test_the_password_is_shown_hides_again_and_is_stated_under_their_name(self):
        desk = self.desk(self.ben)
        page = desk.opens("tenants:hand_tasks")
        page.get_by_role("link", name="Change the password").click()
        page.get_by_role("button", name="Show the new password").click()
        shown = page.locator(".secret-value")
        expect(shown).to_be_visible()
        password = shown.inner_text()
        page.get_by_role("button", name="Hide now").click()
        expect(shown).to_have_count(0)
        assert self.world.passwords_known(self.firewall)["unverified"] == password
        page.get_by_label("It is done").check()
        page.get_by_role("button", name="State it under my name").click()
        expect(page.get_by_role("heading", name="Remove the authenticator")).to_be_visible()
        assert self.step(StepKind.ROTATE_PASSWORD).status == StepState.STATED
        assert desk.complaints == []

    def test_it_works_without_script(self):
        page = self.desk(self.ben, script=False).opens("tenants:hand_step", self.step(StepKind.ROTATE_PASSWORD).pk)
        page.get_by_role("button", name="Show the new password").click()
        expect(page.locator(".secret-value")).to_be_visible()


class WhenAScriptIsTaken(Scene):
    def test_the_file_is_the_one_that_was_shown(self):
        desk = self.desk(self.world.owner)
        page = desk.opens("tenants:run", self.run.pk)
        page.get_by_role("link", name="Script").first.click()
        said = page.locator("dl code").all_inner_texts()
        with page.expect_download() as taken:
            page.get_by_role("button", name="Take the script").click()
        file = taken.value.path().read_bytes()
        assert hashlib.sha256(file).hexdigest() in said
        assert desk.complaints == []


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryPageOfStepsByHandAndScripts(Scene):
    def test_has_no_barrier_and_fits(self, scheme: str):
        ben, owner = self.desk(self.ben, scheme=scheme), self.desk(self.world.owner, scheme=scheme)
        wrong = []
        for desk, name, args in (
            (ben, "hand_tasks", ()),
            (ben, "hand_step", (self.step(StepKind.ROTATE_PASSWORD).pk,)),
            (ben, "hand_step", (self.step(StepKind.REMOVE_METHOD).pk,)),
            (ben, "account", (self.firewall.pk,)),
            (ben, "place_authenticator", (self.firewall.pk,)),
            (owner, "detail", (self.place.pk,)),
            (owner, "detail", (self.tenant.pk,)),
            (owner, "new_place", (self.tenant.customer_id,)),
            (owner, "new_place_account", (self.place.pk,)),
            (owner, "hands_off", (self.tenant.pk,)),
            (owner, "run", (self.run.pk,)),
            (owner, "run_script", (self.run.pk, self.tenant.pk)),
            (owner, "run_script_ran", (self.run.pk, self.tenant.pk)),
        ):
            desk.opens(f"tenants:{name}", *args)
            wrong += looked_at(desk, f"{name}-{str(args[0])[:4] if args else ''}")
        page = ben.opens("tenants:hand_step", self.step(StepKind.ROTATE_PASSWORD).pk)
        page.get_by_role("button", name="Show the new password").click()
        expect(page.locator(".secret-value")).to_be_visible()
        wrong += looked_at(ben, "new-password")
        assert wrong == []
