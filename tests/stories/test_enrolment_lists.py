"""A person's enrolment list: how a line comes, what it says, how it goes, and the link that leads there."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from technicians.actions.ask_to_enrol import ask_to_enrol, withdraw_requests
from technicians.actions.assign import assign
from technicians.actions.assign_many import assign_many
from technicians.actions.enrolment_links import send_enrolment_link, use_enrolment_link
from technicians.capacity_plans import plan_capacity
from technicians.capacity_queries import places_of
from technicians.enrolment_lists import LinkState, enrolment_list_of, find_enrolment_link
from technicians.models import Assignment, EnrolmentLink, EnrolmentRequest, Role
from tenants.actions.observe_account import observe_account
from tenants.models import Run, SharedAccount, TenantGroup
from tests.support.lost_and_found import enrols_anew
from tests.support.stage import build_world
from tests.support.world import World, found_reseller

Because = EnrolmentRequest.Because
BASE = "https://latchkey.example"


class Scene:
    """Ben has an authenticator on Contoso and Fabrikam; Ana has just joined."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.contoso = world.account(world.tenant("Contoso"))
        self.fabrikam = world.account(world.tenant("Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            world.give(account, self.ben)

    @property
    def accounts(self) -> list[SharedAccount]:
        wanted = SharedAccount.objects.filter(pk__in=[self.contoso.pk, self.fabrikam.pk])
        return list(wanted.select_related("tenant__customer"))

    def asks(self, **more: object) -> list[EnrolmentRequest]:
        return ask_to_enrol(self.ana, self.accounts, because=Because.ASSIGNED, by=self.world.owner, **more)

    def joins(self) -> object:
        return assign_many(self.ana, self.accounts, by=self.world.owner, reason="joins the team")


class WhenSomebodyIsAskedToEnrol(Scene):
    def test_asking_again_changes_no_line(self):
        day = timezone.now().date() + dt.timedelta(days=7)
        first = self.asks(due_on=day)
        again = ask_to_enrol(self.ana, self.accounts, because=Because.NEW_PHONE, by=self.world.owner)
        assert {line.pk for line in first} == {line.pk for line in again}
        assert {(line.because, line.due_on) for line in again} == {(Because.ASSIGNED, day)}

    def test_a_line_that_was_done_or_withdrawn_can_come_again(self):
        withdraw_requests(self.asks(), by=self.world.owner)
        assert len(self.asks()) == 2
        assert EnrolmentRequest.objects.count() == 4

    def test_an_account_of_another_reseller_is_never_on_it(self):
        other, _owner = found_reseller("Southwind", "sam@other.example")
        self.contoso.reseller = other
        lines = ask_to_enrol(self.ana, [self.contoso], because=Because.ASSIGNED, by=self.world.owner)
        assert lines == []

    def test_a_colleague_may_not_ask(self):
        with pytest.raises(NotPermitted):
            ask_to_enrol(self.ana, self.accounts, because=Because.ASSIGNED, by=self.ben)

    def test_nobody_asks_somebody_who_left(self):
        self.world.offboard(self.ana)
        self.ana.refresh_from_db()
        with pytest.raises(BadInput):
            self.asks()


class WhenAnEnrolmentBecomesActive(Scene):
    def test_its_line_is_done_and_no_other(self):
        self.joins()
        enrols_anew(self.world, self.ana, self.contoso)
        done = EnrolmentRequest.objects.get(account=self.contoso)
        assert done.done_at is not None
        assert done.enrolment.authenticator.technician == self.ana
        assert EnrolmentRequest.objects.get(account=self.fabrikam).done_at is None

    def test_nothing_is_taken_away_for_a_line_that_was_about_no_other_phone(self):
        self.joins()
        assert enrols_anew(self.world, self.ana, self.contoso) is None

    def test_it_needs_no_line(self):
        self.world.give(self.contoso, self.ana)
        assert enrols_anew(self.world, self.ana, self.contoso) is None
        assert not EnrolmentRequest.objects.exists()


class WhenSomebodyJoins(Scene):
    def test_many_accounts_are_assigned_in_one_act_with_one_list(self):
        done = self.joins()
        assert len(done.assignments) == 2
        assert {line.because for line in done.requests} == {Because.JOINED}
        assert Assignment.objects.live().filter(technician=self.ana).count() == 2
        assert not Run.objects.exists()

    def test_somebody_who_has_an_authenticator_somewhere_is_newly_assigned(self):
        third = self.world.account(self.contoso.tenant, "third")
        done = assign_many(self.ben, [third], by=self.world.owner, reason="more")
        assert [line.because for line in done.requests] == [Because.ASSIGNED]

    def test_what_the_person_has_stays_as_it_is(self):
        assign(self.ana, self.contoso, by=self.world.owner, reason="before")
        done = self.joins()
        assert done.had == (self.contoso,)
        assert [a.account for a in done.assignments] == [self.fabrikam]

    def test_it_is_everything_or_nothing(self):
        later = timezone.now() + dt.timedelta(days=5)
        assign(self.ana, self.fabrikam, by=self.world.owner, reason="from then on", from_at=later)
        with pytest.raises(BadInput, match="during a part of that time"):
            self.joins()
        assert not Assignment.objects.live().filter(technician=self.ana).exists()
        assert not EnrolmentRequest.objects.exists()

    def test_a_break_glass_account_is_assigned_and_not_asked_for(self):
        SharedAccount.objects.filter(pk=self.contoso.pk).update(break_glass=True)
        done = self.joins()
        assert len(done.assignments) == 2
        assert [line.account for line in done.requests] == [self.fabrikam]

    def test_an_account_on_which_they_have_one_already_is_not_asked_for(self):
        self.world.enrol(self.contoso, self.ana)
        assert [line.account for line in self.joins().requests] == [self.fabrikam]

    def test_somebody_without_the_right_gives_nothing(self):
        with pytest.raises(NotPermitted):
            assign_many(self.ana, self.accounts, by=self.ben, reason="joins")

    def test_a_reason_is_needed_and_something_new(self):
        with pytest.raises(BadInput):
            assign_many(self.ana, self.accounts, by=self.world.owner, reason="")
        self.joins()
        with pytest.raises(BadInput, match="already"):
            self.joins()


class WhenAnAccountIsFull(Scene):
    @pytest.fixture(autouse=True)
    def _full(self, _scene: None) -> None:
        for name in ("Cid", "Dan", "Eve"):
            self.world.give(self.contoso, self.world.technician(name))
        self.world.cloud.register(
            self.world.directory_id(self.contoso), self.contoso.object_id, "software_oath", "whose is it"
        )
        observe_account(self.contoso, outside=self.world.outside)

    def test_the_plan_says_before_anything_is_shown_which_and_who(self):
        plan = plan_capacity(places_of(self.accounts).values(), self.ana.pk)
        [full] = plan.full
        assert full.account_id == self.contoso.pk
        assert [place.holder for place in full.taken] == ["Ben", "Cid", "Dan", "Eve", ""]
        assert full.unknown == 1

    def test_assigning_works_all_the_same_and_the_list_warns(self):
        self.joins()
        [line] = enrolment_list_of(self.ana, self.ana).without_place
        assert line.request.account == self.contoso
        assert not line.may_make_room

    def test_a_passkey_takes_no_place(self):
        self.world.enrol(self.fabrikam, self.ben, "fido2")
        assert places_of(self.accounts)[self.fabrikam.pk].used == 1


class WhoSeesAList(Scene):
    def test_a_manager_of_some_tenants_sees_only_their_lines(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        group.tenants.add(self.contoso.tenant)
        scoped = self.world.technician("Sia", Role.MANAGER, groups=[group])
        self.joins()
        assert [line.request.account for line in enrolment_list_of(self.ana, scoped).lines] == [self.contoso]
        assert enrolment_list_of(self.ana, self.ana).total == 2

    def test_a_colleague_sees_none(self):
        self.joins()
        assert enrolment_list_of(self.ana, self.ben).lines == []


class WhenALinkIsSent(Scene):
    @pytest.fixture(autouse=True)
    def _list(self, _scene: None) -> None:
        self.joins()

    def send(self) -> str:
        sent = send_enrolment_link(self.ana, by=self.world.owner, base=BASE)
        self.link = sent.link
        return sent.address.rstrip("/").rpartition("/")[2]

    def test_it_leads_its_person_to_the_list_once(self):
        token = self.send()
        assert find_enrolment_link(token, self.ana)[0] == LinkState.WAITING
        use_enrolment_link(token, by=self.ana)
        assert find_enrolment_link(token, self.ana)[0] == LinkState.USED
        with pytest.raises(BadInput):
            use_enrolment_link(token, by=self.ana)

    def test_it_gives_nobody_else_anything_and_still_works(self):
        token = self.send()
        assert find_enrolment_link(token, self.ben) == (LinkState.ANOTHERS, None)
        with pytest.raises(BadInput):
            use_enrolment_link(token, by=self.ben)
        use_enrolment_link(token, by=self.ana)

    def test_it_expires_after_a_day(self):
        token = self.send()
        assert self.link.expires_at - self.link.made_at <= dt.timedelta(hours=24, seconds=5)
        EnrolmentLink.objects.update(expires_at=timezone.now())
        assert find_enrolment_link(token, self.ana)[0] == LinkState.EXPIRED

    def test_a_newer_one_ends_it(self):
        first, second = self.send(), self.send()
        assert find_enrolment_link(first, self.ana)[0] == LinkState.EXPIRED
        assert find_enrolment_link(second, self.ana)[0] == LinkState.WAITING

    def test_only_its_digest_is_kept(self):
        token = self.send()
        row = EnrolmentLink.objects.values().get()
        assert token not in repr(row)
        assert token.encode() not in bytes(row["digest"])
        assert find_enrolment_link("another-token", self.ana) == (LinkState.UNKNOWN, None)

    def test_the_mail_holds_the_link_and_no_secret(self, settings):
        settings.MAIL_FROM = "latchkey@reseller.example"
        settings.MAIL_SERVER = lambda: {"backend": "django.core.mail.backends.locmem.EmailBackend"}
        sent = send_enrolment_link(self.ana, by=self.world.owner, base=BASE)
        assert sent.mailed
        [message] = mail.outbox
        assert message.to == [self.ana.email]
        assert sent.address in message.body
        assert "2 shared accounts" in message.body

    def test_without_a_mail_server_its_maker_hands_it_over(self, settings):
        settings.MAIL_FROM = ""
        sent = send_enrolment_link(self.ana, by=self.world.owner, base=BASE)
        assert not sent.mailed
        assert sent.address.startswith(f"{BASE}/technicians/enrolments/by-link/")
        assert sent.address not in repr(sent)

    def test_nothing_is_sent_for_an_empty_list_or_by_a_colleague(self):
        with pytest.raises(NotPermitted):
            send_enrolment_link(self.ana, by=self.ben, base=BASE)
        with pytest.raises(BadInput):
            send_enrolment_link(self.ben, by=self.world.owner, base=BASE)


@pytest.mark.django_db(transaction=True)
class WhenTwoAskAtTheSameMoment:
    def test_each_account_is_on_the_list_once(self, transactional_db, simulator, credential, tmp_path):
        world = build_world(simulator, credential, tmp_path)
        ana, tenant = world.technician("Ana"), world.tenant("Contoso")
        accounts = [world.account(tenant, f"admin{number}") for number in range(3)]
        start, troubles = threading.Barrier(2), []

        def ask() -> None:
            try:
                start.wait(timeout=60)
                ask_to_enrol(ana, accounts, because=Because.ASSIGNED, by=world.owner)
            except BaseException as trouble:
                troubles.append(trouble)
            finally:
                connection.close()

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        assert troubles == []
        assert EnrolmentRequest.objects.open().count() == 3
