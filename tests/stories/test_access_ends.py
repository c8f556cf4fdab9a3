"""What a leaver loses inside Latchkey, and when: all of it, in the transaction that starts the run."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user
from django.db import transaction

from msp.access.actions import make_link
from msp.access.models import OneTimeLink, TotpDevice
from msp.errors import LedgerClosed, NotPermitted
from technicians.actions import end_access as ending
from technicians.actions.enrol import begin_enrolment
from technicians.actions.reveal_password import reveal_password
from technicians.models import Assignment, Enrolment, Offboarding, Reveal, Technician
from tenants.actions.observe_account import observe_account
from tenants.models import Run
from tests.support.closed_ledger import close_the_ledger
from tests.support.world import World, second_factor_of


class Scene:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)


class WhenTheRunStarts(Scene):
    def test_assignments_end_and_the_history_stays(self):
        self.world.offboard(self.ana)
        [assignment] = Assignment.objects.filter(technician=self.ana)
        assert assignment.until_at is not None
        assert not Assignment.objects.live().filter(technician=self.ana).exists()

    def test_sign_in_second_factors_and_links_are_gone(self):
        self.ana.set_password("a very long password")
        self.ana.save()
        second_factor_of(self.world, self.ana)
        make_link(self.ana, minutes=60)
        self.world.offboard(self.ana)
        self.ana.refresh_from_db()
        assert not self.ana.is_active
        assert not self.ana.has_usable_password()
        assert not TotpDevice.objects.filter(user=self.ana).exists()
        assert not OneTimeLink.objects.filter(person=self.ana).exists()

    def test_a_session_that_is_open_dies_with_the_next_click(self, client: Any):
        second_factor_of(self.world, self.ana)
        client.force_login(self.ana, backend="django.contrib.auth.backends.ModelBackend")
        self.world.offboard(self.ana)
        request = type("Request", (), {"session": client.session})()
        assert get_user(request).is_anonymous

    def test_nothing_can_be_revealed_any_more(self):
        reveal_password(self.ana, self.account, reason="work", outside=self.world.outside)
        self.world.offboard(self.ana)
        with pytest.raises(NotPermitted):
            reveal_password(self.ana, self.account, reason="work", outside=self.world.outside)
        assert Reveal.objects.filter(technician=self.ana).count() == 1

    def test_an_open_enrolment_is_cancelled(self):
        enrolment = begin_enrolment(self.ana, self.account, by=self.ana, outside=self.world.outside)
        self.world.offboard(self.ana)
        enrolment.refresh_from_db()
        assert enrolment.status == Enrolment.Status.CANCELLED

    def test_she_sees_nothing(self):
        self.world.offboard(self.ana)
        self.ana.refresh_from_db()
        assert not type(self.account).objects.visible_to(self.ana).exists()


class IfTheLedgerCannotBeWritten(Scene):
    """No record, no act."""

    def test_the_departure_does_not_begin_and_nothing_ends(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: object, **__: object) -> None:
            raise LedgerClosed("the ledger is closed")

        monkeypatch.setattr(ending, "record", closed)
        with pytest.raises(LedgerClosed), transaction.atomic():
            self.world.offboard(self.ana)
        self.ana.refresh_from_db()
        assert self.ana.status == Technician.Status.ACTIVE
        assert Assignment.objects.live().filter(technician=self.ana).exists()
        assert not Run.objects.exists()
        assert not Offboarding.objects.exists()

    def test_no_password_is_shown(self, monkeypatch: pytest.MonkeyPatch):
        close_the_ledger(monkeypatch)
        with pytest.raises(LedgerClosed), transaction.atomic():
            reveal_password(self.ana, self.account, reason="work", outside=self.world.outside)
        assert not Reveal.objects.exists()

    def test_nothing_is_sent_to_microsoft(self, monkeypatch: pytest.MonkeyPatch):
        run = self.world.offboard(self.ana).run
        close_the_ledger(monkeypatch)
        with pytest.raises(LedgerClosed):
            self.world.work(run)
        assert {e.kind for e in self.world.cloud.effects if e.by == "graph"} == set()


class WhatALeaverSaw(Scene):
    def test_accounts_whose_password_in_force_she_revealed_are_concerned_even_without_an_assignment(self):
        other = self.world.account(self.world.tenant("Fabrikam"))
        self.world.give(other, self.ana, self.ben)
        reveal_password(self.ana, other, reason="work", outside=self.world.outside)
        Assignment.objects.filter(technician=self.ana, account=other).delete()
        other_method = self.world.phones[other.pk, self.ana.pk].method_id
        self.world.cloud.remove_method_as_person(self.world.directory_id(other), other.object_id, other_method)
        observe_account(other, outside=self.world.outside)
        run = self.world.offboard(self.ana).run
        assert run.targets.filter(account=other).exists()
