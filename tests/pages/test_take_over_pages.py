"""The pages of a take-over: the list, a new one, its progress, one freed place, and its end."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone

from technicians.actions.remind_of_take_overs import remind_of_take_overs
from technicians.models import Authenticator, EnrolmentRequest, Role, TakeOver, TakeOverTask
from tenants.models import Run, SharedAccount, TenantGroup
from tests.pages.runs_stage import Office
from tests.support.mail_server import mail_server
from tests.support.taken_over import TakenOver
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db


class Scene:
    """Ana and Ben hold Contoso's account; Ana has a method of her own, Ben has none, and one is nobody's."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.mia = self.office.person("Mia", Role.MANAGER)
        self.account = self.read(self.office.account(self.office.tenant("Contoso")))
        self.office.give(self.account, self.ana)
        Authenticator.objects.update(proof="proven")
        self.office.assign(self.account, self.ben)
        self.old = self.office.method(self.account, "an old phone")

    def read(self, account: SharedAccount) -> SharedAccount:
        """As if it had been read a moment ago, so that nobody asks a cloud that is not there."""
        SharedAccount.objects.filter(pk=account.pk).update(observed_at=timezone.now())
        account.refresh_from_db()
        return account

    def form(self, **facts: Any) -> dict[str, Any]:
        due_on = timezone.localdate() + dt.timedelta(days=14)
        return {
            "name": "Contoso, autumn", "reason": "nobody knows whose", "places": "contoso.example",
            "due_on": due_on.isoformat(), "owner": str(self.mia.pk),
        } | facts  # fmt: skip

    def started(self, **facts: Any) -> TakeOver:
        answer = Visitor(self.mia).post(reverse("technicians:take_over_start"), self.form(**facts))
        assert answer.status_code == 302, answer.content.decode()
        return TakeOver.objects.latest("started_at")

    def url(self, name: str, *args: Any) -> str:
        return reverse(f"technicians:{name}", args=args)

    def text(self, person: Any, url: str) -> str:
        return " ".join(Visitor(person).get(url).content.decode().split())

    def task(self, person: Any) -> TakeOverTask:
        return TakeOverTask.objects.get(technician=person)


class WhenATakeOverIsStarted(Scene):
    def test_a_tenant_by_its_domain_brings_its_accounts_and_asks_their_holders(self):
        take_over = self.started()
        assert [row.account for row in take_over.accounts.all()] == [self.account]
        assert {task.technician: task.status for task in TakeOverTask.objects.all()} == {
            self.ana: "excused",
            self.ben: "open",
        }
        assert EnrolmentRequest.objects.get().technician == self.ben

    def test_group_tenant_and_account_add_up_and_count_once(self):
        fabrikam = self.read(self.office.account(self.office.tenant("Fabrikam")))
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="Both")
        group.tenants.add(self.account.tenant)
        places = f"contoso.example\n\n{fabrikam.user_principal_name.upper()}\n"
        take_over = self.started(group=str(group.pk), places=places)
        assert {row.account for row in take_over.accounts.all()} == {self.account, fabrikam}

    def test_break_glass_accounts_are_left_out(self):
        special = self.office.account(self.account.tenant, "fire")
        SharedAccount.objects.filter(pk=special.pk).update(break_glass=True)
        assert [row.account for row in self.started().accounts.all()] == [self.account]

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"places": "nowhere.example"}, "Nothing that you see has this name: nowhere.example"),
            ({"places": ""}, "Choose a group, a tenant or an account"),
            ({"due_on": "2020-01-01"}, "is past"),
            ({"due_on": "soon"}, "Enter a valid date"),
            ({"reason": ""}, "This field is required"),
        ],
    )
    def test_what_is_wrong_is_said_and_what_was_typed_stays(self, wrong: dict[str, str], says: str):
        answer = Visitor(self.mia).post(self.url("take_over_start"), self.form(**wrong))
        assert answer.status_code == 422
        page = answer.content.decode()
        assert says in page
        assert "Contoso, autumn" in page
        assert not TakeOver.objects.exists()

    def test_only_managers_may(self):
        for person in (self.ana, self.office.person("Aud", Role.AUDITOR)):
            assert Visitor(person).get(self.url("take_over_start")).status_code == 403

    def test_the_address_may_name_a_tenant_to_begin_with(self):
        page = self.text(self.mia, f"{self.url('take_over_start')}?tenant={self.account.tenant_id}")
        assert "contoso.example</textarea>" in page


