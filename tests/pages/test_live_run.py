"""The live page of a run: what it costs, what it can be narrowed to, what it says of waiting, and what is decided."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from msp.ledger.models import Entry
from technicians.models import Role
from tenants.actions.alarms import raise_alarm
from tenants.models import Alarm, Delivery, Run, Step, Target, Tenant, TenantGroup
from tenants.plans import RunState, StepKind, StepState
from tenants.run_page_queries import FRESH_SECONDS
from tests.pages.runs_stage import settle
from tests.pages.test_run_pages import Scene
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


class WhenNothingHasMovedSinceTheLastFragment(Scene):
    def seen(self) -> str:
        return re.search(r'hx-get="([^"]+seen=[^"]+)"', self.page()).group(1).replace("&amp;", "&")

    def ask(self, url, visitor=None):
        return (visitor or self.visitor).get(url, headers={"HX-Request": "true", "HX-Target": "progress"})

    def test_the_answer_is_empty_and_the_page_stays_as_it_is(self):
        with time_machine.travel(self.run.started_at, tick=False):
            answer = self.ask(self.seen())
        assert (answer.status_code, answer.content) == (204, b"")

    def test_as_soon_as_a_step_moves_it_is_told(self):
        with time_machine.travel(self.run.started_at, tick=False):
            url = self.seen()
        with time_machine.travel(self.run.started_at + dt.timedelta(seconds=1), tick=False):
            self.step(StepKind.REMOVE_METHOD).advance(StepState.SENDING)
        with time_machine.travel(self.run.started_at, tick=False):
            assert self.ask(url).status_code == 200

    def test_what_speaks_of_the_time_is_told_again_after_some_seconds(self):
        with time_machine.travel(self.run.started_at, tick=False):
            url = self.seen()
        with time_machine.travel(self.run.started_at + dt.timedelta(seconds=FRESH_SECONDS), tick=False):
            assert self.ask(url).status_code == 200

    def test_many_viewers_cost_a_handful_of_queries_each(self, django_assert_max_num_queries):
        with time_machine.travel(self.run.started_at, tick=False):
            url = self.seen()
            with django_assert_max_num_queries(8):
                self.ask(url)

    def test_another_reader_is_not_told_that_nothing_changed(self):
        with time_machine.travel(self.run.started_at, tick=False):
            other = Visitor(self.office.person("Aud", Role.AUDITOR))
            assert self.ask(self.seen(), other).status_code == 200


class WhenAReaderFilters(Scene):
    @pytest.fixture(autouse=True)
    def _states(self, _scene):
        settle(self.run)
        refused = self.step(StepKind.REMOVE_METHOD, self.fabrikam)
        Step.objects.filter(pk=refused.pk).update(status=StepState.REFUSED)

    def shown(self, query, person=None) -> set[str]:
        page = (Visitor(person) if person else self.visitor).get(f"{self.url}?{query}").content.decode()
        return {name for name in ("contoso", "fabrikam") if f"admin@{name}.example</code>" in page}

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("", {"contoso", "fabrikam"}),
            ("show=person", {"fabrikam"}),
            ("show=done", {"contoso"}),
            ("show=under_way", set()),
            ("show=exceptions", set()),
            ("show=overdue", set()),
            ("q=conto", {"contoso"}),
            ("q=FABRIKAM", {"fabrikam"}),
            ("q=nowhere", set()),
            ("show=person&q=contoso", set()),
            ("show=nonsense", {"contoso", "fabrikam"}),
            ("q=%00", {"contoso", "fabrikam"}),
        ],
    )
    def test_only_what_fits_is_shown(self, query, names):
        assert self.shown(query) == names

    def test_past_the_deadline_shows_those_whose_access_is_left(self):
        with time_machine.travel(self.run.started_at + dt.timedelta(hours=25), tick=False):
            self.visitor = Visitor(self.office.owner)
            assert self.shown("show=overdue") == {"fabrikam"}

    def test_mine_are_the_accounts_that_the_reader_holds(self):
        self.office.assign(self.contoso, self.office.owner)
        assert self.shown("mine=1") == {"contoso"}

    def test_what_was_asked_survives_the_next_fragment(self):
        Step.objects.filter(target__run=self.run, kind=StepKind.PROVE).update(status=StepState.PLANNED)
        page = self.visitor.get(f"{self.url}?show=person&q=fabri").content.decode()
        assert "show=person&amp;q=fabri&amp;seen=" in page

    def test_nothing_fits_is_said_and_leads_back(self):
        page = self.visitor.get(f"{self.url}?q=nowhere").content.decode()
        assert "No account fits" in page


class WhenAPersonControlsTheRun(Scene):
    def url_of(self, act):
        return reverse(f"tenants:run_{act}", args=[self.run.pk])

    def state(self):
        return Run.objects.with_counts().get(pk=self.run.pk).state

    @pytest.mark.parametrize(
        ("act", "count"),
        [("pause", "hold back 6 changes"), ("cancel", "never send 6 changes"), ("resume", "6 changes")],
    )
    def test_the_page_names_the_count_before_anything_happens(self, act, count):
        assert count in self.visitor.get(self.url_of(act)).content.decode()
        assert self.state() == RunState.RUNNING

    def test_paused_it_says_who_and_why_and_offers_to_go_on(self):
        self.visitor.post(self.url_of("pause"), {"reason": "the customer called"})
        page = self.page()
        assert self.state() == RunState.PAUSED
        assert "Paused by Olga" in page
        assert "the customer called" in page
        assert self.url_of("resume") in page
        assert "6 changes are held back." in page

    def test_resumed_it_runs_again(self):
        self.visitor.post(self.url_of("pause"), {"reason": "the customer called"})
        self.visitor.post(self.url_of("resume"))
        assert self.state() == RunState.RUNNING

    def test_cancelled_it_says_what_was_done_and_what_stands(self):
        rotated = self.step(StepKind.ROTATE_PASSWORD)
        Step.objects.filter(pk=rotated.pk).update(status=StepState.VERIFIED, verified_at=timezone.now())
        answer = self.visitor.post(self.url_of("cancel"), {"reason": "the wrong person"}, follow=True)
        page = answer.content.decode()
        assert "1 change was done and stays done" in page
        assert "5 were never sent" in page
        assert "Cancelled by Olga" in page
        assert "Try again" not in page

    @pytest.mark.parametrize("act", ["pause", "cancel"])
    def test_without_a_fresh_code_nothing_happens(self, act):
        answer = Visitor(self.office.owner, fresh=False).post(self.url_of(act), {"reason": "x", "code": "000000"})
        assert answer.status_code == 422
        assert self.state() == RunState.RUNNING

    def test_whoever_sees_only_some_of_its_tenants_may_not(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
        group.tenants.add(self.contoso.tenant)
        manager = Visitor(self.office.person("Mia", Role.MANAGER, groups=[group]))
        answer = manager.post(self.url_of("cancel"), {"reason": "x"})
        assert answer.status_code == 403
        assert self.state() == RunState.RUNNING

    def test_an_auditor_sees_no_such_button(self):
        page = Visitor(self.office.person("Aud", Role.AUDITOR)).get(self.url).content.decode()
        assert self.url_of("pause") not in page

    def test_everything_refused_is_tried_again_with_one_press(self):
        settle(self.run)
        Step.objects.filter(target__run=self.run, kind=StepKind.REMOVE_METHOD).update(status=StepState.REFUSED)
        answer = self.visitor.post(self.url_of("retry_all"), follow=True)
        assert "2 steps on 2 accounts are planned again." in answer.content.decode()


class WhenAnAccountWaits(Scene):
    def wait(self, **facts):
        Target.objects.filter(run=self.run, account=self.contoso).update(**facts)

    def test_throttling_is_named_with_the_time_of_the_next_try(self):
        until = timezone.now() + dt.timedelta(minutes=3)
        Tenant.objects.filter(pk=self.contoso.tenant_id).update(busy_until=until)
        page = self.page()
        assert "Microsoft asked for patience in this tenant." in page
        assert f"{until:%H:%M:%S}" in page

    def test_a_tenant_that_cannot_be_reached_tells_how_often_it_was_tried(self):
        self.wait(tries=3, problem="No route.", due_at=timezone.now() + dt.timedelta(minutes=1))
        assert "The tenant could not be reached, 3 times so far." in self.page()

    def test_a_reading_that_lags_is_not_called_done(self):
        removal = self.step(StepKind.REMOVE_METHOD)
        Step.objects.filter(pk=removal.pk).update(status=StepState.ACCEPTED, looks=2)
        page = self.page()
        assert "2 readings do not show it yet" in page
        assert "calls it done only when it sees it" in page

    def test_a_refusal_says_what_it_means_and_what_to_do_next_and_where(self):
        removal = self.step(StepKind.REMOVE_METHOD)
        words = "Microsoft did not allow removing it (it answered 403 accessDenied). Grant it and try again."
        Step.objects.filter(pk=removal.pk).update(status=StepState.REFUSED, problem=words)
        page = self.page()
        assert "The app lacks a permission here" in page
        assert reverse("tenants:check", args=[self.contoso.tenant_id]) in page

    def test_the_deadline_stands_beside_the_account(self):
        deadline = Target.objects.get(run=self.run, account=self.contoso).deadline_at
        assert f"{deadline:%Y-%m-%d %H:%M}" in self.page()


class WhenThereIsAnAlarm(Scene):
    @pytest.fixture(autouse=True)
    def _alarm(self, _scene):
        detail = "admin@contoso.example and admin@fabrikam.example are late."
        self.alarm = raise_alarm(self.run, Alarm.Kind.OVERDUE, detail=detail)

    def places(self):
        return [self.url, reverse("tenants:run_list"), reverse("web:dashboard")]

    def test_it_stands_on_the_dashboard_the_list_and_the_run(self):
        for url in self.places():
            page = self.visitor.get(url).content.decode()
            assert "The deadline is past" in page, url
            assert "admin@fabrikam.example are late" in page, url
            assert "1 open alarm" in page, url

    def test_whoever_sees_some_tenants_reads_no_names_of_the_others(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
        group.tenants.add(self.contoso.tenant)
        manager = Visitor(self.office.person("Mia", Role.MANAGER, groups=[group]))
        for url in self.places():
            page = manager.get(url).content.decode()
            assert "The deadline is past" in page, url
            assert "fabrikam" not in page, url

    def test_it_goes_when_somebody_has_seen_to_it(self):
        self.visitor.post(reverse("tenants:run_alarm_seen_to", args=[self.alarm.pk]))
        for url in self.places():
            assert "The deadline is past" not in self.visitor.get(url).content.decode(), url

    def test_a_customers_contact_is_not_alarmed(self):
        contact = self.office.person("Carl", Role.CUSTOMER_CONTACT, customer=self.contoso.tenant.customer)
        assert "The deadline is past" not in Visitor(contact).get(self.url).content.decode()


class WhenNoWorkerRuns(Scene):
    def test_a_run_that_stands_still_is_shown_without_any_clock(self):
        with time_machine.travel(self.run.started_at + dt.timedelta(minutes=16), tick=False):
            visitor = Visitor(self.office.owner)
            for url in (self.url, reverse("tenants:run_list"), reverse("web:dashboard")):
                page = visitor.get(url).content.decode()
                assert "The run has not moved for 15 minutes" in page, url
                assert "worker or beat are not running" in page, url


class WhenAGapIsAcceptedUntilADay(Scene):
    @pytest.fixture(autouse=True)
    def _refused(self, _scene):
        self.refused = self.step(StepKind.REMOVE_METHOD)
        Step.objects.filter(pk=self.refused.pk).update(status=StepState.REFUSED)
        self.waive_url = reverse("tenants:run_waive", args=[self.refused.pk])

    def test_the_form_offers_thirty_days(self):
        day = timezone.now().astimezone(dt.UTC).date() + dt.timedelta(days=30)
        assert f'value="{day.isoformat()}"' in self.visitor.get(self.waive_url).content.decode()

    def test_the_page_of_the_run_says_until_when(self):
        day = timezone.now().astimezone(dt.UTC).date() + dt.timedelta(days=7)
        self.visitor.post(self.waive_url, {"reason": "in the safe", "until": day.isoformat()})
        assert f"Accepted by Olga until {day.isoformat()}: in the safe" in self.page()

    @pytest.mark.parametrize("until", ["tomorrow", "2031-02-30", "1999-01-01", "9999-12-31"])
    def test_what_is_no_day_or_too_far_is_refused_and_nothing_is_lost(self, until):
        answer = self.visitor.post(self.waive_url, {"reason": "in the safe", "until": until})
        assert answer.status_code == 422
        assert "in the safe" in answer.content.decode()
        assert Step.objects.get(pk=self.refused.pk).status == StepState.REFUSED


class WhenPeopleWereToldOfTheRun(Scene):
    @pytest.fixture(autouse=True)
    def _told(self, _scene):
        Delivery.objects.all().delete()
        Delivery.objects.create(
            reseller=self.office.reseller, run=self.run, way="webhook", about="run.finished", key="1",
            address="https://hooks.example/", facts={"title": "The run has ended"},
            problem="hooks.example answered 500.",
        )  # fmt: skip

    def test_whoever_answers_for_it_sees_what_did_not_arrive(self):
        page = self.page()
        assert "The run has ended" in page
        assert "hooks.example answered 500" in page
        assert "no, and it is not tried again" in page

    def test_an_auditor_and_a_contact_do_not(self):
        contact = self.office.person("Carl", Role.CUSTOMER_CONTACT, customer=self.contoso.tenant.customer)
        for person in (contact, self.office.person("Aud", Role.AUDITOR)):
            assert "hooks.example" not in Visitor(person).get(self.url).content.decode()


class WhenTheClassOfAnAccountIsSet(Scene):
    @pytest.fixture(autouse=True)
    def _place(self, _scene):
        self.class_url = reverse("tenants:account_class", args=[self.contoso.pk])

    def test_the_account_says_how_soon_access_must_be_gone_from_now_on(self):
        answer = self.visitor.post(self.class_url, {"account_class": "critical"}, follow=True)
        assert answer.content.decode().count("Critical: within 1 hour") == 2
        assert Entry.objects.filter(verb="account.changed", account_id=self.contoso.pk).count() == 1

    def test_the_run_under_way_keeps_its_deadline(self):
        before = Target.objects.get(run=self.run, account=self.contoso).deadline_at
        self.visitor.post(self.class_url, {"account_class": "critical"})
        assert Target.objects.get(run=self.run, account=self.contoso).deadline_at == before

    def test_what_is_no_class_changes_nothing(self):
        answer = self.visitor.post(self.class_url, {"account_class": "urgent"})
        assert answer.status_code == 422
        assert "There is no such class" in answer.content.decode()

    def test_a_technician_may_not(self):
        assert Visitor(self.ben).get(self.class_url).status_code == 403
