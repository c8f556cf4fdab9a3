"""A departure is asked for: who may, what is kept, what begins at once, and what is left of a part."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.bring_back import bring_back
from technicians.actions.decide_request import withdraw
from technicians.actions.ended_assignments import look_for_ended_assignments
from technicians.actions.offboard import offboard
from technicians.actions.request_departure import request_departure
from technicians.departure_times import WHEN_DISABLED, start_at
from technicians.models import (
    Assignment,
    DepartureRequest,
    EnrolmentRequest,
    Offboarding,
    Role,
    Suspension,
    Technician,
)
from tenants.models import Customer, Run, TenantGroup
from tenants.plans import RunState, StepKind, StepState
from tests.support.closed_ledger import close_the_ledger
from tests.support.departures import Scene

Status = DepartureRequest.Status


def tomorrow() -> dt.date:
    return timezone.now().date() + dt.timedelta(days=1)


class WhenNobodyHasToAgree(Scene):
    def test_a_departure_now_is_a_run_at_once_and_access_has_ended(self):
        request = self.asks()
        assert request.status == Status.STARTED
        assert request.run.kind == Run.Kind.OFFBOARDING
        assert request.run.requested_by == self.mo
        assert self.now(self.ana).status == Technician.Status.LEFT
        self.world.work(request.run)
        assert self.world.state(request.run) == RunState.CLEAN_SO_FAR
        assert self.world.gets_in(self.contoso, self.ben)

    def test_it_keeps_who_asked_and_why_and_what_was_shown(self):
        request = self.now(self.asks(reason="  resigned  "))
        assert (request.requested_by, request.reason) == (self.mo, "resigned")
        assert [one["account"] for one in request.preview["accounts"]] == [
            str(account) for account in sorted((self.contoso, self.fabrikam), key=str)
        ]
        assert request.differences == []

    def test_the_ledger_says_what_was_asked_for_and_that_it_started(self):
        request = self.asks()
        asked = Entry.objects.get(verb="departure.requested")
        started = Entry.objects.get(verb="departure.started")
        assert asked.facts["leavers"] == [self.ana.email]
        assert started.facts["requested_by"] == self.mo.email
        assert {asked.facts["request"], started.facts["request"]} == {str(request.pk)}

    def test_without_a_record_nothing_happens(self, monkeypatch: pytest.MonkeyPatch):
        close_the_ledger(monkeypatch)
        with pytest.raises(LedgerClosed):
            self.asks()
        assert not DepartureRequest.objects.exists()
        assert self.now(self.ana).is_active

    def test_offboarding_is_the_same_in_one_word(self):
        departure = offboard(self.ana, by=self.owner, reason="resigned")
        assert departure == Offboarding.objects.get(technician=self.ana)
        assert departure.run.departure_request.requested_by == self.owner


class WhoMayAsk(Scene):
    def test_nobody_without_the_right_nor_about_themselves_nor_a_manager_about_an_owner(self):
        for by, leaver in ((self.ben, self.ana), (self.mo, self.mo), (self.mo, self.owner)):
            with pytest.raises(NotPermitted):
                self.asks(leaver, by=by)
        assert not DepartureRequest.objects.exists()

    def test_all_leavers_are_asked_about_before_anything_happens(self):
        with pytest.raises(NotPermitted, match="Only an owner"):
            self.asks(self.ana, self.owner, by=self.mo)
        assert self.now(self.ana).is_active

    def test_nobody_who_sees_only_some_tenants(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        sia = self.world.technician("Sia", Role.MANAGER, groups=[group])
        with pytest.raises(NotPermitted, match="only some tenants"):
            self.asks(by=sia)

    def test_nobody_about_somebody_of_another_reseller(self):
        stranger = Technician.objects.get(pk=self.ana.pk)
        stranger.reseller_id = Customer.objects.first().pk
        with pytest.raises(NotPermitted):
            request_departure([stranger], by=self.mo, reason="x")


class WhenTheWishMakesNoSense(Scene):
    @pytest.mark.parametrize(
        ("wish", "said"),
        [
            ({"reason": " "}, "Say why Ana leaves"),
            ({"start": start_at(dt.date(2020, 1, 1), dt.time(12), "UTC")}, "That time is past"),
        ],
    )
    def test_it_is_said_and_nothing_is_saved(self, wish: dict[str, Any], said: str):
        with pytest.raises(BadInput, match=said):
            self.asks(**wish)
        assert not DepartureRequest.objects.exists()

    def test_a_second_request_about_the_same_person_is_not_taken(self):
        self.asks(start=WHEN_DISABLED)
        with pytest.raises(BadInput, match="a request about Ana already"):
            self.asks(self.ben, self.ana)
        assert DepartureRequest.objects.count() == 1

    def test_several_cannot_wait_until_one_is_disabled(self):
        with pytest.raises(BadInput, match="one person"):
            self.asks(self.ana, self.ben, start=WHEN_DISABLED)

    def test_whoever_left_cannot_leave_again(self):
        self.asks()
        with pytest.raises(BadInput, match="has left already"):
            self.asks()

    @pytest.mark.parametrize("who", ["ana", "gone", "contact"])
    def test_a_successor_has_to_stay(self, who: str):
        people = {"ana": lambda: self.ana, "gone": self.gone, "contact": self.contact}
        with pytest.raises(BadInput, match="choose somebody"):
            self.asks(successor=people[who]())

    def gone(self) -> Technician:
        self.world.offboard(self.ben)
        return self.now(self.ben)

    def contact(self) -> Technician:
        customer = self.contoso.tenant.customer
        return self.world.technician("Carl", Role.CUSTOMER_CONTACT, customer=customer)


class WhenTheSignInEndsAlreadyNow(Scene):
    """Ana's departure is for tomorrow, and she is to be out of Latchkey today."""

    @pytest.fixture(autouse=True)
    def _early(self, _scene: None) -> None:
        self.request = self.asks(start=start_at(tomorrow(), None, "UTC"), end_access_now=True)

    def test_she_is_out_of_latchkey_and_nothing_was_sent(self):
        assert self.request.status == Status.SCHEDULED
        assert self.request.access_ended_at is not None
        assert self.now(self.ana).status == Technician.Status.SUSPENDED
        assert not Assignment.objects.live().filter(technician=self.ana).exists()
        assert not Run.objects.exists()

    def test_if_it_is_given_up_she_gets_back_what_she_held(self):
        withdraw(self.request, by=self.mo, reason="she stays")
        assert not self.now(self.ana).is_active
        bring_back(Suspension.objects.get(technician=self.ana), by=self.mo)
        held = Assignment.objects.live().filter(technician=self.ana)
        assert {one.account_id for one in held} == {self.contoso.pk, self.fabrikam.pk}

    def test_what_she_held_is_still_concerned_although_nothing_is_assigned_any_more(self):
        cid = self.world.technician("Cid")
        seen_only = self.world.account(self.contoso.tenant, "second")
        self.world.give(seen_only, self.ben)
        # Cid could fetch the password of this account, and never did, nor has he an authenticator there.
        Assignment.objects.create(
            reseller=self.world.reseller, technician=cid, account=seen_only, from_at=timezone.now()
        )
        request = self.asks(cid, start=start_at(tomorrow(), None, "UTC"), end_access_now=True)
        assert [one["account"] for one in request.preview["accounts"]] == [str(seen_only)]
        withdraw(request, by=self.mo, reason="today instead")
        run = self.asks(cid).run
        assert [target.account for target in run.targets.all()] == [seen_only]


