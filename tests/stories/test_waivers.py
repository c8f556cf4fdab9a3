"""A gap is accepted until a day; after it, the step needs a person again, by itself."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from msp.errors import BadInput
from msp.ledger.models import Entry
from tenants.actions.end_waivers import end_waivers
from tenants.actions.mend import retry_target, waive_step
from tenants.models import Finding, Step, Target
from tenants.plans import RunState, StepKind, StepState
from tests.pages.runs_stage import Office, settle

pytestmark = pytest.mark.django_db


def today() -> dt.date:
    return timezone.now().astimezone(dt.UTC).date()


class Scene:
    """Ana left Contoso; her phone could not be removed, and somebody accepted that."""

    @pytest.fixture(autouse=True)
    def _scene(self, db) -> None:
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.account = self.office.account(self.office.tenant("Contoso"))
        self.office.give(self.account, self.ana, self.ben)
        self.run = self.office.offboard(self.ana)
        self.removal.advance(StepState.SENDING)
        self.removal.advance(StepState.REFUSED, problem="Microsoft says no.")
        settle(self.run)

    @property
    def removal(self) -> Step:
        return Step.objects.select_related("target__account__tenant", "target__run").get(
            target__run=self.run, kind=StepKind.REMOVE_METHOD
        )

    def waive(self, until: dt.date | None = None) -> None:
        waive_step(self.removal, by=self.office.owner, reason="the phone lies in the safe", until=until)

    def days_later(self, days: int):
        return time_machine.travel(timezone.now() + dt.timedelta(days=days), tick=True)

    def findings(self):
        return Finding.objects.open().filter(kind=Finding.Kind.GAP_ENDED, account=self.account)


class WhenAGapIsAccepted(Scene):
    def test_it_holds_for_thirty_days_unless_somebody_says_otherwise(self):
        self.waive()
        assert self.removal.waived_until == today() + dt.timedelta(days=30)
        assert self.run.state == RunState.CLEAN_WITH_EXCEPTIONS

    def test_the_last_day_is_in_the_ledger(self):
        self.waive(today() + dt.timedelta(days=7))
        entry = Entry.objects.get(verb="step.waived", run_id=self.run.pk)
        assert (today() + dt.timedelta(days=7)).isoformat().encode() in bytes(entry.body)

    @pytest.mark.parametrize("days", [-1, 366])
    def test_neither_into_the_past_nor_for_longer_than_a_year(self, days):
        with pytest.raises(BadInput, match="365 days at most"):
            self.waive(today() + dt.timedelta(days=days))
        assert self.removal.status == StepState.REFUSED

    @pytest.mark.parametrize("days", [0, 365])
    def test_the_first_and_the_last_day_that_can_be_named_are_taken(self, days):
        self.waive(today() + dt.timedelta(days=days))
        assert self.removal.status == StepState.WAIVED

    def test_on_its_last_day_it_still_holds(self):
        self.waive(today() + dt.timedelta(days=7))
        with self.days_later(7):
            assert end_waivers() == 0
        assert self.removal.status == StepState.WAIVED


class WhenTheDayIsPast(Scene):
    @pytest.fixture(autouse=True)
    def _past(self, _scene):
        self.waive(today() + dt.timedelta(days=7))
        with self.days_later(8):
            self.ended = end_waivers()
            yield

    def test_the_step_needs_a_person_and_says_what_was_accepted_and_why(self):
        assert self.ended == 1
        assert self.removal.status == StepState.BLOCKED
        assert "was accepted until" in self.removal.problem
        assert "the phone lies in the safe" in self.removal.problem

    def test_the_run_is_not_clean_any_more(self):
        assert self.run.state == RunState.NEEDS_ATTENTION

    def test_a_finding_names_the_account(self):
        assert "admin@contoso.example" in self.findings().get().detail

    def test_it_is_in_the_ledger(self):
        assert Entry.objects.filter(verb="step.waiver_ended", run_id=self.run.pk).count() == 1

    def test_a_second_look_of_the_clock_changes_nothing(self):
        assert end_waivers() == 0
        assert self.findings().count() == 1

    def test_accepting_it_for_longer_ends_the_finding(self):
        self.waive()
        end_waivers()
        assert not self.findings().exists()
        assert self.run.state == RunState.CLEAN_WITH_EXCEPTIONS

    def test_trying_again_keeps_the_finding_until_the_removal_is_proven(self):
        target = Target.objects.select_related("run", "account__tenant").get(run=self.run)
        retry_target(target, by=self.office.owner)
        end_waivers()
        assert self.findings().exists()
        settle(self.run)
        end_waivers()
        assert not self.findings().exists()