class WhenSomebodyLooksHowFarItIs(Scene):
    @pytest.fixture(autouse=True)
    def _started(self, _scene: None) -> None:
        self.take_over = self.started()
        self.place = self.url("take_over", self.take_over.pk)

    def test_it_counts_people_and_methods_and_names_who_is_missing(self):
        page = self.text(self.mia, self.place)
        assert "1 of 2 done, 1 still to do" in page
        assert "1 unknown" in page
        assert "Has to enrol or claim" in page
        assert "an old phone" in page

    def test_an_auditor_sees_it_without_any_button(self):
        page = self.text(self.office.person("Aud", Role.AUDITOR), self.place)
        assert "Has to enrol or claim" in page
        assert "Remove what is unknown" not in page
        assert '<form action="/technicians/take-overs' not in page

    def test_a_technician_has_no_such_page(self):
        assert Visitor(self.ben).get(self.place).status_code == 403

    def test_it_stands_in_the_list(self):
        page = self.text(self.mia, self.url("take_overs"))
        assert self.place in page
        assert "0 of 1" in page

    def test_one_that_is_late_says_so(self):
        TakeOver.objects.update(due_on=timezone.localdate() - dt.timedelta(days=1))
        assert "This was to be done by" in self.text(self.mia, self.place)
        assert "Overdue" in self.text(self.mia, self.url("take_overs"))

    def test_somebody_is_excused_and_asked_again(self):
        excuse = self.url("take_over_excuse", self.task(self.ben).pk)
        Visitor(self.mia).post(excuse, {"reason": "moves to sales"})
        assert self.task(self.ben).status == "excused"
        assert "moves to sales" in self.text(self.mia, self.place)
        Visitor(self.mia).post(self.url("take_over_ask_again", self.task(self.ben).pk))
        assert self.task(self.ben).status == "open"

    def test_an_excuse_without_a_reason_is_told_and_changes_nothing(self):
        answer = Visitor(self.mia).post(self.url("take_over_excuse", self.task(self.ben).pk), follow=True)
        assert "Say why Ben needs none" in answer.content.decode()
        assert self.task(self.ben).status == "open"

    def test_day_and_owner_change(self):
        day = timezone.localdate() + dt.timedelta(days=40)
        form = {"due_on": day.isoformat(), "owner": str(self.office.owner.pk)}
        Visitor(self.mia).post(self.url("take_over_change", self.take_over.pk), form)
        self.take_over.refresh_from_db()
        assert (self.take_over.due_on, self.take_over.owner) == (day, self.office.owner)
        answer = Visitor(self.mia).post(self.url("take_over_change", self.take_over.pk), form | {"due_on": "never"})
        assert answer.status_code == 422

    def test_it_can_be_given_up_with_a_reason(self):
        cancel = self.url("take_over_cancel", self.take_over.pk)
        Visitor(self.mia).post(cancel, {"reason": ""})
        assert TakeOver.objects.get().status == "open"
        Visitor(self.mia).post(cancel, {"reason": "not now"})
        assert TakeOver.objects.get().status == "cancelled"

    def test_more_accounts_take_no_more_queries(self, django_assert_max_num_queries: Any):
        visitor = Visitor(self.mia)
        for word, count in (("Few", 3), ("Many", 60)):
            for account in self.office.held_by(self.ana, self.ben, tenants=count, word=word):
                self.read(account)
            places = "\n".join(f"{word.lower()}-{number:03}.example" for number in range(count))
            take_over = self.started(places=places)
            with django_assert_max_num_queries(26):
                visitor.get(self.url("take_over", take_over.pk))
            with django_assert_max_num_queries(24):
                visitor.get(self.url("take_over_remove", take_over.pk))


class WhenThePersonLooksAtTheAccount(Scene):
    def test_the_page_says_what_to_do_until_when(self):
        take_over = self.started()
        page = self.text(self.ben, reverse("tenants:account", args=[self.account.pk]))
        assert "This account is being taken over" in page
        assert f"To be done by {take_over.due_on.isoformat()}; ask Mia." in page
        assert "You need an authenticator of your own here" in page
        assert self.url("take_over", take_over.pk) not in page

    def test_who_is_done_is_told_so_and_a_manager_is_led_to_the_whole(self):
        take_over = self.started()
        assert "You are done here" in self.text(self.ana, reverse("tenants:account", args=[self.account.pk]))
        page = self.text(self.mia, reverse("tenants:account", args=[self.account.pk]))
        assert self.url("take_over", take_over.pk) in page
        assert "1 person still to do this here" in page


