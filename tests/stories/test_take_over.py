"""Accounts that people used before Latchkey: at the end each person has a method of their own, and nobody is lost."""

from __future__ import annotations

from typing import Any

import pytest

from msp.errors import BadInput, NotPermitted
from technicians.actions.assign import assign
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.claim_method import unclaim
from technicians.actions.do_take_over_task import ask_again, excuse
from technicians.actions.finish_take_over import (
    cancel_take_over,
    mind_take_overs,
)
from technicians.actions.free_place import free_place, preview_place
from technicians.actions.remove_unknown import preview_removal
from technicians.actions.start_take_over import bring_up_to_date
from technicians.models import Authenticator, EnrolmentRequest, Role, TakeOver
from tenants.models import SharedAccount, TenantGroup
from tenants.plans import RunState
from tests.support.taken_over import NAMES, Scene

Proof = Authenticator.Proof
Status = TakeOver.Status


class WhenFiveMethodsOfNobodyFillTheAccountAndAPlaceIsFreedFirst(Scene):
    """Five code apps that look alike: nothing can be claimed, so one after the other enrols anew."""

    def test_all_five_end_with_a_method_of_their_own_and_get_in_with_it(self):
        old = self.old()
        take_over = self.stage.start(self.account)
        assert set(self.stage.tasks(take_over).values()) == {"open"}
        for number, name in enumerate(NAMES, start=1):
            run = self.stage.frees_a_place(take_over, self.account)
            assert self.world.state(run) == RunState.CLEAN
            assert len(self.world.methods_on(self.account)) == 4
            self.stage.enrols(name, self.account)
            assert len(self.unknown()) == 5 - number
            # Nobody is locked out on the way: whoever enrolled gets in, and so do the old phones that are left.
            assert all(self.stage.gets_in(done, self.account) for done in NAMES[:number])
            left = [phone for phone in old if phone in self.world.methods_on(self.account)]
            assert all(self.stage.old_phone_gets_in(self.account, phone) for phone in left)
        bring_up_to_date(take_over)
        assert set(self.stage.tasks(take_over).values()) == {"enrolled"}
        assert self.stage.bound(self.account) == dict.fromkeys(NAMES, Proof.ACTIVATED)
        assert self.unknown() == set()
        self.removes(take_over)
        assert take_over.status == Status.FINISHED
        assert take_over.run is None
        assert all(self.stage.gets_in(name, self.account) for name in NAMES)
        assert not EnrolmentRequest.objects.open().exists()


class WhenFiveMethodsOfNobodyFillTheAccountAndClaimsComeFirst(Scene):
    """Three hardware tokens that bear numbers, and two code apps that look alike."""

    def test_claims_free_nothing_and_the_others_enrol_anew_and_all_get_in(self):
        tokens = {
            name: self.stage.old_phone(self.account, "hardware_oath", serialNumber=f"SERIAL-{name}")
            for name in ("Ana", "Ben", "Cid")
        }
        apps = self.old(2)
        take_over = self.stage.start(self.account)
        for name, token in tokens.items():
            self.stage.claims(name, self.stage.method(self.account, token))
        assert self.stage.tasks(take_over) == {
            "Ana": "claimed", "Ben": "claimed", "Cid": "claimed", "Dan": "open", "Eve": "open",
        }  # fmt: skip
        for name in ("Dan", "Eve"):
            self.stage.frees_a_place(take_over, self.account)
            self.stage.enrols(name, self.account)
        assert self.world.methods_on(self.account).isdisjoint(apps)
        assert set(tokens.values()) <= self.world.methods_on(self.account)
        self.removes(take_over)
        assert take_over.status == Status.FINISHED
        assert set(self.stage.bound(self.account)) == set(NAMES)
        assert len(self.world.methods_on(self.account)) == 5
        for token in tokens.values():
            assert self.stage.old_phone_gets_in(self.account, token)
        assert all(self.stage.gets_in(name, self.account) for name in ("Dan", "Eve"))

    def test_the_rule_never_frees_a_place_that_somebody_claimed(self):
        tokens = [self.stage.old_phone(self.account, "hardware_oath", serialNumber=f"SERIAL-{n}") for n in range(5)]
        take_over = self.stage.start(self.account)
        for name, token in zip(NAMES, tokens, strict=True):
            self.stage.claims(name, self.stage.method(self.account, token))
        preview = preview_place(take_over, self.account, by=self.world.owner, outside=self.stage.outside)
        assert preview.plan.goes is None
        self.removes(take_over)
        assert take_over.status == Status.FINISHED
        assert self.world.methods_on(self.account) == set(tokens)


