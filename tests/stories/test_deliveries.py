"""Word of a run leaves the house: by mail to the people it concerns, and signed to the reseller's own server."""

from __future__ import annotations

import base64
import datetime as dt
import re

import pytest
import time_machine
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from msp.evidence import signed_bytes
from msp.vault.signing import evidence_key
from technicians.models import Role, Technician
from tenants.actions.alarms import raise_alarm
from tenants.actions.control_run import cancel_run, pause_run
from tenants.actions.deliver import tell
from tenants.actions.end_waivers import end_waivers
from tenants.actions.mend import waive_step
from tenants.actions.send_deliveries import RETRY_AFTER, send_deliveries
from tenants.actions.tell_run_ends import tell_run_ends
from tenants.models import Alarm, Delivery, DeparturePolicy, Step, TenantGroup
from tenants.plans import StepKind, StepState
from tests.pages.runs_stage import Office, settle
from tests.support.mail_server import mail_server
from tests.support.webhook_server import webhook_server

pytestmark = pytest.mark.django_db(transaction=True)

BASE = "https://latchkey.example"


class Scene:
    """Ana left two customers; mails and events have somewhere to go."""

    @pytest.fixture(autouse=True)
    def _scene(self, db, settings, tmp_path):
        with mail_server() as self.post_office, webhook_server() as self.hook:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.MAIL_FROM = "Latchkey <latchkey@reseller.example>"
            settings.MAIL_SERVER = lambda: self.post_office.reach
            settings.KEY_DIRECTORY, settings.WEBHOOKS_INSIDE = tmp_path / "keys", True
            self.settings = settings
            self.office = Office()
            self.owner, self.manager = self.office.owner, self.office.person("Mona", Role.MANAGER)
            DeparturePolicy.objects.create(reseller=self.office.reseller, webhook_url=self.hook.url)
            ana, ben = self.office.person("Ana"), self.office.person("Ben")
            self.accounts = self.office.held_by(ana, ben, tenants=2)
            self.run = self.office.offboard(ana)
            Delivery.objects.all().delete()
            yield

    def send(self, *, minutes: float = 0) -> int:
        with time_machine.travel(timezone.now() + dt.timedelta(minutes=minutes), tick=True):
            return send_deliveries(base=BASE)

    def tell(self, key="1", people=(), **facts):
        told = {"title": "The run has ended", "text": "All is well.", "path": "/runs/1/"} | facts
        with transaction.atomic():
            tell(self.office.reseller, "run.finished", key=key, facts=told, run=self.run, people=people)

    def subjects(self, person) -> list[str]:
        return [str(message["Subject"]) for message in self.post_office.to(person.email)]

    def the(self, way) -> Delivery:
        return Delivery.objects.get(way=way)