class WhenSomebodyLosesOneGroupOfTenants(Scene):
    """Contoso is in the group Gold; Ana stays and keeps Fabrikam."""

    @pytest.fixture(autouse=True)
    def _group(self, _scene: None) -> None:
        self.gold = TenantGroup.objects.create(reseller=self.world.reseller, name="Gold")
        self.gold.tenants.add(self.contoso.tenant)
        self.old_password = self.world.password_at_microsoft(self.contoso)

    def test_what_she_has_there_goes_and_the_password_is_new(self):
        run = self.asks(place=self.gold, reason="moves to another team").run
        assert run.kind == Run.Kind.MOVE
        self.world.work(run)
        assert self.world.state(run) == RunState.CLEAN_SO_FAR
        assert self.world.steps(run)[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert self.world.password_at_microsoft(self.contoso) != self.old_password
        assert self.world.gets_in(self.contoso, self.ben)

    def test_she_stays_and_keeps_the_rest(self):
        before = self.world.methods_on(self.fabrikam)
        self.world.work(self.asks(place=self.gold).run)
        assert self.now(self.ana).is_active
        assert not Offboarding.objects.exists()
        assert self.world.methods_on(self.fabrikam) == before
        held = Assignment.objects.live().filter(technician=self.ana)
        assert [one.account for one in held] == [self.fabrikam]

    def test_the_clock_that_looks_for_ended_assignments_leaves_it_to_this_run(self):
        self.asks(place=self.gold)
        look_for_ended_assignments()
        assert Run.objects.count() == 1

    def test_what_she_was_to_enrol_there_is_off_her_list(self):
        for account in (self.contoso, self.fabrikam):
            ask_to_enrol(self.ana, [account], because=EnrolmentRequest.Because.ASSIGNED, by=self.owner)
        self.asks(place=self.gold)
        left = EnrolmentRequest.objects.open().filter(technician=self.ana)
        assert [line.account for line in left] == [self.fabrikam]

    def test_a_place_where_she_has_nothing_is_said_so(self):
        silver = TenantGroup.objects.create(reseller=self.world.reseller, name="Silver")
        with pytest.raises(BadInput, match="Ana can enter no account of Silver"):
            self.asks(place=silver)

    def test_her_sign_in_is_not_ended_by_mistake(self):
        with pytest.raises(BadInput, match="keeps the sign-in"):
            self.asks(place=self.gold, end_access_now=True)


class WhenSomebodyLosesOneAccount(Scene):
    def test_only_that_account_is_concerned(self):
        request = self.asks(place=self.fabrikam)
        assert request.scope == DepartureRequest.Scope.ACCOUNT
        self.world.work(request.run)
        assert [target.account for target in request.run.targets.all()] == [self.fabrikam]
        assert self.world.gets_in(self.fabrikam, self.ben)
        assert self.world.gets_in(self.contoso, self.ana)

    def test_the_guard_keeps_the_last_way_in(self):
        alone = self.world.account(self.contoso.tenant, "alone")
        self.world.give(alone, self.ana)
        run = self.asks(place=alone).run
        assert self.world.step(run, StepKind.REMOVE_METHOD).status == StepState.BLOCKED


class WhenACustomerGoes(Scene):
    """The exit itself is told in test_customer_exit.py; here it is asked for like any departure."""

    def asks_for_exit(self, **wish: Any) -> DepartureRequest:
        customer = self.contoso.tenant.customer
        return request_departure([], place=customer, by=self.mo, **({"reason": "the contract ends"} | wish))

    def test_it_waits_for_approval_like_any_other_and_names_no_leaver(self):
        self.policy(approvals=1)
        request = self.asks_for_exit()
        assert (request.status, request.leavers.count()) == (Status.WAITING, 0)
        run = self.approves(request, self.nia)
        assert (run.kind, run.requested_by) == (Run.Kind.CUSTOMER_EXIT, self.mo)
        assert [target.account for target in run.targets.all()] == [self.contoso]
        assert self.now(self.ana).is_active

    def test_it_is_asked_for_once(self):
        self.policy(approvals=1)
        self.asks_for_exit()
        with pytest.raises(BadInput, match="asked for already"):
            self.asks_for_exit()

    def test_it_is_begun_once(self):
        self.asks_for_exit()
        with pytest.raises(BadInput, match="has begun already"):
            self.asks_for_exit()

    def test_a_customer_without_accounts_has_nothing_to_hand_over(self):
        nobody = Customer.objects.create(reseller=self.world.reseller, name="Tailspin")
        with pytest.raises(BadInput, match="no shared account here"):
            request_departure([], place=nobody, by=self.mo, reason="x")

    def test_nobody_can_be_named_as_leaving(self):
        with pytest.raises(BadInput, match="choose nobody"):
            self.asks(place=self.contoso.tenant.customer)