class WhenTheEndIsLookedAt(Scene):
    @pytest.fixture(autouse=True)
    def _started(self, _scene: None) -> None:
        self.take_over = self.started()
        self.place = self.url("take_over_remove", self.take_over.pk)

    def excuse_ben(self) -> None:
        Visitor(self.mia).post(self.url("take_over_excuse", self.task(self.ben).pk), {"reason": "moves to sales"})

    def test_the_guard_names_who_has_no_way_in_and_offers_no_button(self):
        page = self.text(self.mia, self.place)
        assert "Ben has no way in yet" in page
        assert "there is nothing to decide yet" in page
        assert '<button class="btn btn-danger"' not in page

    def test_the_button_names_the_count_and_looking_changes_nothing(self):
        self.excuse_ben()
        page = self.text(self.mia, self.place)
        assert "Remove 1 method from 1 account" in page
        assert "an old phone" in page
        assert not Run.objects.exists()

    def test_deciding_takes_a_reason_and_a_fresh_code(self):
        self.excuse_ben()
        for form, fresh, says in (({"reason": " "}, True, "Say why"), ({"reason": "x"}, False, "fresh code")):
            answer = Visitor(self.mia, fresh=fresh).post(self.place, form)
            assert answer.status_code == 422
            assert says in answer.content.decode()
        assert not Run.objects.exists()

    def test_the_run_begins_and_the_take_over_says_so(self):
        self.excuse_ben()
        form = {"reason": "nobody claimed it", "promised_methods": "1"}
        answer = Visitor(self.mia).post(self.place, form, follow=True)
        assert "The unknown methods are being removed" in answer.content.decode()
        assert "the plan was made again" not in answer.content.decode()
        run = Run.objects.get()
        assert (run.kind, run.reason) == ("take_over", "nobody claimed it")
        assert reverse("tenants:run", args=[run.pk]) in answer.content.decode()
        assert "is not open" in self.text(self.mia, self.place)

    def test_a_plan_that_changed_since_is_said(self):
        self.excuse_ben()
        form = {"reason": "nobody claimed it", "promised_methods": "3"}
        answer = Visitor(self.mia).post(self.place, form, follow=True)
        assert "the plan was made again" in answer.content.decode()

    def test_with_nothing_unknown_it_closes_at_once(self):
        self.excuse_ben()
        self.old.delete()
        assert "Close 1 account" in self.text(self.mia, self.place)
        answer = Visitor(self.mia).post(self.place, {"reason": "all done"}, follow=True)
        assert "the take-over is finished" in answer.content.decode()
        assert not Run.objects.exists()

    def test_somebody_who_sees_only_a_part_is_told_why_not(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="A part")
        group.tenants.add(self.account.tenant)
        sia = self.office.person("Sia", Role.MANAGER, groups=[group])
        self.read(self.office.account(self.office.tenant("Fabrikam")))
        self.started(places="fabrikam.example")
        TakeOver.objects.filter(pk=self.take_over.pk).delete()
        other = TakeOver.objects.get()
        assert Visitor(sia).get(self.url("take_over_remove", other.pk)).status_code == 404
        both = self.started(places="contoso.example")
        other.accounts.update(take_over=both)
        answer = Visitor(sia).get(self.url("take_over_remove", both.pk))
        assert answer.status_code == 403
        assert "You see only some accounts" in answer.content.decode()


