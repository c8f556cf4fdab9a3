"""The pages on which a departure is asked for, decided about and looked up, and the page of its policy."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from technicians.actions.request_departure import request_departure
from technicians.departure_times import start_at
from technicians.models import DepartureRequest, Role, Technician
from tenants.actions.set_departure_policy import facts_of, set_departure_policy
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Run, SharedAccount, TenantGroup
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

Status = DepartureRequest.Status
LIST = "/technicians/departures/"
ASK = "/technicians/departures/new/"
POLICY = "/tenants/departure-policy/"


def words_of(answer: Any) -> str:
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text).replace("&#x27;", "'")
    return re.sub(r" ([.,:)])", r"\1", text).replace("( ", "(")


class Scene:
    """Ana and Ben share Contoso, which is in the group Gold; on Fabrikam Ana is alone. Mo and Nia manage."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.owner = self.office.owner
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.mo, self.nia = self.office.person("Mo", Role.MANAGER), self.office.person("Nia", Role.MANAGER)
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.fabrikam = self.office.account(self.office.tenant("Fabrikam"))
        self.office.give(self.contoso, self.ana, self.ben)
        self.office.give(self.fabrikam, self.ana)
        self.gold = TenantGroup.objects.create(reseller=self.office.reseller, name="Gold")
        self.gold.tenants.add(self.contoso.tenant)

    def policy(self, **rules: Any) -> None:
        set_departure_policy(facts_of(departure_policy_of(self.office.reseller.pk)) | rules, by=self.owner)

    def asks(self, *leavers: Technician, **wish: Any) -> DepartureRequest:
        people = list(leavers or (self.ana,))
        return request_departure(people, by=wish.pop("by", self.mo), **({"reason": "resigned"} | wish))

    def page(self, request: DepartureRequest) -> str:
        return reverse("technicians:departure", args=[request.pk])

    def read(self, url: str, person: Technician | None = None) -> str:
        answer = Visitor(person or self.nia).get(url)
        assert answer.status_code == 200
        return words_of(answer)

    def decides(self, act: str, request: DepartureRequest, person: Technician, words: str = "", **facts: Any) -> Any:
        fresh = facts.pop("fresh", True)
        url = reverse(f"technicians:{act}_departure", args=[request.pk])
        return Visitor(person, fresh=fresh).post(url, {"words": words, **facts})

    def now(self, row: Any) -> Any:
        return type(row).objects.get(pk=row.pk)


class WhenOnePersonIsAskedAbout(Scene):
    def offboards(self, person: Technician | None = None, **form: Any) -> Any:
        url = reverse("technicians:offboard", args=[self.ana.pk])
        return Visitor(person or self.mo).post(url, {"reason": "resigned", **form})

    def test_without_a_policy_it_leads_to_the_run(self):
        answer = self.offboards()
        assert answer["Location"] == reverse("tenants:run", args=[Run.objects.get().pk])

    def test_with_four_eyes_it_leads_to_the_request_and_the_form_said_so(self):
        self.policy(approvals=1)
        url = reverse("technicians:offboard", args=[self.ana.pk])
        assert "By policy 1 other person has to agree" in self.read(url, self.mo)
        request = DepartureRequest.objects.get(pk=self.offboards()["Location"].split("/")[-2])
        assert request.status == Status.WAITING
        assert self.now(self.ana).is_active

    def test_the_sign_in_ends_while_approval_is_awaited_if_that_stays_ticked(self):
        self.policy(approvals=1)
        url = reverse("technicians:offboard", args=[self.ana.pk])
        page = Visitor(self.mo).get(url).content.decode()
        assert re.search(r'name="end_while_waiting"[^>]*checked', page)
        assert not re.search(r'name="end_before_start"[^>]*checked', page)
        self.offboards(end_while_waiting="on")
        assert self.now(self.ana).status == Technician.Status.SUSPENDED

    def test_a_last_day_is_kept_as_the_end_of_that_day_where_she_works(self):
        self.offboards(starts="at", day="2031-06-30", time="", zone="America/New_York")
        request = DepartureRequest.objects.get()
        assert request.starts_at == dt.datetime(2031, 7, 1, 4, 0, tzinfo=dt.UTC)
        assert "2031-07-01 00:00 America/New_York (2031-07-01 04:00 UTC)" in self.read(self.page(request))

    def test_a_time_that_the_clocks_skip_is_explained(self):
        url = reverse("technicians:offboard", args=[self.ana.pk])
        form = {"reason": "resigned", "starts": "at", "day": "2031-03-30", "time": "02:30", "zone": "Europe/Berlin"}
        answer = Visitor(self.mo).post(url, form, follow=True)
        assert "02:30 does not exist on 2031-03-30 in Europe/Berlin" in words_of(answer)

    @pytest.mark.parametrize(
        ("form", "said"),
        [
            ({"starts": "at"}, "Choose the day"),
            ({"starts": "at", "day": "soon"}, "Enter a valid date"),
            ({"starts": "at", "day": "2020-01-01"}, "That time is past"),
            ({"starts": "at", "day": "2031-01-01", "zone": "Mars/Olympus"}, "no time zone called Mars/Olympus"),
            ({"starts": "yesterday"}, "not one of the available choices"),
            ({"reason": " "}, "Say why Ana leaves"),
            ({"successor": "00000000-0000-4000-8000-000000000000"}, "not one of the available choices"),
        ],
    )
    def test_what_makes_no_sense_is_said_and_what_was_typed_stays(self, form: dict[str, str], said: str):
        answer = self.offboards(**form)
        assert answer.status_code == 422
        assert said in words_of(answer)
        assert not DepartureRequest.objects.exists()

    def test_what_she_answers_for_is_named_before(self):
        SharedAccount.objects.filter(pk=self.contoso.pk).update(owner="ANA")
        page = self.read(reverse("technicians:offboard", args=[self.ana.pk]), self.mo)
        assert "Without a successor nobody answers for this any more: Account admin@contoso.example" in page

    def test_an_open_request_is_shown_instead_of_a_second_form(self):
        request = self.asks(start=start_at(dt.date(2031, 1, 1), None, "UTC"))
        page = Visitor(self.mo).get(reverse("technicians:offboard", args=[self.ana.pk])).content.decode()
        assert "There is a request already (scheduled)" in page
        assert self.page(request) in page
        assert "Offboard Ana: 2 accounts" not in page


