"""How long it took: until access ended here, until the first and the last tenant were clean, and for most of them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from technicians.models import DepartureRequest
from tenants.clock_plans import percentile, time_gone
from tenants.clock_queries import clocks_as_facts, clocks_of, clocks_of_all
from tenants.models import Step
from tenants.plans import StepKind, StepState
from tests.pages.runs_stage import Office


def minutes(*numbers: float) -> list[dt.timedelta]:
    return [dt.timedelta(minutes=number) for number in numbers]


class ARun:
    """Ana leaves ten tenants."""

    @pytest.fixture(autouse=True)
    def _scene(self, db) -> None:
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.accounts = self.office.held_by(self.ana, self.ben, tenants=10)
        self.run = self.office.offboard(self.ana)

    def done(self, account, after: float, status: str = StepState.VERIFIED, **facts) -> None:
        """Everything on the account was read back so many minutes after the start; the second look is to come."""
        at = self.run.started_at + dt.timedelta(minutes=after)
        steps = Step.objects.filter(target__run=self.run, target__account=account)
        steps.exclude(kind=StepKind.SECOND_LOOK).update(status=status, verified_at=at, changed_at=at, **facts)

    def clocks(self):
        return clocks_of(self.run, self.office.owner, timezone.now())


class WhenNothingIsDoneYet(ARun):
    def test_access_in_latchkey_has_ended_all_the_same(self):
        clocks = self.clocks()
        assert clocks.access_ended is not None
        assert (clocks.first, clocks.last, clocks.half, clocks.most) == (None, None, None, None)
        assert (clocks.tenants_clean, clocks.tenants) == (0, 10)


class WhenTheRequestHadToWait(ARun):
    def test_access_counts_as_ended_when_the_person_could_not_sign_in_any_more(self):
        asked = self.run.started_at - dt.timedelta(minutes=30)
        request = DepartureRequest.objects.get(run=self.run)
        DepartureRequest.objects.filter(pk=request.pk).update(requested_at=asked)
        self.run.refresh_from_db()
        assert self.clocks().access_ended == dt.timedelta(minutes=30)
        DepartureRequest.objects.filter(pk=request.pk).update(access_ended_at=asked + dt.timedelta(minutes=1))
        self.run.refresh_from_db()
        assert self.clocks().access_ended == dt.timedelta(minutes=1)


class WhenSomeTenantsAreClean(ARun):
    def test_the_first_is_known_and_the_last_is_not(self):
        self.done(self.accounts[0], 3)
        self.done(self.accounts[1], 2)
        clocks = self.clocks()
        assert clocks.first == dt.timedelta(minutes=2)
        assert clocks.last is None
        assert clocks.tenants_clean == 2


class WhenEveryTenantIsClean(ARun):
    def test_half_and_nearly_all_of_them_are_told(self):
        for number, account in enumerate(self.accounts, start=1):
            self.done(account, number)
        clocks = self.clocks()
        assert [clocks.first, clocks.half, clocks.most, clocks.last] == minutes(1, 5, 10, 10)
        assert clocks.all_clean

    def test_the_facts_for_a_command_are_in_seconds(self):
        for account in self.accounts:
            self.done(account, 1)
        facts = clocks_as_facts(clocks_of_all(self.run, timezone.now()))
        assert facts["first_tenant_clean"] == facts["p95"] == 60.0
        assert facts["late_accounts"] == 0


class WhenATenantHasAnAcceptedGap(ARun):
    def test_it_does_not_count_as_clean(self):
        who = {"waived_by": self.office.owner, "waived_reason": "closes"}
        self.done(self.accounts[0], 1, StepState.WAIVED, **who)
        assert self.clocks().tenants_clean == 0


class WhenSomebodySeesOnlyAPart(ARun):
    def test_the_clocks_are_those_of_that_part(self):
        contact = self.office.person("Carl", "customer_contact", customer=self.accounts[0].tenant.customer)
        self.done(self.accounts[0], 4)
        clocks = clocks_of(self.run, contact, timezone.now())
        assert (clocks.tenants, clocks.tenants_clean, clocks.last) == (1, 1, dt.timedelta(minutes=4))


class WhenADeadlinePasses(ARun):
    def test_the_accounts_that_are_late_are_counted_and_the_next_date_is_named(self):
        self.done(self.accounts[0], 1)
        before = clocks_of(self.run, self.office.owner, self.run.started_at + dt.timedelta(hours=23))
        assert (before.late, before.next_deadline) == (0, self.run.started_at + dt.timedelta(hours=24))
        after = clocks_of(self.run, self.office.owner, self.run.started_at + dt.timedelta(hours=25))
        assert (after.late, after.next_deadline) == (9, None)


class ThePercentile:
    @pytest.mark.parametrize(
        ("numbers", "share", "is_"),
        [((1,), 0.5, 1), ((1, 2), 0.5, 1), ((1, 2, 3), 0.5, 2), ((1, 2, 3), 0.95, 3), (range(1, 101), 0.95, 95)],
    )
    def test_is_the_nearest_rank(self, numbers, share, is_):
        assert percentile(minutes(*numbers), share) == dt.timedelta(minutes=is_)

    def test_of_nothing_is_nothing(self):
        assert percentile([], 0.5) is None


class TheTimeThatIsGone:
    def test_is_in_percent_and_goes_on_after_the_end(self):
        start = timezone.now()
        hour = dt.timedelta(hours=1)
        assert [time_gone(start, start + hour, start + hour * part) for part in (0, 0.5, 1, 2)] == [0, 50, 100, 200]

    def test_of_no_time_at_all_is_over_when_it_has_come(self):
        start = timezone.now()
        assert time_gone(start, start, start) == 100
