"""Every page in a real browser: light and dark, wide and narrow, without a barrier and without a complaint.

With LATCHKEY_SHOTS=directory it also keeps a picture of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from msp.access.actions import make_link
from technicians.models import Technician
from tenants.models import Run
from tests.browser.conftest import Desks
from tests.pages.addresses import TABLE, known
from tests.pages.cast import Side, make_side, url_of
from tests.support.browser import NARROW, SCHEMES, WIDE, Desk, shoot
from tests.support.source import Address
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NO_PAGES = {
    "healthz": "a line for machines",
    "reports:evidence_key": "a download",
    "technicians:accounts_like": "a fragment",
    "technicians:enrolment_link": "looked at in test_life, with a link that is good and with one that was used",
    "access:link": "looked at with a link that is good, and with one that is gone",
    "access:set_up": "leads to a page that says that the link is gone",
    "tenants:hand_over": "looked at by somebody who holds the account, in test_hand_over",
    "hand_over:open": "looked at with links in every state, in test_hand_over",
    "access:sign_in": "looked at by somebody who has not signed in",
    "access:code": "looked at by somebody who has given the password",
}


@pytest.fixture
def side(world: World) -> Side:
    """A reseller with a run that is over, one under way, one with a refused step, and an enrolment in the middle."""
    made = make_side(world, "Northwind-Toys", "Southridge-Video")
    for run in Run.objects.all():
        world.work(run)
    ben = Technician.objects.get(pk=made.hidden.objects["technician_id"])
    world.offboard(ben)
    return made


def pages() -> list[Address]:
    return [a for a in known() if "GET" in TABLE[a.name].methods and a.name not in NO_PAGES]


def look_at(desk: Desk, name: str) -> Iterator[str]:
    """What is wrong with the page that is open, wide and narrow."""
    picture = f"{name.replace(':', '-')}-{desk.scheme}"
    shoot(desk.page, f"{picture}-{WIDE[0]}")
    yield from desk.barriers()
    desk.resizes(NARROW)
    shoot(desk.page, f"{picture}-{NARROW[0]}")
    if desk.scrolls_sideways():
        yield f"{name} scrolls sideways at {NARROW[0]} pixels"
    yield from desk.barriers()
    desk.resizes(WIDE)


def none_of(found: Iterator[str]) -> None:
    """One line for each thing that is wrong, wherever it was seen first."""
    wrong = list(dict.fromkeys(found))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryPage:
    def test_of_the_inside_has_no_barrier_and_fits_a_phone(self, scheme: str, side: Side, desks: Desks):
        none_of(self.inside(desks(Visitor(side.people["owner"]), scheme=scheme), side))

    def inside(self, desk: Desk, side: Side) -> Iterator[str]:
        objects = side.own_objects("owner")
        for address in pages():
            query = f"?{TABLE[address.name].words}" if TABLE[address.name].words else ""
            answer = desk.page.goto(f"{desk.url}{url_of(address, objects)}{query}")
            assert answer is not None and answer.status == 200, address.name
            yield from look_at(desk, address.name)
        for name, url in self.other_states(side).items():
            desk.page.goto(f"{desk.url}{url}")
            yield from look_at(desk, name)

    def other_states(self, side: Side) -> dict[str, str]:
        """The same pages with something else to say."""
        running = Run.objects.order_by("started_at").last()
        gone = Technician.objects.filter(status=Technician.Status.LEFT).first()
        assert running is not None and gone is not None
        return {
            "run under way": reverse("tenants:run", args=[running.pk]),
            "somebody who left": reverse("technicians:detail", args=[gone.pk]),
            "offboarded already": reverse("technicians:offboard", args=[gone.pk]),
            "nothing found": f"{reverse('tenants:list')}?q=nothing-like-that",
            "not found": "/there-is-no-such-page",
            "a day that is none": f"{reverse('reports:access')}?on=yesterday",
        }

    def test_of_the_door_has_no_barrier_and_fits_a_phone(self, scheme: str, side: Side, desks: Desks):
        none_of(self.doors(desks(scheme=scheme), side.people["auditor"]))

    def doors(self, desk: Desk, person: Technician) -> Iterator[str]:
        password = "seven wooden horses"
        person.set_password(password)
        person.save()
        desk.opens("access:sign_in")
        yield from look_at(desk, "sign in")
        desk.page.get_by_role("button", name="Continue").click()
        yield from look_at(desk, "sign in, nothing typed")
        desk.opens("access:link", make_link(person, minutes=5))
        yield from look_at(desk, "one-time link")
        desk.opens("access:link", "not-a-token")
        yield from look_at(desk, "link gone")
        desk.opens("access:sign_in")
        desk.page.get_by_label("E-mail").fill(person.email)
        desk.page.get_by_label("Password").fill(password)
        desk.page.get_by_role("button", name="Continue").click()
        yield from look_at(desk, "first second factor")
        Visitor(person)
        desk.opens("web:dashboard")
        yield from look_at(desk, "code")

    def test_of_a_narrower_role_has_no_barrier_and_fits_a_phone(self, scheme: str, side: Side, desks: Desks):
        none_of(self.narrower(desks, scheme, side))

    def narrower(self, desks: Desks, scheme: str, side: Side) -> Iterator[str]:
        technician = desks(Visitor(side.people["technician"], fresh=False), scheme=scheme)
        technician.opens("web:dashboard")
        yield from look_at(technician, "dashboard of a technician")
        page = technician.opens("tenants:account", side.here.account.pk)
        yield from look_at(technician, "account of a technician, code asked")
        page.reload()  # taking a picture leaves traces in a page that a swap would trip over
        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_label("Your six-digit code for Latchkey").fill("no code")
        page.get_by_role("button", name="Show it").click()
        page.locator("#fresh-code-error").wait_for()
        yield from look_at(technician, "account of a technician, wrong code")
        allowed = desks(Visitor(side.people["technician"]), scheme=scheme)
        page = allowed.opens("tenants:account", side.here.account.pk)
        page.get_by_label("What do you need it for?").fill("the printer is down")
        page.get_by_role("button", name="Show it").click()
        page.locator(".secret-value").wait_for()
        yield from look_at(allowed, "account of a technician, password shown")
        contact = desks(Visitor(side.people["customer contact"]), scheme=scheme)
        for name in ("web:dashboard", "tenants:run_list", "reports:access"):
            contact.opens(name)
            yield from look_at(contact, f"{name} of a contact")


class EveryPageOfAnEmptyInstallation:
    def test_has_no_barrier_and_fits_a_phone(self, world: World, desks: Desks):
        none_of(self.lists(desks(Visitor(world.owner), scheme="dark")))

    def lists(self, desk: Desk) -> Iterator[str]:
        for address in pages():
            if not address.parameters:
                desk.opens(address.name)
                yield from look_at(desk, f"{address.name} empty")


class TheBrowser:
    """So that the tests above cannot pass because nobody listens."""

    def break_a_rule(self, desk: Desk, what: str) -> Any:
        desk.opens("access:sign_in")
        desk.page.evaluate(what)
        desk.page.wait_for_timeout(200)
        heard, desk.complaints = desk.complaints, []
        return heard

    @pytest.mark.parametrize(
        "what",
        [
            "document.body.setAttribute('style', 'color: red')",
            "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
            "document.body.append(Object.assign(document.createElement('img'), {src: 'https://elsewhere.example/'}))",
            "setTimeout(() => { throw new Error('broken') })",
            "document.head.append(Object.assign(document.createElement('script'), {src: '/static/nothing.js'}))",
        ],
    )
    def test_complains(self, what: str, desks: Desks):
        assert self.break_a_rule(desks(), what)

    def test_sees_a_barrier_and_a_page_that_is_too_wide(self, desks: Desks):
        desk = desks(size=NARROW)
        desk.opens("access:sign_in")
        assert desk.barriers() == []
        assert not desk.scrolls_sideways()
        desk.page.evaluate("document.querySelectorAll('label').forEach(label => label.remove())")
        desk.page.evaluate("document.querySelector('h1').style.width = '900px'")
        assert desk.barriers()
        assert desk.scrolls_sideways()