class WhenAGroupOfTenAccountsIsTakenOver(Scene):
    def test_what_nobody_claimed_goes_everywhere_and_everybody_keeps_a_way_in(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="Ten")
        accounts = []
        for number in range(10):
            tenant = self.stage.tenant(f"Company {number}")
            group.tenants.add(tenant)
            accounts.append(self.stage.account(tenant, holders=("Ana", "Ben")))
        for account in accounts:
            self.stage.old_phone(account)
            self.stage.old_phone(account, "microsoft_authenticator", "Ben's Pixel")
        take_over = self.stage.start(*SharedAccount.objects.filter(tenant__groups=group).select_related("tenant"))
        assert EnrolmentRequest.objects.open().filter(because="take_over").count() == 20
        for account in accounts:
            self.stage.enrols("Ana", account)
            self.stage.claims("Ben", account.methods.unknown().get(kind="microsoft_authenticator"))
        plan = preview_removal(take_over, by=self.world.owner)
        assert (plan.methods, plan.changed, plan.tenants, len(plan.held)) == (10, 10, 10, 0)
        self.removes(take_over)
        assert take_over.status == Status.REMOVING
        self.works(take_over)
        assert take_over.status == Status.FINISHED
        for account in accounts:
            assert self.stage.bound(account) == {"Ana": Proof.ACTIVATED, "Ben": Proof.CLAIMED}
            assert len(self.world.methods_on(account)) == 2
            assert self.stage.gets_in("Ana", account)


class WhenATakeOverStarts(Scene):
    def test_whoever_has_a_proven_method_is_excused_with_a_note(self):
        self.stage.enrols("Ana", self.account)
        take_over = self.stage.start(self.account)
        task = self.task(take_over, "Ana")
        assert task.status == "excused"
        assert task.note.startswith("Has one already")
        assert set(EnrolmentRequest.objects.open().values_list("technician__name", flat=True)) == set(NAMES) - {"Ana"}

    def test_the_word_of_an_imported_list_is_not_enough(self):
        (phone,) = self.old(1)
        self.stage.read(self.account)
        bind_authenticator(
            self.stage.method(self.account, phone), self.people["Ana"], by=self.world.owner, proof=Proof.IMPORTED
        )
        take_over = self.stage.start(self.account)
        assert self.task(take_over, "Ana").status == "open"
        self.stage.claims("Ana", self.stage.method(self.account, phone))
        assert self.task(take_over, "Ana").status == "claimed"

    def test_an_account_is_in_one_open_take_over_at_a_time(self):
        self.stage.start(self.account)
        with pytest.raises(BadInput, match="In another take-over already"):
            self.stage.start(self.account)

    def test_a_break_glass_account_takes_no_part(self):
        SharedAccount.objects.filter(pk=self.account.pk).update(break_glass=True)
        self.account.refresh_from_db()
        with pytest.raises(BadInput, match="break-glass"):
            self.stage.start(self.account)

    def test_a_technician_cannot_start_one_and_a_manager_only_where_they_see(self):
        with pytest.raises(NotPermitted):
            self.stage.start(self.account, by=self.people["Ana"])
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="Elsewhere")
        scoped = self.world.technician("Sia", Role.MANAGER, groups=[group])
        with pytest.raises(NotPermitted, match="not yours to see"):
            self.stage.start(self.account, by=scoped)

    @pytest.mark.parametrize(
        ("facts", "says"),
        [({"due_in": -1}, "is past"), ({"reason": " "}, "Say why"), ({"owner": "Ana"}, "cannot own a take-over")],
    )
    def test_what_is_missing_is_said_and_nothing_is_started(self, facts: dict[str, Any], says: str):
        if "owner" in facts:
            facts = {"owner": self.people["Ana"]}
        with pytest.raises(BadInput, match=says):
            self.stage.start(self.account, **facts)
        assert not TakeOver.objects.exists()

    def test_an_account_that_cannot_be_read_does_not_stop_the_others(self):
        other = self.stage.account(self.stage.tenant("Fabrikam"), holders=("Ana",))
        self.world.cloud.withdraw_consent(next(iter(self.world.cloud.apps)), self.world.directory_id(other))
        self.old(1)
        take_over = self.stage.start(self.account, other)
        assert take_over.accounts.count() == 2
        assert len(self.unknown()) == 1


class WhenSomebodyComesToTheAccountMeanwhile(Scene):
    def test_they_are_asked_too(self):
        take_over = self.stage.start(self.account)
        fay = self.world.technician("Fay")
        assign(fay, self.account, by=self.world.owner, reason="new on the team")
        mind_take_overs()
        assert self.stage.tasks(take_over)["Fay"] == "open"
        assert EnrolmentRequest.objects.open().filter(technician=fay, account=self.account).exists()

    def test_nothing_is_asked_twice(self):
        take_over = self.stage.start(self.account)
        assert bring_up_to_date(take_over) == 0