class WhenSeveralAreChosen(Scene):
    def both(self, **more: str) -> str:
        asked = "&".join(f"person={person.pk}" for person in (self.ana, self.ben))
        return f"{ASK}?{asked}" + "".join(f"&{name}={value}" for name, value in more.items())

    def test_people_can_be_ticked_but_neither_oneself_nor_whoever_left(self):
        self.office.offboard(self.office.person("Gone"))
        page = Visitor(self.mo).get(ASK).content.decode()
        assert all(f'value="{person.pk}"' in page for person in (self.ana, self.ben, self.nia))
        assert f'value="{self.mo.pk}"' not in page
        assert "Gone" not in page

    def test_ticking_nobody_is_said(self):
        assert "Tick at least one person" in self.read(f"{ASK}?choose=yes", self.mo)

    def test_the_preview_counts_each_account_once(self):
        page = self.read(self.both(), self.mo)
        assert "Offboard Ana, Ben: 2 accounts in 2 tenants" in page
        assert "This is the last way in" in page

    def test_one_decision_is_one_run_about_both(self):
        answer = Visitor(self.mo).post(self.both(), {"reason": "the team is closed"})
        run = Run.objects.get()
        assert answer["Location"] == reverse("tenants:run", args=[run.pk])
        assert {d.technician for d in run.offboardings.all()} == {self.ana, self.ben}

    def test_a_fresh_code_is_needed(self):
        answer = Visitor(self.mo, fresh=False).post(self.both(), {"reason": "the team is closed"})
        assert answer.status_code == 422
        assert "fresh code" in words_of(answer)
        assert not Run.objects.exists()

    def test_a_stranger_among_them_is_not_found(self):
        stranger = Office("Tailspin").person("Tom")
        assert Visitor(self.mo).get(f"{self.both()}&person={stranger.pk}").status_code == 404
        assert Visitor(self.mo).get(f"{self.both()}&person=somebody").status_code == 404

    def test_more_accounts_take_no_more_queries(self, django_assert_max_num_queries: Any):
        for count in (3, 60):
            one, other = self.office.person(f"One {count}"), self.office.person(f"Other {count}")
            self.office.held_by(one, other, tenants=count, word=f"Customer {count}")
            visitor = Visitor(self.mo)
            with django_assert_max_num_queries(48):
                answer = visitor.get(f"{ASK}?person={one.pk}&person={other.pk}")
            assert f"{count} accounts in {count} tenants" in words_of(answer)


