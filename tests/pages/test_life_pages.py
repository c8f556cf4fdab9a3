"""The pages of an authenticator's life: lists, lost and new phones, leave and return, many accounts at once."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from technicians.actions.ask_for_new_phone import ask_for_new_phone
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.enrolment_links import send_enrolment_link
from technicians.actions.suspend import suspend
from technicians.models import Assignment, EnrolmentRequest, LostDevice, Role, Suspension, Technician
from tenants.models import Run, TenantGroup
from tests.pages.runs_stage import Office, settle
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


class Team:
    """Ana shares Contoso with Ben; on Fabrikam she is alone. She has seen Contoso's password."""

    @pytest.fixture(autouse=True)
    def _team(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.fabrikam = self.office.account(self.office.tenant("Fabrikam"))
        self.office.give(self.contoso, self.ana, self.ben)
        self.office.give(self.fabrikam, self.ana)
        self.office.reveal(self.contoso, self.ana)
        self.owner = Visitor(self.office.owner)

    def url(self, name: str, person: Technician | None = None) -> str:
        return reverse(f"technicians:{name}", args=[(person or self.ana).pk])

    def page(self, name: str, visitor: Visitor | None = None, query: str = "") -> str:
        return (visitor or self.owner).get(f"{self.url(name)}{query}").content.decode()

    def asks(self, *accounts, because: str = "assigned", **more):
        return ask_to_enrol(self.ana, accounts, because=because, by=self.office.owner, **more)


class WhenAPersonIsLookedAt(Team):
    def test_a_manager_finds_every_decision(self):
        page = self.page("detail")
        for words in ("Enrolment list", "Assign many", "New phone", "Lost phone", "Suspend", "Offboard"):
            assert words in page

    def test_a_technician_finds_on_their_own_page_what_is_theirs_to_decide(self):
        page = self.page("detail", Visitor(self.ana))
        for words in ("Enrolment list", "New phone", "Lost phone"):
            assert words in page
        for words in ("Assign many", "Suspend", "Offboard"):
            assert words not in page

    def test_somebody_on_leave_can_be_brought_back_or_offboarded(self):
        suspend(self.ana, by=self.office.owner, reason="leave")
        page = self.page("detail")
        assert "Bring back" in page
        assert self.url("offboard") in page
        assert self.url("suspend") not in page
        assert "Suspended" in page


class WhenSomebodyLooksAtTheirList(Team):
    def page_of_list(self) -> str:
        return Visitor(self.ana).get(reverse("technicians:enrolment_list")).content.decode()

    def test_it_is_grouped_by_customer_and_says_why_and_until_when(self):
        late = timezone.now().date() - dt.timedelta(days=1)
        self.asks(self.contoso, because="joined", due_on=late)
        self.asks(self.fabrikam)
        page = self.page_of_list()
        assert page.index("Contoso</h3>") < page.index("New here") < page.index("Fabrikam</h3>")
        assert f"{late:%Y-%m-%d}" in page
        assert ">late<" in page
        assert "2 accounts to enrol on" in page

    def test_each_line_leads_to_its_enrolment_and_all_of_them_to_one_sitting(self):
        self.asks(self.contoso, self.fabrikam)
        page = self.page_of_list()
        for account in (self.contoso, self.fabrikam):
            assert reverse("technicians:enrol", args=[account.pk]) in page
        assert "Enrol many in one sitting" in page

    def test_it_says_how_far_it_is(self):
        first, _second = self.asks(self.contoso, self.fabrikam)
        EnrolmentRequest.objects.filter(pk=first.pk).update(done_at=timezone.now())
        page = self.page_of_list()
        assert "1 of 2 accounts done" in page
        assert re.search(r'<progress[^>]*value="1"[^>]*max="2"', page)

    def test_a_full_account_is_refused_there_before_anything_is_scanned(self):
        for name in ("Cid", "Dan", "Eve"):
            self.office.give(self.contoso, self.office.person(name))
        self.asks(self.contoso)
        page = self.page_of_list()
        assert "1 account is full" in page
        assert reverse("technicians:enrol", args=[self.contoso.pk]) not in page
        assert "Ways out of five" in page
        assert "Dan" in page

    def test_an_empty_list_says_what_will_stand_there(self):
        page = self.page_of_list()
        assert "Nothing to enrol" in page
        assert "I lost my phone" in page

    def test_a_colleague_does_not_find_it(self):
        assert Visitor(self.ben).get(self.url("enrolment_list_of")).status_code == 404

    def test_a_manager_sees_it_without_the_buttons_that_only_its_person_may_press(self):
        self.asks(self.contoso)
        page = self.page("enrolment_list_of")
        assert "Enrolment list of Ana" in page
        assert reverse("technicians:enrol", args=[self.contoso.pk]) not in page
        assert "Send the link to this list" in page

    def test_a_line_is_taken_off_by_a_manager_and_not_by_its_person(self):
        [line] = self.asks(self.contoso)
        url = reverse("technicians:withdraw_request", args=[line.pk])
        assert url not in self.page_of_list()
        assert Visitor(self.ana).post(url).status_code == 403
        assert "is off the list" in self.owner.post(url, follow=True).content.decode()
        assert not EnrolmentRequest.objects.open().exists()

    def test_room_is_made_on_a_full_account_by_the_own_old_method_with_a_fresh_code(self):
        for name in ("Cid", "Dan", "Eve"):
            self.office.give(self.contoso, self.office.person(name))
        ask_for_new_phone(self.ana, by=self.ana)
        line = EnrolmentRequest.objects.get(account=self.contoso)
        assert "Let the old one go first" in self.page_of_list()
        url = reverse("technicians:make_room", args=[line.pk])
        Visitor(self.ana, fresh=False).post(url)
        assert not Run.objects.exists()
        Visitor(self.ana).post(url)
        assert Run.objects.get().kind == Run.Kind.NEW_PHONE
        assert "the old authenticator is being taken away" in self.page_of_list()


class WhenALinkIsSent(Team):
    def send(self):
        return self.owner.post(self.url("send_enrolment_link"), follow=True)

    def token(self) -> str:
        sent = send_enrolment_link(self.ana, by=self.office.owner, base="https://latchkey.example")
        return sent.address.rstrip("/").rpartition("/")[2]

    @pytest.fixture(autouse=True)
    def _asked(self, _team: None) -> None:
        self.asks(self.contoso)

    def test_without_a_mail_server_it_is_shown_once_and_not_kept_by_the_browser(self, settings):
        settings.MAIL_FROM = ""
        answer = self.send()
        page = answer.content.decode()
        assert "/technicians/enrolments/by-link/" in page
        assert "No mail went out" in page
        assert "no-store" in answer.headers["Cache-Control"]

    def test_a_mail_that_went_out_is_said_and_the_link_is_not_shown(self, settings):
        settings.MAIL_FROM = "latchkey@reseller.example"
        settings.MAIL_SERVER = lambda: {"backend": "django.core.mail.backends.locmem.EmailBackend"}
        page = self.send().content.decode()
        assert f"A mail with the link went to {self.ana.email}" in page
        assert "by-link" not in page

    def test_looking_does_not_use_it_and_pressing_does(self):
        url, visitor = reverse("technicians:enrolment_link", args=[self.token()]), Visitor(self.ana)
        for _ in range(2):
            assert "Open my list" in visitor.get(url).content.decode()
        assert visitor.post(url)["Location"] == reverse("technicians:enrolment_list")
        again = visitor.get(url)
        assert again.status_code == 410
        assert "used already" in again.content.decode()
        assert visitor.post(url).status_code == 410

    def test_somebody_else_is_told_so_and_nothing_more(self):
        url = reverse("technicians:enrolment_link", args=[self.token()])
        answer = Visitor(self.ben).post(url)
        assert answer.status_code == 410
        page = answer.content.decode()
        assert "This link is for somebody else" in page
        assert "Ana" not in page
        assert "Open my list" in Visitor(self.ana).get(url).content.decode()

    def test_nobody_needs_a_link_for_their_own_list(self):
        page = Visitor(self.ana).get(reverse("technicians:enrolment_link", args=["nonsense"])).content.decode()
        assert "There is no such link" in page
        assert reverse("technicians:enrolment_list") in page


class WhenALostPhoneIsReported(Team):
    FORM = {"reason": "left on the train"}

    def test_the_preview_names_the_count_and_where_the_guard_holds_and_what_to_do(self):
        page = self.page("lost_phone")
        assert "Take 1 authenticator away" in page
        assert "On 1 account a guard holds" in page
        assert "nobody else has a working authenticator" in page
        assert "Let a colleague enrol there" in page

    def test_looking_changes_nothing(self):
        self.page("lost_phone")
        assert not Run.objects.exists()

    def test_passwords_are_changed_only_by_choice(self):
        assert "and change" not in self.page("lost_phone")
        assert "and change 1 password" in self.page("lost_phone", query="?passwords=yes")
        self.owner.post(self.url("lost_phone"), self.FORM | {"passwords": "yes"})
        steps = Run.objects.get().targets.filter(steps__kind="rotate_password")
        assert [target.account for target in steps] == [self.contoso]

    def test_the_decision_leads_to_the_run(self):
        answer = self.owner.post(self.url("lost_phone"), self.FORM)
        assert answer["Location"] == reverse("tenants:run", args=[Run.objects.get().pk])
        page = self.owner.get(answer["Location"]).content.decode()
        assert "Lost phone: Ana" in page

    def test_a_technician_reports_their_own_and_follows_it_on_their_list(self):
        visitor = Visitor(self.ana)
        page = visitor.post(self.url("lost_phone"), self.FORM, follow=True).content.decode()
        assert "The lost phone" in page
        assert "steps settled" in page
        assert "2 accounts to enrol on" in page
        assert reverse("tenants:run", args=[Run.objects.get().pk]) not in page

    def test_it_needs_a_reason_and_a_fresh_code(self):
        assert self.owner.post(self.url("lost_phone"), {"reason": " "}).status_code == 422
        stale = Visitor(self.office.owner, fresh=False)
        assert stale.post(self.url("lost_phone"), self.FORM).status_code == 422
        assert not LostDevice.objects.exists()
        assert stale.post(self.url("lost_phone"), self.FORM | {"code": stale.code()}).status_code == 302

    def test_a_colleague_does_not_find_the_page(self):
        assert Visitor(self.ben).get(self.url("lost_phone")).status_code == 404

    def test_nobody_ends_their_own_sign_in(self):
        assert 'name="sign_in"' not in self.page("lost_phone", Visitor(self.ana))
        assert 'name="sign_in"' in self.page("lost_phone")

    def test_reported_again_it_says_that_everything_goes_already(self):
        Assignment.objects.filter(account=self.fabrikam).delete()
        self.ana.authenticators.filter(method__account=self.fabrikam).delete()
        self.owner.post(self.url("lost_phone"), self.FORM)
        page = self.page("lost_phone")
        assert "on its way out already" in page
        assert reverse("tenants:run", args=[Run.objects.get().pk]) in page

    def test_a_changed_plan_is_said(self):
        form = self.FORM | {"promised_accounts": "5", "promised_tenants": "5", "promised_methods": "5"}
        page = self.owner.post(self.url("lost_phone"), form, follow=True).content.decode()
        assert "the plan was made again" in page


class WhenThereIsANewPhone(Team):
    def test_the_page_says_what_comes_onto_the_list_and_that_nothing_goes_yet(self):
        page = self.page("new_phone", Visitor(self.ana))
        assert "Put 2 accounts on the list" in page
        assert "the old one works until a code of the new one was accepted" in page

    def test_the_list_is_written_and_nothing_runs(self):
        page = Visitor(self.ana).post(self.url("new_phone"), follow=True).content.decode()
        assert "2 accounts to enrol on" in page
        assert "the old one works until the new one does" in page
        assert not Run.objects.exists()

    def test_somebody_without_an_app_is_told_so(self):
        page = self.owner.get(self.url("new_phone", self.office.person("Cid"))).content.decode()
        assert "Nothing to move" in page


class WhenSomebodyGoesOnLeave(Team):
    FORM = {"reason": "parental leave", "back_on": "2099-03-01"}

    def test_the_preview_is_that_of_a_departure_with_a_way_back(self):
        page = self.page("suspend")
        assert "Suspend Ana: 2 accounts in 2 tenants" in page
        assert "a departure with a way back" in page

    def test_the_decision_leads_to_the_run(self):
        answer = self.owner.post(self.url("suspend"), self.FORM)
        suspension = Suspension.objects.get()
        assert answer["Location"] == reverse("tenants:run", args=[suspension.run_id])
        assert suspension.expected_back_on == dt.date(2099, 3, 1)
        assert "Suspension: Ana" in self.owner.get(answer["Location"]).content.decode()

    def test_it_needs_a_reason_a_day_that_is_one_and_a_fresh_code(self):
        for form in ({"reason": ""}, self.FORM | {"back_on": "soon"}, self.FORM | {"back_on": "2001-01-01"}):
            assert self.owner.post(self.url("suspend"), form).status_code == 422
        assert Visitor(self.office.owner, fresh=False).post(self.url("suspend"), self.FORM).status_code == 422
        assert not Suspension.objects.exists()

    def test_a_technician_may_not(self):
        assert Visitor(self.ben).get(self.url("suspend")).status_code == 403

    def test_they_cannot_sign_in_and_are_out_of_the_list_of_the_active(self):
        self.owner.post(self.url("suspend"), self.FORM)
        assert "Ana" not in self.owner.get(reverse("technicians:list")).content.decode()
        suspended = self.owner.get(reverse("technicians:list"), {"show": "suspended"}).content.decode()
        assert "Ana" in suspended

    def test_they_come_back_with_what_they_held(self):
        self.owner.post(self.url("suspend"), self.FORM)
        settle(Run.objects.get())
        page = self.page("bring_back")
        assert "Bring Ana back, with 2 accounts" in page
        assert "sign_in_link" in page
        answer = self.owner.post(self.url("bring_back"), follow=True).content.decode()
        assert "Ana is back" in answer
        assert Assignment.objects.live().filter(technician=self.ana).count() == 2

    def test_nobody_is_brought_back_who_is_not_away(self):
        assert "is not suspended" in self.page("bring_back")

    def test_coming_back_needs_a_fresh_code(self):
        self.owner.post(self.url("suspend"), self.FORM)
        assert Visitor(self.office.owner, fresh=False).post(self.url("bring_back")).status_code == 422
        assert not Technician.objects.get(pk=self.ana.pk).is_active


class WhenManyAccountsAreGiven(Team):
    @pytest.fixture(autouse=True)
    def _joiner(self, _team: None) -> None:
        self.cid = self.office.person("Cid")
        self.group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
        self.group.tenants.add(self.contoso.tenant)

    def look(self, **asked):
        return self.owner.get(self.url("assign_many", self.cid), {"choose": "yes", **asked})

    def test_a_group_and_single_accounts_are_chosen_together(self):
        page = self.look(groups=self.group.pk, accounts=self.fabrikam.user_principal_name).content.decode()
        assert "2 new accounts for Cid" in page
        assert "Assign 2 accounts" in page

    def test_the_preview_names_accounts_that_are_full_and_who_has_the_places(self):
        for name in ("Dan", "Eve", "Fay"):
            self.office.give(self.contoso, self.office.person(name))
        page = self.look(groups=self.group.pk).content.decode()
        assert "This needs 1 account that is full" in page
        assert "Fay" in page

    def test_looking_gives_nothing(self):
        self.look(groups=self.group.pk)
        assert not Assignment.objects.filter(technician=self.cid).exists()

    def test_one_act_assigns_all_and_writes_the_list(self):
        form = {"choose": "yes", "groups": self.group.pk, "accounts": "ADMIN@fabrikam.example", "reason": "joins"}
        page = self.owner.post(self.url("assign_many", self.cid), form, follow=True).content.decode()
        assert "2 more accounts" in page
        assert "2 accounts to enrol on" in page
        assert Assignment.objects.live().filter(technician=self.cid).count() == 2

    def test_a_name_that_nobody_sees_is_said(self):
        page = self.look(accounts="nobody@nowhere.example").content.decode()
        assert "No shared account that you see has this user name: nobody@nowhere.example." in page

    def test_nothing_chosen_is_said(self):
        assert "Choose a tenant group, or name an account." in self.look().content.decode()

    def test_it_needs_a_reason_and_a_fresh_code(self):
        form = {"choose": "yes", "groups": self.group.pk}
        assert self.owner.post(self.url("assign_many", self.cid), form).status_code == 422
        stale = Visitor(self.office.owner, fresh=False)
        assert stale.post(self.url("assign_many", self.cid), form | {"reason": "joins"}).status_code == 422
        assert not Assignment.objects.filter(technician=self.cid).exists()

    def test_a_manager_of_some_tenants_cannot_name_an_account_of_another(self):
        scoped = self.office.person("Sia", Role.MANAGER)
        scoped.groups.add(self.group)
        asked = {"choose": "yes", "accounts": self.fabrikam.user_principal_name}
        page = Visitor(scoped).get(self.url("assign_many"), asked).content.decode()
        assert "No shared account that you see" in page

    def test_what_they_have_is_counted_apart(self):
        self.office.assign(self.contoso, self.cid)
        page = self.look(groups=self.group.pk, accounts=self.fabrikam.user_principal_name).content.decode()
        assert "1 new account for Cid" in page
        assert "1 of those chosen is held already" in page
