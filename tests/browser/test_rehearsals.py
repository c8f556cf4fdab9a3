"""The pages of rehearsals in a real browser: no barrier, no complaint, and a result that fits a phone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import expect

from technicians.actions.ask_for_rehearsal import ask_for_rehearsal
from technicians.actions.rehearse import rehearse, rehearse_next
from technicians.models import Rehearsal
from tests.browser.conftest import Desks
from tests.browser.test_every_page import look_at, none_of
from tests.support.browser import SCHEMES, Desk
from tests.support.hard_cases import HardCases
from tests.support.rehearsals import foretell
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def breaks(record: dict[str, Any], *, pace: str) -> dict[str, Any]:
    raise ZeroDivisionError


@pytest.mark.parametrize("scheme", SCHEMES)
class EveryPageOfARehearsal:
    def test_has_no_barrier_and_fits_a_phone(self, scheme: str, world: World, desks: Desks):
        cases = HardCases(world)
        none_of(self.pages(desks(Visitor(world.owner), scheme=scheme), world, cases))

    def pages(self, desk: Desk, world: World, cases: HardCases) -> Iterator[str]:
        desk.opens("technicians:rehearsals")
        yield from look_at(desk, "rehearsals none")
        desk.opens("technicians:rehearse", cases.ana.pk)
        yield from look_at(desk, "rehearsal ask")
        for name, play in {
            "clean": foretell,
            "needs a person": partial(foretell, rotate_password="refused", prove="unverified"),
            "failed": breaks,
        }.items():
            asked = ask_for_rehearsal(cases.ana, by=world.owner)
            if name == "clean":
                desk.opens("technicians:rehearsal", asked.pk)
                yield from look_at(desk, "rehearsal waiting")
            rehearse(asked, play=play)
            desk.opens("technicians:rehearsal", asked.pk)
            yield from look_at(desk, f"rehearsal {name}")
        world.offboard(cases.ana)
        desk.opens("technicians:rehearsal", Rehearsal.objects.filter(status="finished").earliest("asked_at").pk)
        yield from look_at(desk, "rehearsal and real")
        desk.opens("technicians:rehearsals")
        yield from look_at(desk, "rehearsals")


class WhoWaitsForTheResult:
    def test_sees_it_without_doing_anything(self, world: World, desks: Desks):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        world.give(world.account(world.tenant("Contoso")), ana, ben)
        page = desks(Visitor(world.owner)).opens("technicians:rehearse", ana.pk)
        page.get_by_role("button", name="Rehearse").click()
        expect(page.get_by_text("It waits for a worker")).to_be_visible()
        rehearse_next(play=foretell)
        expect(page.get_by_role("heading", name="Account by account")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("Would end clean: 1 account")).to_be_visible()