class WhenThereIsSomethingToTell(Scene):
    def test_each_person_gets_a_mail_with_what_happened_and_a_link(self):
        self.tell(people=[self.owner, self.manager])
        assert self.send() == 3
        for person in (self.owner, self.manager):
            [message] = self.post_office.to(person.email)
            assert message["Subject"] == "Latchkey: The run has ended"
            assert "All is well." in message.get_content()
            assert f"{BASE}/runs/1/" in message.get_content()

    def test_told_twice_it_is_delivered_once(self):
        self.tell(people=[self.owner])
        self.tell(people=[self.owner])
        self.send()
        self.send(minutes=10)
        assert len(self.post_office.to(self.owner.email)) == 1
        assert len(self.hook.received) == 1

    def test_another_event_is_delivered_too(self):
        self.tell("1", people=[self.owner])
        self.tell("2", people=[self.owner])
        self.send()
        assert len(self.subjects(self.owner)) == 2

    def test_what_it_is_about_is_rolled_back_with_its_cause(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            tell(self.office.reseller, "run.finished", key="3", facts={}, run=self.run, people=[self.owner])
            raise ZeroDivisionError
        assert not Delivery.objects.exists()

    def test_a_line_break_in_a_title_starts_no_header(self):
        self.tell(people=[self.owner], title="Ended\r\nBcc: somebody@elsewhere.example")
        self.send()
        [message] = self.post_office.to(self.owner.email)
        assert message["Bcc"] is None

    def test_whoever_is_gone_by_then_is_not_mailed(self):
        self.tell(people=[self.manager])
        Technician.objects.filter(pk=self.manager.pk).update(status="left", left_at=timezone.now())
        self.send()
        assert self.subjects(self.manager) == []


class WhenAnEventGoesToTheResellersServer(Scene):
    def test_its_receiver_can_check_the_signature_with_the_public_key(self):
        self.tell()
        self.send()
        [received] = self.hook.received
        payload = base64.b64decode(received.envelope["payload"])
        signature = base64.b64decode(received.envelope["signatures"][0]["sig"])
        key = evidence_key(self.settings.KEY_DIRECTORY).public_key()
        key.verify(signature, signed_bytes(received.envelope["payloadType"], payload))
        assert received.event["event"] == "run.finished"
        assert received.event["link"] == f"{BASE}/runs/1/"
        assert received.event["facts"]["title"] == "The run has ended"

    def test_a_server_that_is_down_gets_it_later_with_the_same_id(self):
        self.tell()
        self.hook.answers = 503
        self.send()
        assert "503" in self.the("webhook").problem
        self.hook.answers = 200
        self.send(minutes=2)
        first, second = self.hook.received
        assert first.event["delivery"] == second.event["delivery"] == str(self.the("webhook").pk)
        assert self.the("webhook").taken_at is not None

    def test_the_waits_grow_and_end(self):
        self.tell()
        self.hook.answers = 500
        waits = []
        at = timezone.now()
        for _ in range(len(RETRY_AFTER) + 3):
            due = self.the("webhook").due_at
            if due is None:
                break
            waits.append(max(due - at, dt.timedelta(0)))
            at = max(at, due)
            with time_machine.travel(at, tick=False):
                send_deliveries(base=BASE)
        assert waits[1:] == list(RETRY_AFTER)
        assert self.the("webhook").due_at is None
        assert "500" in self.the("webhook").problem

    def test_a_private_address_gets_nothing_unless_it_is_allowed(self):
        self.settings.WEBHOOKS_INSIDE = False
        self.tell()
        self.send()
        assert self.hook.received == []
        assert "https" in self.the("webhook").problem

    def test_a_server_that_is_down_holds_up_no_mail(self):
        self.tell(people=[self.owner])
        self.hook.answers = 500
        self.send()
        assert len(self.subjects(self.owner)) == 1


class WhenTheMailServerFails(Scene):
    @pytest.mark.parametrize("mood", ["busy", "refuses"])
    def test_a_refused_mail_is_tried_again_later(self, mood):
        self.tell(people=[self.owner])
        self.post_office.mood = mood
        self.send()
        assert self.subjects(self.owner) == []
        self.post_office.mood = "takes"
        self.send(minutes=2)
        assert len(self.subjects(self.owner)) == 1

    def test_a_mail_whose_answer_is_lost_is_not_sent_twice(self):
        self.tell(people=[self.owner])
        self.post_office.mood = "drops"
        self.send()
        self.post_office.mood = "takes"
        self.send(minutes=60)
        assert len(self.subjects(self.owner)) == 1
        assert "not known" in self.the("mail").problem

    def test_without_a_mail_server_the_event_goes_out_all_the_same(self):
        self.settings.MAIL_FROM = ""
        self.tell(people=[self.owner])
        assert self.send() == 1
        assert [delivery.way for delivery in Delivery.objects.all()] == ["webhook"]


class WhenARunComesToRest(Scene):
    def rest(self, **facts):
        steps = Step.objects.filter(target__run=self.run).exclude(kind=StepKind.SECOND_LOOK)
        steps.update(status=StepState.VERIFIED, verified_at=timezone.now(), **facts)

    def told(self) -> list[str]:
        tell_run_ends()
        self.send()
        return self.subjects(self.owner)

    def test_while_it_runs_nothing_is_said(self):
        assert self.told() == []

    def test_nor_while_it_is_paused(self):
        pause_run(self.run, by=self.owner, reason="wait")
        assert self.told() == []

    def test_whoever_asked_is_told_that_it_is_clean_so_far_and_nobody_else(self):
        self.rest()
        assert self.told() == ["Latchkey: Offboarding: Ana: Clean so far"]
        assert self.subjects(self.manager) == []

    def test_and_again_after_the_second_look(self):
        self.rest()
        self.told()
        settle(self.run)
        assert self.told()[-1] == "Latchkey: Offboarding: Ana: Clean"

    def test_what_needs_a_person_is_never_called_clean(self):
        self.rest()
        refused = Step.objects.filter(target__run=self.run, kind=StepKind.REMOVE_METHOD).first()
        Step.objects.filter(pk=refused.pk).update(status=StepState.REFUSED)
        assert self.told() == ["Latchkey: Offboarding: Ana: Needs attention"]
        [message] = self.post_office.to(self.owner.email)
        assert "clean" not in message.get_content().lower().replace("what to do", "")

    def test_a_cancelled_run_is_told_as_such(self):
        cancel_run(self.run, by=self.owner, reason="the wrong person")
        assert self.told() == ["Latchkey: Offboarding: Ana: Cancelled"]

    def test_one_state_is_told_once(self):
        self.rest()
        assert self.told() == self.told()

    def test_when_whoever_asked_is_gone_those_who_answer_for_runs_are_told(self):
        Technician.objects.filter(pk=self.owner.pk).update(status="left", left_at=timezone.now())
        self.rest()
        self.told()
        assert self.subjects(self.manager) == ["Latchkey: Offboarding: Ana: Clean so far"]

    def test_the_event_has_the_state_the_counts_and_the_clocks(self):
        self.rest()
        self.told()
        facts = self.hook.received[-1].event["facts"]
        assert (facts["state"], facts["accounts"], facts["final"]) == ("clean_so_far", 2, False)
        assert facts["clocks"]["tenants_clean"] == 2

    def test_no_password_and_no_code_is_in_any_of_it(self):
        self.rest()
        self.told()
        written = repr([received.event for received in self.hook.received])
        assert not re.search(r"sealed|secret|seed|otpauth", written)


class WhenAnAlarmIsRaised(Scene):
    def test_those_who_answer_for_the_run_are_told(self):
        raise_alarm(self.run, Alarm.Kind.OVERDUE, detail="admin@customer-000.example is late.")
        self.send()
        for person in (self.owner, self.manager):
            [message] = self.post_office.to(person.email)
            assert "The deadline is past" in message["Subject"]
            assert "admin@customer-000.example" in message.get_content()
        assert self.hook.received[-1].event["event"] == "run.alarm"

    def test_whoever_sees_some_tenants_only_is_told_without_the_names_of_accounts(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
        group.tenants.add(self.accounts[0].tenant)
        scoped = self.office.person("Sia", Role.MANAGER, groups=[group])
        raise_alarm(self.run, Alarm.Kind.OVERDUE, detail="admin@customer-001.example is late.")
        self.send()
        [message] = self.post_office.to(scoped.email)
        assert "customer-001" not in message.get_content()

    def test_whoever_sees_none_of_its_tenants_is_not(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="Elsewhere")
        scoped = self.office.person("Sia", Role.MANAGER, groups=[group])
        raise_alarm(self.run, Alarm.Kind.OVERDUE, detail="late")
        self.send()
        assert self.subjects(scoped) == []

    def test_of_one_kind_there_is_one_at_a_time(self):
        assert raise_alarm(self.run, Alarm.Kind.OVERDUE, detail="late") is not None
        assert raise_alarm(self.run, Alarm.Kind.OVERDUE, detail="late") is None
        self.send()
        assert len(self.subjects(self.owner)) == 1


class WhenAnAcceptedGapEnds(Scene):
    def test_those_who_answer_for_the_run_are_told(self):
        step = Step.objects.filter(target__run=self.run, kind=StepKind.REMOVE_METHOD).first()
        Step.objects.filter(pk=step.pk).update(status=StepState.REFUSED)
        step.refresh_from_db()
        waive_step(step, by=self.owner, reason="in the safe")
        with time_machine.travel(timezone.now() + dt.timedelta(days=31), tick=True):
            end_waivers()
            send_deliveries(base=BASE)
        assert "accepted gap has come to its end" in self.subjects(self.manager)[0]


class TheCommand:
    def test_shows_the_clocks_and_controls_a_run(self, db, capsys):
        office = Office()
        ana, ben = office.person("Ana"), office.person("Ben")
        office.held_by(ana, ben, tenants=1)
        run = office.offboard(ana)
        call_command("run", "show", str(run.pk))
        call_command("run", "pause", str(run.pk), "--reason", "wait")
        call_command("run", "resume", str(run.pk))
        call_command("run", "cancel", str(run.pk), "--reason", "the wrong person")
        said = capsys.readouterr().out
        assert "tenants clean: 0 of 1" in said
        assert "Never sent: 3." in said
