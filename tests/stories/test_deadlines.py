"""Each account has a time by which the leaver's access must be gone; the clock warns, and then says it aloud."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from msp.errors import BadInput
from msp.ledger.models import Entry
from tenants.actions.alarms import see_to_alarm
from tenants.actions.change_account import change_account
from tenants.actions.mend import waive_step
from tenants.actions.watch_deadlines import watch_deadlines
from tenants.models import Alarm, Finding, SharedAccount, Step, Target
from tenants.plans import StepKind, StepState
from tests.pages.runs_stage import Office, settle

pytestmark = pytest.mark.django_db


class Scene:
    """Ana leaves a critical account (one hour) and a standard one (a day)."""

    @pytest.fixture(autouse=True)
    def _scene(self, db) -> None:
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.critical = self.office.account(self.office.tenant("Contoso"), "critical")
        self.standard = self.office.account(self.office.tenant("Fabrikam"), "standard")
        SharedAccount.objects.filter(pk=self.critical.pk).update(account_class="critical")
        for account in (self.critical, self.standard):
            self.office.give(account, self.ana, self.ben)
        self.run = self.office.offboard(self.ana)

    def watch(self, minutes: float) -> None:
        """The clock looks so many minutes after the start."""
        with time_machine.travel(self.run.started_at + dt.timedelta(minutes=minutes), tick=True):
            watch_deadlines()

    def alarms(self) -> dict[str, Alarm]:
        return {alarm.kind: alarm for alarm in Alarm.objects.open().filter(run=self.run)}

    def overdue(self) -> set[str]:
        found = Finding.objects.open().filter(kind=Finding.Kind.OVERDUE).select_related("account")
        return {finding.account.user_principal_name for finding in found}

    def done(self, account) -> None:
        now = timezone.now()
        steps = Step.objects.filter(target__run=self.run, target__account=account)
        steps.update(status=StepState.VERIFIED, verified_at=now)


class WhenAnOffboardingStarts(Scene):
    def test_each_account_gets_the_time_of_its_class(self):
        within = {t.account_id: t.deadline_at - self.run.started_at for t in Target.objects.filter(run=self.run)}
        assert within == {self.critical.pk: dt.timedelta(hours=1), self.standard.pk: dt.timedelta(hours=24)}

    def test_nothing_is_said_before_half_of_the_time(self):
        self.watch(29)
        assert self.alarms() == {}


class WhenTheTimeOfAnAccountRunsOut(Scene):
    def test_at_half_of_it_the_account_is_named_and_no_other(self):
        self.watch(31)
        assert list(self.alarms()) == [Alarm.Kind.HALF]
        assert "critical@contoso.example" in self.alarms()["half"].detail
        assert "standard@" not in self.alarms()["half"].detail

    def test_at_four_fifths_the_first_alarm_gives_way_to_the_second(self):
        self.watch(31)
        self.watch(49)
        assert list(self.alarms()) == [Alarm.Kind.NEARLY]

    def test_at_the_deadline_there_is_an_alarm_and_a_finding_on_the_account(self):
        self.watch(61)
        assert list(self.alarms()) == [Alarm.Kind.OVERDUE]
        assert "critical@contoso.example" in self.alarms()["overdue"].detail
        assert self.overdue() == {"critical@contoso.example"}

    def test_each_warning_comes_once(self):
        for minutes in (31, 32, 33):
            self.watch(minutes)
        assert Entry.objects.filter(verb="alarm.raised", run_id=self.run.pk).count() == 1

    def test_what_a_person_has_seen_to_does_not_come_back_for_the_same_accounts(self):
        self.watch(61)
        see_to_alarm(self.alarms()["overdue"], by=self.office.owner)
        self.watch(62)
        assert self.alarms() == {}

    def test_an_account_that_follows_is_added_to_the_alarm(self):
        self.watch(61)
        self.watch(24 * 60 + 1)
        assert "critical@" in self.alarms()["overdue"].detail
        assert "standard@" in self.alarms()["overdue"].detail
        assert self.overdue() == {"critical@contoso.example", "standard@fabrikam.example"}


class WhenTheAccessIsGoneInTime(Scene):
    def test_nothing_is_said_of_it(self):
        self.done(self.critical)
        self.watch(61)
        assert self.alarms() == {}
        assert self.overdue() == set()

    def test_an_open_warning_ends_with_it(self):
        self.watch(31)
        self.done(self.critical)
        self.watch(32)
        assert self.alarms() == {}


class WhenTheAccessGoesTooLate(Scene):
    def test_alarm_and_finding_end_by_themselves(self):
        self.watch(61)
        self.done(self.critical)
        self.watch(62)
        assert self.alarms() == {}
        assert self.overdue() == set()


class WhenAPersonAcceptedTheGap(Scene):
    def test_the_clock_has_nothing_to_say(self):
        settle(self.run)
        removal = Step.objects.get(target__account=self.critical, kind=StepKind.REMOVE_METHOD)
        Step.objects.filter(pk=removal.pk).update(status=StepState.REFUSED)
        self.watch(61)
        assert list(self.alarms()) == [Alarm.Kind.OVERDUE]
        removal.refresh_from_db()
        waive_step(removal, by=self.office.owner, reason="the phone was destroyed")
        self.watch(62)
        assert self.alarms() == {}


class WhenTheClassOfAnAccountIsChanged(Scene):
    def test_the_next_run_has_the_new_time(self):
        change_account(self.standard, by=self.office.owner, account_class="high")
        self.office.give(self.standard, cid := self.office.person("Cid"))
        run = self.office.offboard(cid)
        assert run.targets.get().deadline_at == run.started_at + dt.timedelta(hours=4)

    def test_a_class_that_does_not_exist_is_refused(self):
        with pytest.raises(BadInput, match="class"):
            change_account(self.standard, by=self.office.owner, account_class="urgent")
        self.standard.refresh_from_db()
        assert self.standard.account_class == "standard"