class WhenOnePlaceIsNeeded:
    """Five code apps fill the account, and they look alike."""

    @pytest.fixture(autouse=True)
    def _full(self, at_work: World) -> None:
        self.world, self.stage = at_work, TakenOver(at_work)
        self.account = self.stage.account(self.stage.tenant("Contoso"))
        for _ in range(5):
            self.stage.old_phone(self.account)
        self.take_over = self.stage.start(self.account)
        self.visitor = Visitor(at_work.owner)
        self.url = reverse("technicians:take_over_place", args=[self.take_over.pk, self.account.pk])

    def test_the_progress_page_leads_there(self):
        page = self.visitor.get(reverse("technicians:take_over", args=[self.take_over.pk])).content.decode()
        assert self.url in page

    def test_it_says_which_goes_by_which_rule_and_that_use_is_not_known(self):
        page = self.visitor.get(self.url).content.decode()
        assert page.count(">Goes<") == 1
        assert "been there longest" in page
        assert "Which of them were used lately is not known." in page

    def test_deciding_takes_a_code_and_leads_to_the_run(self):
        method = re.search(r'name="method" value="([^"]+)"', self.visitor.get(self.url).content.decode())
        assert method is not None
        form = {"method": method[1], "reason": "for Ana"}
        assert Visitor(self.world.owner, fresh=False).post(self.url, form).status_code == 422
        answer = self.visitor.post(self.url, form)
        run = Run.objects.get()
        assert answer.url == reverse("tenants:run", args=[run.pk])
        self.world.work(run, outside=self.stage.outside)
        assert len(self.world.methods_on(self.account)) == 4
        assert "A place is free already" in self.visitor.get(self.url).content.decode()

    def test_another_method_than_the_one_looked_at_is_refused(self):
        answer = self.visitor.post(self.url, {"method": "another", "reason": "for Ana"})
        assert answer.status_code == 422
        assert "another method would go now" in answer.content.decode()
        assert not Run.objects.exists()

    def test_reading_again_brings_the_page_up_to_date(self):
        self.stage.old_phone(self.account, "fido2", "a key")
        SharedAccount.objects.update(observed_at=timezone.now() - dt.timedelta(hours=1))
        answer = self.visitor.post(reverse("technicians:take_over_read", args=[self.take_over.pk]), follow=True)
        assert "6 unknown" in answer.content.decode()


class WhenTheDayComesNear(Scene):
    """Mails say what is to be done, once a day, to those who still have to do it."""

    @pytest.fixture(autouse=True)
    def _mail(self, _scene: None, settings: Any) -> Any:
        with mail_server() as self.server:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.MAIL_FROM = "Latchkey <latchkey@reseller.example>"
            settings.MAIL_SERVER = lambda: self.server.reach
            self.take_over = self.started()
            yield

    def due_in(self, days: int) -> None:
        TakeOver.objects.update(due_on=timezone.localdate() + dt.timedelta(days=days))

    def remind(self) -> int:
        return remind_of_take_overs(base="https://latchkey.example/")

    def test_nobody_is_mailed_long_before(self):
        self.due_in(8)
        assert self.remind() == 0

    def test_from_seven_days_before_on_the_missing_are_mailed_once_a_day(self):
        self.due_in(7)
        assert self.remind() == 1
        assert self.remind() == 0
        (letter,) = self.server.to(self.ben.email)
        body = letter.get_content()
        assert "1 account waits for your authenticator" in letter["Subject"]
        assert self.account.user_principal_name in body
        assert f"https://latchkey.example{reverse('tenants:account', args=[self.account.pk])}" in body
        TakeOver.objects.update(reminded_at=timezone.now() - dt.timedelta(hours=25))
        assert self.remind() == 1

    def test_once_overdue_the_owner_hears_of_it(self):
        self.due_in(-1)
        assert self.remind() == 2
        (letter,) = self.server.to(self.mia.email)
        assert letter["Subject"] == "Overdue: Contoso, autumn"
        assert self.url("take_over", self.take_over.pk) in letter.get_content()

    def test_whoever_does_not_hold_the_account_any_more_is_left_alone(self):
        self.due_in(1)
        self.ben.assignments.update(until_at=timezone.now())
        assert self.remind() == 0

    def test_a_server_that_is_busy_costs_one_day(self):
        self.due_in(1)
        self.server.mood = "busy"
        assert self.remind() == 0
        assert self.server.taken == []

    def test_without_a_mail_server_nothing_happens(self, settings: Any):
        self.due_in(1)
        settings.MAIL_FROM = ""
        assert self.remind() == 0
        assert TakeOver.objects.get().reminded_at is None

    def test_the_clock_asks_for_it(self):
        tasks = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}
        assert {"technicians.tasks.remind_of_take_overs", "technicians.tasks.mind_take_overs"} <= tasks