class WhenOnlyAPartIsTaken(Scene):
    def part(self, **place: str) -> str:
        return f"{ASK}?person={self.ana.pk}" + "".join(f"&{name}={value}" for name, value in place.items())

    def test_a_group_shows_what_goes_and_that_she_stays(self):
        page = self.read(self.part(group=str(self.gold.pk)), self.mo)
        assert "Take Gold from Ana" in page
        assert "Take 1 account from Ana, in 1 tenant" in page
        assert "The sign-in to Latchkey stays" in page

    def test_an_account_is_named_by_its_user_name(self):
        url = self.part(account=self.fabrikam.user_principal_name.upper())
        Visitor(self.mo).post(url, {"reason": "another team"})
        assert [target.account for target in Run.objects.get().targets.all()] == [self.fabrikam]
        assert self.now(self.ana).is_active

    def test_a_name_that_is_none_is_said(self):
        answer = Visitor(self.mo).get(self.part(account="nobody@contoso.example"))
        assert answer.status_code == 422
        assert "No shared account that you see has this user name" in words_of(answer)

    def test_a_strangers_group_is_not_found(self):
        other = Office("Tailspin")
        group = TenantGroup.objects.create(reseller=other.reseller, name="Gold")
        assert Visitor(self.mo).get(self.part(group=str(group.pk))).status_code == 404


class WhenARequestWaits(Scene):
    @pytest.fixture(autouse=True)
    def _waits(self, _scene: None) -> None:
        self.policy(approvals=1)
        self.request = self.asks()

    def test_the_page_says_who_what_and_who_can_agree(self):
        page = self.read(self.page(self.request))
        assert "0 of 1 have agreed. Asked are: Nia, Olga." in page
        assert "accounts: 2, tenants: 2" in page
        assert "resigned" in page

    def test_the_button_names_the_count(self):
        assert "Approve and start: 2 accounts" in self.read(self.page(self.request))

    def test_whoever_asked_can_withdraw_and_not_approve(self):
        page = self.read(self.page(self.request), self.mo)
        assert "Withdraw the request" in page
        assert "Approve" not in page.replace("Approval", "").replace("approval", "")

    def test_only_an_owner_is_offered_to_start_it_without(self):
        assert "Start without approval" not in self.read(self.page(self.request), self.nia)
        assert "Start without approval: 2 accounts" in self.read(self.page(self.request), self.owner)

    def test_approving_leads_to_the_run(self):
        answer = self.decides("approve", self.request, self.nia)
        assert answer["Location"] == reverse("tenants:run", args=[Run.objects.get().pk])

    def test_approving_needs_a_fresh_code(self):
        answer = self.decides("approve", self.request, self.nia, "I know her", fresh=False)
        assert answer.status_code == 422
        assert "fresh code" in words_of(answer)
        assert "I know her" in words_of(answer)
        assert not Run.objects.exists()

    def test_a_rejection_without_a_reason_says_so_and_with_one_is_kept(self):
        assert "Say why it is rejected" in words_of(self.decides("reject", self.request, self.nia))
        assert self.decides("reject", self.request, self.nia, "she stays").status_code == 302
        page = self.read(self.page(self.request))
        assert "Rejected" in page
        assert "Nia rejected it" in page
        assert "she stays" in page

    @pytest.mark.parametrize(("act", "who"), [("approve", "mo"), ("override", "nia"), ("approve", "ana")])
    def test_who_may_not_is_told_and_nothing_happens(self, act: str, who: str):
        assert self.decides(act, self.request, getattr(self, who), "please").status_code == 403
        assert self.now(self.request).status == Status.WAITING

    def test_an_override_is_shown_until_somebody_else_has_reviewed_it(self):
        self.decides("override", self.request, self.owner, "data is leaving the house")
        page = self.read(self.page(self.request))
        assert "started without approval, and nobody else has reviewed that yet" in page
        assert "I have reviewed it" in page
        assert "I have reviewed it" not in self.read(self.page(self.request), self.owner)
        self.decides("review", self.request, self.nia, "it was right")
        assert "Nia reviewed that: it was right" in self.read(self.page(self.request))

    def test_the_list_of_runs_counts_what_waits_for_the_reader(self):
        runs = reverse("tenants:run_list")
        assert "Departure requests 1 for me" in self.read(runs, self.nia)
        assert "for me" not in self.read(runs, self.mo)

    def test_a_sign_in_that_ended_ahead_can_be_given_back_after_a_no(self):
        request = self.asks(self.ben, end_access_now=True)
        self.decides("reject", request, self.nia, "he stays")
        page = Visitor(self.mo).get(self.page(request)).content.decode()
        assert reverse("technicians:bring_back", args=[self.ben.pk]) in page

    def test_where_nobody_is_left_who_can_agree_it_is_said(self):
        self.policy(approvals=3)
        request = self.asks(self.ben)
        assert "too few people are left here" in self.read(self.page(request), self.mo)