class WhenAManagerDecidesAboutAPerson(Scene):
    def test_an_excuse_takes_a_reason_and_ends_the_asking(self):
        take_over = self.stage.start(self.account)
        task = self.task(take_over, "Ana")
        with pytest.raises(BadInput, match="Say why"):
            excuse(task, by=self.world.owner, reason=" ")
        excuse(task, by=self.world.owner, reason="on leave until May")
        assert self.task(take_over, "Ana").note == "on leave until May"
        assert not EnrolmentRequest.objects.open().filter(technician=self.people["Ana"]).exists()
        with pytest.raises(BadInput, match="not open any more"):
            excuse(self.task(take_over, "Ana"), by=self.world.owner, reason="again")

    def test_it_can_be_taken_back(self):
        take_over = self.stage.start(self.account)
        excuse(self.task(take_over, "Ana"), by=self.world.owner, reason="on leave")
        ask_again(self.task(take_over, "Ana"), by=self.world.owner)
        assert self.task(take_over, "Ana").status == "open"
        assert EnrolmentRequest.objects.open().filter(technician=self.people["Ana"]).exists()

    def test_a_colleague_cannot(self):
        take_over = self.stage.start(self.account)
        with pytest.raises(NotPermitted):
            excuse(self.task(take_over, "Ana"), by=self.people["Ben"], reason="she said so")

    def test_a_claim_that_is_taken_back_opens_the_task_again(self):
        push = self.stage.old_phone(self.account, "microsoft_authenticator", "Ana's iPhone")
        take_over = self.stage.start(self.account)
        bound = self.stage.claims("Ana", self.stage.method(self.account, push))
        assert self.task(take_over, "Ana").status == "claimed"
        unclaim(bound, by=self.people["Ana"], reason="it was another")
        assert self.task(take_over, "Ana").status == "open"
        assert EnrolmentRequest.objects.open().filter(technician=self.people["Ana"]).exists()

    def test_a_method_that_lets_nobody_in_is_no_end_of_the_task(self):
        mail = self.stage.old_phone(self.account, "email", emailAddress="ana@home.example")
        take_over = self.stage.start(self.account)
        self.stage.claims("Ana", self.stage.method(self.account, mail))
        assert self.task(take_over, "Ana").status == "open"


class WhenAPlaceIsFreed(Scene):
    def test_the_decision_is_about_the_method_that_was_looked_at(self):
        self.old()
        take_over = self.stage.start(self.account)
        with pytest.raises(BadInput, match="another method would go"):
            free_place(
                take_over,
                self.account,
                method_id="another",
                by=self.world.owner,
                reason="x",
                outside=self.stage.outside,
            )
        assert len(self.world.methods_on(self.account)) == 5

    def test_one_that_somebody_used_lately_is_passed_over(self):
        self.world.cloud.tenant(str(self.tenant.directory_id)).plans = ["AAD_PREMIUM"]
        push = self.stage.old_phone(self.account, "microsoft_authenticator", "Ana's iPhone")
        self.old(4)
        assert self.stage.lets_in(self.account, push=push)
        take_over = self.stage.start(self.account)
        preview = preview_place(take_over, self.account, by=self.world.owner, outside=self.stage.outside)
        assert preview.log_problem == ""
        assert [c.method.directory_id for c in preview.plan.passed_over] == [push]
        self.stage.frees_a_place(take_over, self.account)
        assert push in self.world.methods_on(self.account)

    def test_without_a_licence_the_preview_says_that_use_is_not_known(self):
        self.old()
        take_over = self.stage.start(self.account)
        preview = preview_place(take_over, self.account, by=self.world.owner, outside=self.stage.outside)
        assert "licence" in preview.log_problem
        assert preview.plan.goes is not None

    def test_two_managers_free_one_place_and_not_two(self):
        self.old()
        take_over = self.stage.start(self.account)
        goes = preview_place(take_over, self.account, by=self.world.owner, outside=self.stage.outside).plan.goes
        facts = {"by": self.world.owner, "reason": "for Ana", "outside": self.stage.outside}
        free_place(take_over, self.account, method_id=goes.method.id, **facts)
        with pytest.raises(BadInput, match="already"):
            free_place(take_over, self.account, method_id=goes.method.id, **facts)

    def test_only_a_manager_may_and_only_inside_an_open_take_over(self):
        self.old()
        take_over = self.stage.start(self.account)
        with pytest.raises(NotPermitted):
            preview_place(take_over, self.account, by=self.people["Ana"], outside=self.stage.outside)
        cancel_take_over(take_over, by=self.world.owner, reason="not now")
        with pytest.raises(BadInput, match="not open"):
            preview_place(take_over, self.account, by=self.world.owner, outside=self.stage.outside)
