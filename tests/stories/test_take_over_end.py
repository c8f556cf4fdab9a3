"""The end of a take-over: what nobody claimed goes, wherever everybody has a way in; or it is given up."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.do_take_over_task import excuse
from technicians.actions.enrol import begin_enrolment
from technicians.actions.finish_take_over import (
    cancel_take_over,
    change_take_over,
    mind_take_overs,
    reopen_take_over,
    settle_take_over,
)
from technicians.models import EnrolmentRequest, Role, TakeOver
from tenants.actions.mend import waive_step
from tenants.models import Step, TenantGroup
from tenants.plans import RunState
from tests.support.taken_over import Scene

Status = TakeOver.Status


class WhenTheEndIsDecided(Scene):
    """Ana and Ben alone hold the account; there are two phones of nobody."""

    @pytest.fixture(autouse=True)
    def _two(self, _scene: None) -> None:
        for name in ("Cid", "Dan", "Eve"):
            self.people[name].assignments.all().delete()
        self.phones = self.old(2)
        self.take_over = self.stage.start(self.account)

    def test_it_is_held_and_names_whoever_has_no_way_in(self):
        self.stage.enrols("Ana", self.account)
        with pytest.raises(BadInput, match="Ben has no way in yet"):
            self.removes(self.take_over)
        assert self.take_over.status == Status.OPEN
        assert set(self.phones) <= self.world.methods_on(self.account)

    def test_with_ben_excused_it_goes_on(self):
        self.stage.enrols("Ana", self.account)
        excuse(self.task(self.take_over, "Ben"), by=self.world.owner, reason="moves to sales")
        self.removes(self.take_over)
        self.works(self.take_over)
        assert self.take_over.status == Status.FINISHED
        assert self.world.methods_on(self.account).isdisjoint(self.phones)
        assert self.stage.gets_in("Ana", self.account)

    def test_the_old_password_stands_unless_the_manager_chose_to_change_it(self):
        before = self.world.password_at_microsoft(self.account)
        for name in ("Ana", "Ben"):
            self.stage.enrols(name, self.account)
        self.removes(self.take_over)
        self.works(self.take_over)
        assert self.world.password_at_microsoft(self.account) == before
        assert all(self.stage.gets_in(name, self.account) for name in ("Ana", "Ben"))

    def test_with_a_new_password_everybody_gets_in_by_it(self):
        before = self.world.password_at_microsoft(self.account)
        for name in ("Ana", "Ben"):
            self.stage.enrols(name, self.account)
        self.removes(self.take_over, rotate=True)
        self.works(self.take_over)
        assert self.world.password_at_microsoft(self.account) != before
        assert self.world.passwords_known(self.account)["current"] == self.world.password_at_microsoft(self.account)
        assert self.stage.gets_in("Ana", self.account)

    def test_it_takes_a_reason_and_somebody_who_sees_all_of_it(self):
        with pytest.raises(BadInput, match="Say why"):
            self.removes(self.take_over, reason=" ")
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="Elsewhere")
        scoped = self.world.technician("Sia", Role.MANAGER, groups=[group])
        for by in (self.people["Ana"], scoped):
            with pytest.raises(NotPermitted):
                self.removes(self.take_over, by=by)

    def test_an_open_enrolment_is_waited_for(self):
        self.stage.enrols("Ana", self.account)
        excuse(self.task(self.take_over, "Ben"), by=self.world.owner, reason="later")
        begin_enrolment(self.people["Ben"], self.account, by=self.people["Ben"], outside=self.stage.outside)
        with pytest.raises(BadInput, match="an enrolment is open here"):
            self.removes(self.take_over)

    def test_one_account_that_is_held_stays_and_the_other_is_done(self):
        other = self.stage.account(self.stage.tenant("Fabrikam"), holders=("Ana",))
        self.stage.old_phone(other)
        cancel_take_over(self.take_over, by=self.world.owner, reason="begin again with both")
        both = self.stage.start(self.account, other)
        self.stage.enrols("Ana", other)
        self.removes(both)
        self.works(both)
        assert both.status == Status.OPEN
        assert [row.account for row in both.accounts.filter(closed_at__isnull=True)] == [self.account]
        for name in ("Ana", "Ben"):
            self.stage.enrols(name, self.account)
        self.removes(both)
        self.works(both)
        assert both.status == Status.FINISHED
        assert len(self.world.methods_on(other)) == 1


class WhenTheRunNeedsAPerson(Scene):
    """An administrator took the app's permission away, so nothing can be removed."""

    @pytest.fixture(autouse=True)
    def _refused(self, _scene: None) -> None:
        for name in ("Ben", "Cid", "Dan", "Eve"):
            self.people[name].assignments.all().delete()
        (self.phone,) = self.old(1)
        self.take_over = self.stage.start(self.account)
        self.stage.enrols("Ana", self.account)
        self.world.cloud.faults.plan(kind="status", status=403, method="DELETE", times=50)
        self.removes(self.take_over)
        self.works(self.take_over)

    def test_the_take_over_does_not_say_that_it_is_finished(self):
        assert self.take_over.status == Status.REMOVING
        assert self.world.state(self.take_over.run) == RunState.NEEDS_ATTENTION
        assert not settle_take_over(self.take_over)

    def test_it_can_go_on_meanwhile_and_end_another_time(self):
        reopen_take_over(self.take_over, by=self.world.owner)
        assert self.take_over.status == Status.OPEN
        self.world.cloud.faults.clear()
        self.removes(self.take_over)
        self.works(self.take_over)
        assert self.take_over.status == Status.FINISHED
        assert self.phone not in self.world.methods_on(self.account)

    def test_a_gap_that_somebody_accepts_lets_it_end(self):
        for step in Step.objects.filter(
            target__run=self.take_over.run, status__in=["refused", "blocked", "unverified"]
        ):
            waive_step(step, by=self.world.owner, reason="the phone lies in the safe")
        mind_take_overs()
        self.take_over.refresh_from_db()
        assert self.take_over.status == Status.FINISHED


class WhenATakeOverIsGivenUpOrChangesHands(Scene):
    def test_nobody_is_asked_any_more_and_nothing_is_removed(self):
        self.old(2)
        take_over = self.stage.start(self.account)
        cancel_take_over(take_over, by=self.world.owner, reason="the customer leaves")
        assert take_over.status == Status.CANCELLED
        assert not EnrolmentRequest.objects.open().exists()
        assert len(self.world.methods_on(self.account)) == 2
        assert self.stage.start(self.account).status == Status.OPEN

    def test_a_successor_takes_it_over(self):
        take_over = self.stage.start(self.account)
        mia = self.world.technician("Mia", Role.MANAGER)
        change_take_over(take_over, by=self.world.owner, owner=mia, due_on=take_over.due_on)
        assert take_over.owner == mia
        entry = Entry.objects.get(verb="take_over.changed")
        assert str(mia.pk) in bytes(entry.body).decode()

    def test_an_overdue_one_may_change_hands_without_another_day(self):
        take_over = self.stage.start(self.account)
        TakeOver.objects.filter(pk=take_over.pk).update(due_on=timezone.localdate() - dt.timedelta(days=3))
        take_over.refresh_from_db()
        mia = self.world.technician("Mia", Role.MANAGER)
        change_take_over(take_over, by=self.world.owner, owner=mia, due_on=take_over.due_on)
        with pytest.raises(BadInput, match="is past"):
            change_take_over(
                take_over, by=self.world.owner, owner=mia, due_on=timezone.localdate() - dt.timedelta(days=1)
            )