class TheListOfRequests(Scene):
    def test_is_empty_at_first_and_says_what_it_is_for(self):
        assert "No requests yet" in self.read(LIST)

    def test_has_the_open_ones_first_and_keeps_the_others(self):
        self.asks(by=self.owner, reason="the first one")
        DepartureRequest.objects.update(requested_at=timezone.now() - dt.timedelta(days=400))
        self.policy(approvals=1)
        self.asks(self.ben, reason="the open one")
        page = self.read(LIST)
        assert page.index("the open one") < page.index("the first one")

    def test_can_be_narrowed(self):
        self.asks()
        self.policy(approvals=1)
        self.asks(self.ben)
        assert "Ben" in self.read(f"{LIST}?show=waiting") and "Ana" not in self.read(f"{LIST}?show=waiting")
        assert "Ana" in self.read(f"{LIST}?show=started")
        assert "Ben" in self.read(f"{LIST}?show=mine")
        assert "No request fits" in self.read(f"{LIST}?show=mine", self.mo)
        assert "Ana" in self.read(f"{LIST}?show=nonsense")

    def test_an_auditor_reads_it_and_is_offered_nothing(self):
        self.policy(approvals=1)
        request = self.asks()
        auditor = self.office.person("Aud", Role.AUDITOR)
        assert "Ana" in self.read(LIST, auditor)
        page = self.read(self.page(request), auditor)
        assert "Withdraw the request" not in page
        assert self.decides("approve", request, auditor).status_code == 403

    def test_a_technician_has_no_such_page(self):
        assert Visitor(self.ana).get(LIST).status_code == 403

    def test_more_requests_take_no_more_queries(self, django_assert_max_num_queries: Any):
        for number in range(12):
            self.asks(self.office.person(f"Leaver {number}"))
        visitor = Visitor(self.nia)
        with django_assert_max_num_queries(12):
            visitor.get(LIST)


class ThePolicyOfDepartures(Scene):
    FORM = {"approvals": "1", "approvals_above": "50", "approvals_for_many": "2", "webhook_url": ""}

    def saves(self, person: Technician | None = None, **changed: str) -> Any:
        return Visitor(person or self.owner).post(POLICY, self.FORM | changed)

    def test_begins_with_what_is_built_in(self):
        assert "Nobody has set it yet" in self.read(POLICY)

    def test_holds_once_it_is_saved(self):
        assert self.saves(try_code="on").status_code == 302
        policy = departure_policy_of(self.office.reseller.pk)
        assert (policy.approvals, policy.approvals_above, policy.approvals_for_many) == (1, 50, 2)
        assert (policy.try_code, policy.try_password) == (True, False)
        assert "Last changed by Olga" in self.read(POLICY)

    @pytest.mark.parametrize(
        "wrong", [{"approvals": "9"}, {"approvals": "3"}, {"approvals_for_many": ""}, {"webhook_url": "no address"}]
    )
    def test_what_makes_no_sense_is_marked_and_nothing_is_saved(self, wrong: dict[str, str]):
        answer = self.saves(**wrong)
        assert answer.status_code == 422
        assert "Nothing was saved" in words_of(answer)
        assert departure_policy_of(self.office.reseller.pk).changed_by is None

    def test_a_manager_is_told_that_only_an_owner_may_ask_for_fewer(self):
        self.saves()
        answer = self.saves(self.mo, approvals="0")
        assert answer.status_code == 403
        assert "Only an owner may let fewer people agree" in words_of(answer)

    def test_it_needs_a_fresh_code(self):
        assert Visitor(self.owner, fresh=False).post(POLICY, self.FORM).status_code == 422
        assert departure_policy_of(self.office.reseller.pk).approvals == 0

    def test_a_manager_of_some_tenants_reads_it_and_sets_nothing(self):
        sia = self.office.person("Sia", Role.MANAGER, groups=[self.gold])
        assert "Save the policy" not in self.read(POLICY, sia)
        assert self.saves(sia).status_code == 403
