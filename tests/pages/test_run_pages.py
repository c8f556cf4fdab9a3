"""The list of runs and the page of a run: what each person sees, how it moves, and what can be decided there."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from msp.ledger.models import Entry
from technicians.models import Role
from tenants.models import Step, TenantGroup
from tenants.plans import StepKind, StepState
from tests.pages.runs_stage import Office, settle
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


class Scene:
    """Ana left; she and Ben had Contoso and Fabrikam."""

    @pytest.fixture(autouse=True)
    def _scene(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.fabrikam = self.office.account(self.office.tenant("Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            self.office.give(account, self.ana, self.ben)
        self.run = self.office.offboard(self.ana, "moved to another company")
        self.visitor = Visitor(self.office.owner)
        self.url = reverse("tenants:run", args=[self.run.pk])

    def step(self, kind, account=None):
        return Step.objects.get(target__run=self.run, kind=kind, target__account=account or self.contoso)

    def page(self, **headers):
        return self.visitor.get(self.url, headers=headers).content.decode()

    def fragment(self):
        return self.page(HX_Request="true", HX_Target="progress")


class WhenARunIsUnderWay(Scene):
    def test_it_says_who_left_and_why_and_who_asked(self):
        page = self.page()
        assert "Offboarding: Ana" in page
        assert "moved to another company" in page
        assert "Olga" in page

    def test_it_asks_again_by_itself_every_two_seconds(self):
        assert 'hx-trigger="every 2s"' in self.page()
        assert 'hx-trigger="every 2s"' in self.fragment()

    def test_the_fragment_moves_each_account_without_folding_it(self):
        fragment = self.fragment()
        assert "<html" not in fragment
        assert "<details" not in fragment
        assert fragment.count('hx-swap-oob="true"') == 2 * 3 + 2

    def test_without_script_there_is_a_link_to_load_it_again(self):
        assert f'href="{self.url}"' in self.page()

    def test_each_step_stands_there_with_what_is_true_outside(self):
        settle(self.run)
        Step.objects.filter(pk=self.step(StepKind.ROTATE_PASSWORD).pk).update(request_ids=["req-4711"])
        page = self.page()
        assert "Verified: read back and found so" in page
        assert "req-4711" in page
        assert "Ana&#x27;s phone" in page


class WhenNothingIsUnderWayAnyMore(Scene):
    def rest(self):
        Step.objects.filter(target__run=self.run, kind=StepKind.SECOND_LOOK).update(
            due_at=dt.datetime(2030, 1, 1, 12, 34, tzinfo=dt.UTC)
        )
        steps = Step.objects.filter(target__run=self.run).exclude(kind=StepKind.SECOND_LOOK)
        steps.update(status=StepState.VERIFIED, verified_at=timezone.now())

    def test_the_page_stops_asking(self):
        self.rest()
        assert "every 2s" not in self.page()

    def test_the_last_fragment_ends_the_asking_and_says_so_aloud(self):
        self.rest()
        fragment = self.fragment()
        assert "every 2s" not in fragment
        assert "The run has come to rest: Clean so far." in fragment

    def test_clean_so_far_names_the_time_of_the_second_look(self):
        self.rest()
        page = self.page()
        assert "Clean so far" in page
        assert "2030-01-01 12:34" in page

    @pytest.mark.parametrize(
        ("state", "taken"), [("planned", 0), ("blocked", 0), ("waived", 0), ("verified", 1), ("unverified", 1)]
    )
    def test_a_second_look_counts_as_taken_when_somebody_has_looked(self, state, taken):
        self.rest()
        at = timezone.now() if state == "verified" else None
        who = {"waived_by": self.office.owner, "waived_reason": "closes"} if state == "waived" else {}
        Step.objects.filter(pk=self.step(StepKind.SECOND_LOOK).pk).update(status=state, verified_at=at, **who)
        assert f"{taken} of 2 second looks taken" in self.page()

    def test_a_refused_step_makes_it_need_a_person_and_comes_first(self):
        self.rest()
        refused = self.step(StepKind.REMOVE_METHOD, self.fabrikam)
        Step.objects.filter(pk=refused.pk).update(status=StepState.REFUSED, problem="Fabrikam says no.")
        page = self.page()
        assert "Needs attention" in page
        assert "In 1 tenant something needs a person." in page
        assert page.index("fabrikam.example") < page.index("contoso.example")
        assert "Fabrikam says no." in page


class WhenAStepNeedsAPerson(Scene):
    @pytest.fixture(autouse=True)
    def _refused(self, _scene):
        self.refused = self.step(StepKind.REMOVE_METHOD)
        self.refused.advance(StepState.SENDING)
        self.refused.advance(StepState.REFUSED, problem="Microsoft says no.")
        self.waive_url = reverse("tenants:run_waive", args=[self.refused.pk])

    def state(self):
        return Step.objects.get(pk=self.refused.pk).status

    def test_it_can_be_tried_again(self):
        answer = self.visitor.post(reverse("tenants:run_retry", args=[self.refused.target_id]), follow=True)
        assert self.state() == StepState.PLANNED
        assert "One step on admin@contoso.example is planned again." in answer.content.decode()

    def test_trying_again_what_was_not_stopped_changes_nothing_and_says_so(self):
        other = self.step(StepKind.REMOVE_METHOD, self.fabrikam)
        answer = self.visitor.post(reverse("tenants:run_retry", args=[other.target_id]), follow=True)
        assert "There is nothing to try again on admin@fabrikam.example." in answer.content.decode()

    def test_its_gap_is_accepted_with_a_reason_and_a_fresh_code(self):
        visitor = Visitor(self.office.owner, fresh=False)
        answer = visitor.post(self.waive_url, {"reason": "the phone was destroyed", "code": visitor.code()})
        assert answer.status_code == 302
        assert self.state() == StepState.WAIVED
        assert "the phone was destroyed" in self.page()
        assert Entry.objects.filter(verb="step.waived", run_id=self.run.pk).count() == 1

    @pytest.mark.parametrize("code", ["", "000000", "words"])
    def test_without_the_right_code_it_stays_and_the_reason_is_not_lost(self, code):
        visitor = Visitor(self.office.owner, fresh=False)
        answer = visitor.post(self.waive_url, {"reason": "the phone was destroyed", "code": code})
        assert answer.status_code == 422
        assert self.state() == StepState.REFUSED
        assert "the phone was destroyed" in answer.content.decode()

    def test_without_a_reason_it_stays(self):
        answer = self.visitor.post(self.waive_url, {"reason": "  "})
        assert answer.status_code == 422
        assert self.state() == StepState.REFUSED

    def test_what_is_verified_cannot_be_waived(self):
        settle(self.run)
        verified = self.step(StepKind.ROTATE_PASSWORD)
        answer = self.visitor.post(reverse("tenants:run_waive", args=[verified.pk]), {"reason": "no"})
        assert answer.status_code == 422
        assert Step.objects.get(pk=verified.pk).status == StepState.VERIFIED

    def test_an_auditor_sees_it_and_may_decide_nothing(self):
        auditor = Visitor(self.office.person("Aud", Role.AUDITOR))
        page = auditor.get(self.url).content.decode()
        assert "Microsoft says no." in page
        assert "Accept this gap" not in page
        assert "Try again" not in page
        assert auditor.get(self.waive_url).status_code == 403
        assert auditor.post(self.waive_url, {"reason": "x"}).status_code == 403
        assert auditor.post(reverse("tenants:run_retry", args=[self.refused.target_id])).status_code == 403
        assert self.state() == StepState.REFUSED


class EveryWallStands(Scene):
    def urls(self):
        step = self.step(StepKind.REMOVE_METHOD)
        return [
            self.url,
            reverse("tenants:run_waive", args=[step.pk]),
            reverse("tenants:run_retry", args=[step.target_id]),
        ]

    def test_another_resellers_owner_finds_nothing(self):
        stranger = Visitor(Office("Tailspin MSP").owner)
        for url in self.urls():
            assert stranger.get(url).status_code in (404, 405), url
            assert stranger.post(url, {"reason": "x"}).status_code in (404, 405), url
        assert "Ana" not in stranger.get(reverse("tenants:run_list")).content.decode()

    def test_a_technician_has_no_door_to_runs(self):
        ben = Visitor(self.ben)
        assert ben.get(reverse("tenants:run_list")).status_code == 403
        assert ben.get(self.url).status_code == 403

    def test_a_scoped_manager_sees_only_the_tenants_in_reach(self):
        group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
        group.tenants.add(self.contoso.tenant)
        manager = Visitor(self.office.person("Mia", Role.MANAGER, groups=[group]))
        page = manager.get(self.url).content.decode()
        assert "contoso.example" in page
        assert "fabrikam" not in page
        assert "on 1 account in 1 tenant" in page
        hidden = self.step(StepKind.REMOVE_METHOD, self.fabrikam)
        assert manager.get(reverse("tenants:run_waive", args=[hidden.pk])).status_code == 404
        assert manager.post(reverse("tenants:run_retry", args=[hidden.target_id])).status_code == 404

    def test_the_state_that_a_scoped_person_reads_is_that_of_what_is_seen(self):
        settle(self.run)
        refused = self.step(StepKind.REMOVE_METHOD, self.fabrikam)
        Step.objects.filter(pk=refused.pk).update(status=StepState.REFUSED)
        contact = self.office.person("Carl", Role.CUSTOMER_CONTACT, customer=self.contoso.tenant.customer)
        for url in (self.url, reverse("tenants:run_list")):
            page = Visitor(contact).get(url).content.decode()
            assert "Needs attention" not in page
            assert "Clean" in page

    def test_who_is_not_signed_in_is_sent_to_the_door(self, client):
        answer = client.get(self.url)
        assert answer.status_code == 302
        assert reverse("access:sign_in") in answer["Location"]


class WhenThereAreManyRunsAndTenants:
    def build(self, count):
        office = Office(f"Reseller{count} IT")
        visitor = Visitor(office.owner)
        for number in range(count):
            leaver, stays = office.person(f"Leaver {number}"), office.person(f"Stays {number}")
            office.held_by(leaver, stays, tenants=2, word=f"Customer {count} {number}")
            office.offboard(leaver)
        everybody = office.person("Everybody"), office.person("Remaining")
        office.held_by(*everybody, tenants=count, word=f"Big {count}")
        run = office.offboard(everybody[0])
        return visitor, reverse("tenants:run", args=[run.pk])

    @pytest.mark.parametrize("count", [2, 12])
    def test_the_pages_ask_a_constant_number_of_queries(self, count, django_assert_max_num_queries):
        visitor, url = self.build(count)
        with django_assert_max_num_queries(18):
            visitor.get(reverse("tenants:run_list"))
        with django_assert_max_num_queries(24):
            visitor.get(url)

    def test_a_big_run_is_paged_by_tenant(self):
        office = Office()
        leaver, stays = office.person("Ana"), office.person("Ben")
        office.held_by(leaver, stays, tenants=23)
        url = reverse("tenants:run", args=[office.offboard(leaver).pk])
        visitor = Visitor(office.owner)
        first, second = (visitor.get(f"{url}?page={page}").content.decode() for page in (1, 2))
        assert "1 to 20 of 23" in first
        assert first.count("<details") == 20
        assert second.count("<details") == 3


class WhenThereIsNoRunYet:
    def test_the_list_says_what_starts_one(self):
        page = Visitor(Office().owner).get(reverse("tenants:run_list")).content.decode()
        assert "There are no runs yet" in page
