"""Others have to agree: four eyes, a quorum for many accounts, a no, a way round it that is seen, and two at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.decide_request import approve, override, reject, review_override, withdraw
from technicians.actions.offboard import offboard
from technicians.departure_queries import to_review_by, waiting_for
from technicians.models import Approval, DepartureRequest, Role, Technician
from tenants.actions.alarms import see_to_alarm
from tenants.actions.set_departure_policy import facts_of, set_departure_policy
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Alarm, Delivery, Run, TenantGroup
from tests.stories.test_take_over_races import at_once, said
from tests.support.closed_ledger import close_the_ledger
from tests.support.departures import Scene

Status = DepartureRequest.Status


class FourEyes(Scene):
    @pytest.fixture(autouse=True)
    def _four_eyes(self, _scene: None) -> None:
        self.policy(approvals=1)


class WhenOneOtherHasToAgree(FourEyes):
    def test_nothing_starts_before(self):
        request = self.asks()
        assert (request.status, request.run) == (Status.WAITING, None)
        assert self.now(self.ana).is_active
        assert not Run.objects.exists()

    def test_it_starts_with_the_approval_and_the_run_names_who_asked_and_the_ledger_who_agreed(self):
        request = self.asks()
        run = approve(request, by=self.nia, note="I know of it")
        assert self.now(request).status == Status.STARTED
        assert self.now(self.ana).status == Technician.Status.LEFT
        assert self.now(run).requested_by == self.mo
        assert Entry.objects.get(verb="departure.started").facts["approved_by"] == [self.nia.email]
        self.world.work(run)
        assert self.world.gets_in(self.contoso, self.ben)

    def test_neither_who_asked_nor_the_leaver_nor_anybody_without_the_right_can_agree(self):
        manager = self.world.technician("Max", Role.MANAGER)
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        sia = self.world.technician("Sia", Role.MANAGER, groups=[group])
        request = self.asks(manager)
        for person in (self.mo, manager, self.ben, sia):
            with pytest.raises(NotPermitted):
                approve(request, by=person)
        assert self.now(request).status == Status.WAITING

    def test_a_no_ends_it_for_good(self):
        request = self.asks()
        reject(request, by=self.nia, reason="she stays after all")
        ended = self.now(request)
        assert (ended.status, ended.ended_by, ended.ended_because) == (Status.REJECTED, self.nia, "she stays after all")
        with pytest.raises(BadInput, match="Rejected"):
            approve(request, by=self.owner)
        assert self.now(self.ana).is_active

    def test_a_no_needs_a_reason(self):
        request = self.asks()
        with pytest.raises(BadInput, match="Say why"):
            reject(request, by=self.nia, reason=" ")
        assert not Approval.objects.exists()

    def test_whoever_asked_may_withdraw_it_and_then_ask_again(self):
        request = self.asks()
        withdraw(request, by=self.mo, reason="the wrong person")
        assert self.now(request).status == Status.WITHDRAWN
        assert self.asks().status == Status.WAITING

    def test_one_word_is_not_enough_to_offboard(self):
        with pytest.raises(BadInput, match="1 others to agree"):
            offboard(self.ana, by=self.owner, reason="resigned")
        assert not DepartureRequest.objects.exists()
        assert self.now(self.ana).is_active

    def test_those_who_can_agree_find_it_among_what_waits_for_them(self):
        request = self.asks()
        assert [list(waiting_for(p)) for p in (self.nia, self.mo, self.ana, self.ben)] == [[request], [], [], []]
        approve(request, by=self.nia)
        assert not waiting_for(self.owner).exists()

    def test_those_who_can_agree_get_a_mail(self, settings: Any):
        settings.MAIL_FROM = "latchkey@reseller.example"
        self.asks()
        told = Delivery.objects.filter(about="request.waiting")
        assert set(told.values_list("address", flat=True)) == {self.nia.email, self.owner.email}
        assert "Ana" in told[0].facts["title"]

    def test_without_a_record_no_approval_counts(self, monkeypatch: pytest.MonkeyPatch):
        request = self.asks()
        close_the_ledger(monkeypatch)
        with pytest.raises(LedgerClosed):
            approve(request, by=self.nia)
        assert not Approval.objects.exists()
        assert self.now(self.ana).is_active

    def test_the_sign_in_can_end_while_it_is_awaited(self):
        request = self.asks(end_access_now=True)
        assert self.now(self.ana).status == Technician.Status.SUSPENDED
        run = approve(request, by=self.nia)
        assert self.now(self.ana).status == Technician.Status.LEFT
        self.world.work(run)
        assert {target.account for target in run.targets.all()} == {self.contoso, self.fabrikam}


class WhenManyAccountsNeedMorePeople(Scene):
    @pytest.fixture(autouse=True)
    def _quorum(self, _scene: None) -> None:
        self.policy(approvals=0, approvals_above=1, approvals_for_many=2)

    def test_a_small_departure_starts_at_once(self):
        assert self.asks(place=self.contoso).status == Status.STARTED

    def test_a_large_one_waits_for_all_of_them(self):
        request = self.asks()
        assert request.approvals_needed == 2
        assert self.approves(request, self.nia) is None
        assert self.now(request).status == Status.WAITING
        assert self.approves(request, self.owner) is not None
        assert self.now(request).status == Status.STARTED

    def test_nobody_counts_twice(self):
        request = self.asks()
        approve(request, by=self.nia)
        with pytest.raises(BadInput, match="already"):
            approve(request, by=self.nia)
        assert self.now(request).status == Status.WAITING

    def test_a_departure_that_has_grown_meanwhile_needs_what_the_larger_one_needs(self):
        self.policy(approvals=1, approvals_above=2)
        request = self.asks()
        assert request.approvals_needed == 1
        self.world.give(self.world.account(self.contoso.tenant, "third"), self.ana)
        assert approve(request, by=self.nia) is None
        grown = self.now(request)
        assert (grown.status, grown.approvals_needed) == (Status.WAITING, 2)

    def test_a_policy_made_milder_does_not_let_a_waiting_one_through(self):
        request = self.asks()
        self.policy(approvals_above=None)
        assert approve(request, by=self.nia) is None


class WhenAnOwnerStartsItWithoutApproval(FourEyes):
    def started(self) -> DepartureRequest:
        request = self.asks()
        self.run = override(request, by=self.owner, reason="she is copying customer data")
        return self.now(request)

    def test_it_starts_at_once_and_an_alarm_and_the_ledger_say_so(self):
        request = self.started()
        assert request.status == Status.STARTED
        assert (request.override_by, request.override_reason) == (self.owner, "she is copying customer data")
        assert Alarm.objects.open().get(run=self.run).kind == Alarm.Kind.OVERRIDE
        assert Entry.objects.filter(verb="departure.overridden").count() == 1

    def test_somebody_else_reviews_it_and_the_alarm_ends(self):
        request = self.started()
        assert [list(to_review_by(p)) for p in (self.owner, self.nia)] == [[], [request]]
        review_override(request, by=self.nia, note="it was right")
        reviewed = self.now(request)
        assert (reviewed.reviewed_by, reviewed.review) == (self.nia, "it was right")
        assert not Alarm.objects.open().exists()
        assert not to_review_by(self.nia).exists()

    def test_nobody_reviews_what_they_started_themselves(self):
        request = self.started()
        with pytest.raises(NotPermitted, match="Somebody else"):
            review_override(request, by=self.owner, note="fine")
        assert Alarm.objects.open().exists()

    def test_the_alarm_is_not_put_away_without_a_review(self):
        self.started()
        with pytest.raises(BadInput, match="reviews that"):
            see_to_alarm(Alarm.objects.get(), by=self.owner)
        assert Alarm.objects.open().exists()

    def test_a_review_needs_words_and_is_given_once(self):
        request = self.started()
        with pytest.raises(BadInput, match="Say what you found"):
            review_override(request, by=self.nia, note="")
        review_override(request, by=self.nia, note="it was right")
        with pytest.raises(BadInput, match="nothing to review"):
            review_override(request, by=self.mo, note="it was wrong")

    def test_only_an_owner_with_a_reason_may_and_never_about_themselves(self):
        request = self.asks()
        with pytest.raises(NotPermitted, match="Only an owner"):
            override(request, by=self.nia, reason="urgent")
        with pytest.raises(BadInput, match="Say why"):
            override(request, by=self.owner, reason="")
        second = self.world.technician("Otto", Role.OWNER)
        own = self.asks(second, by=self.owner)
        with pytest.raises(NotPermitted):
            override(own, by=second, reason="urgent")
        assert not Run.objects.exists()


class WhoMayChangeHowManyHaveToAgree(FourEyes):
    def rules(self, **changed: Any) -> dict[str, Any]:
        return facts_of(departure_policy_of(self.world.reseller.pk)) | changed

    @pytest.mark.parametrize("fewer", [{"approvals": 0}, {"approvals_above": None}, {"approvals_above": 100}])
    def test_fewer_only_an_owner(self, fewer: dict[str, Any]):
        self.policy(approvals_above=50, approvals_for_many=2)
        with pytest.raises(NotPermitted, match="Only an owner"):
            set_departure_policy(self.rules(**fewer), by=self.mo)
        set_departure_policy(self.rules(**fewer), by=self.owner)

    def test_more_a_manager_too(self):
        set_departure_policy(self.rules(approvals=2), by=self.mo)
        assert departure_policy_of(self.world.reseller.pk).approvals == 2

    def test_a_number_that_nobody_can_mean_is_refused(self):
        with pytest.raises(BadInput):
            set_departure_policy(self.rules(approvals=9), by=self.owner)

    def test_the_ledger_keeps_only_the_host_of_a_webhook(self):
        set_departure_policy(self.rules(webhook_url="https://hooks.example/T0/secret-part"), by=self.owner)
        written = str(Entry.objects.filter(verb="departure_policy.set").latest("at").facts)
        assert "hooks.example" in written
        assert "secret-part" not in written


@pytest.mark.django_db(transaction=True)
class WhenTwoApproveInTheSameMoment(Scene):
    def test_it_starts_once(self):
        self.policy(approvals=1)
        request, together = self.asks(), threading.Barrier(2)
        people = {"Nia": self.nia, "Olga": self.owner}

        def approves(name: str) -> str:
            together.wait(timeout=60)
            return said(lambda: approve(request, by=people[name]))

        answers = at_once(approves, *people)
        assert answers.count("") == 1
        assert "does not wait for a decision any more" in "".join(answers)
        assert Run.objects.count() == 1

    def test_both_count_where_both_are_needed(self):
        self.policy(approvals=2)
        request, together = self.asks(), threading.Barrier(2)
        people = {"Nia": self.nia, "Olga": self.owner}

        def approves(name: str) -> str:
            together.wait(timeout=60)
            return said(lambda: approve(request, by=people[name]))

        assert at_once(approves, *people) == ["", ""]
        assert self.now(request).status == Status.STARTED
        assert Run.objects.count() == 1

    def test_a_yes_and_a_no_leave_one_of_them_standing(self):
        self.policy(approvals=1)
        request, together = self.asks(), threading.Barrier(2)
        acts = {
            "Nia": lambda: approve(request, by=self.nia),
            "Olga": lambda: reject(request, by=self.owner, reason="not yet"),
        }

        def decides(name: str) -> str:
            together.wait(timeout=60)
            return said(acts[name])

        assert at_once(decides, *acts).count("") == 1
        ended = self.now(request)
        assert (ended.status == Status.STARTED) == (ended.run is not None) == Run.objects.exists()


@pytest.mark.django_db(transaction=True)
class WhenTwoAskForTheSameDepartureInTheSameMoment(Scene):
    def test_there_is_one_request(self):
        self.policy(approvals=1)
        together = threading.Barrier(2)

        def asks(name: str) -> str:
            together.wait(timeout=60)
            return said(lambda: self.asks(by=self.mo if name == "Mo" else self.nia))

        answers = at_once(asks, "Mo", "Nia")
        assert answers.count("") == 1
        assert DepartureRequest.objects.count() == 1
