"""A method that was there before Latchkey, and somebody says whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from msp.errors import BadInput, NeedsLicence, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.assign import end_assignment
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.claim_method import claim, sign_ins_naming, unclaim
from technicians.models import Authenticator
from tenants.models import EnrolmentPolicy, Finding, Method, SharedAccount, Step
from tenants.plans import StepKind, StepState
from tests.support.taken_over import TakenOver
from tests.support.world import World

Proof = Authenticator.Proof


class Scene:
    """Ana and Ben hold Contoso's account; Ana's push and a phone number stand on it, bound to nobody."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world, self.stage = world, TakenOver(world)
        self.tenant = self.stage.tenant("Contoso")
        self.account: SharedAccount = self.stage.account(self.tenant, holders=("Ana", "Ben"))
        self.push = self.appears("microsoft_authenticator", "Ana's iPhone")
        self.ana, self.ben = self.stage.people["Ana"], self.stage.people["Ben"]

    def appears(self, kind: str, label: str = "", **details: Any) -> Method:
        made = self.stage.old_phone(self.account, kind, label, **details)
        self.stage.read(self.account)
        return self.stage.method(self.account, made)

    def unknown(self) -> set[Method]:
        return set(self.account.methods.unknown())

    def findings(self, kind: str) -> list[Finding]:
        return list(self.account.findings.filter(kind=kind).exclude(status="resolved"))


class WhenSomebodyClaimsWhatBearsTheirName(Scene):
    def test_it_is_bound_to_them_by_their_word_and_is_no_drift_any_more(self):
        bound = self.stage.claims("Ana", self.push)
        assert (bound.technician, bound.proof, bound.bound_by) == (self.ana, Proof.CLAIMED, self.ana)
        assert self.unknown() == set()
        assert self.findings(Finding.Kind.UNKNOWN_METHOD) == []
        assert Entry.objects.filter(verb="authenticator.bound", technician_id=self.ana.pk).count() == 1

    def test_push_on_a_shared_account_stays_a_finding(self):
        self.stage.claims("Ana", self.push)
        assert len(self.findings(Finding.Kind.PUSH_ON_SHARED)) == 1

    def test_nobody_else_can_have_it_afterwards(self):
        self.stage.claims("Ana", self.push)
        with pytest.raises(BadInput, match="bound to Ana already"):
            self.stage.claims("Ben", self.push)

    def test_nobody_claims_in_the_name_of_another(self):
        with pytest.raises(NotPermitted, match="for yourself only"):
            self.stage.claims("Ana", self.push, by=self.ben)
        with pytest.raises(NotPermitted, match="Only Ana"):
            self.stage.claims("Ana", self.push, by=self.world.owner)
        assert self.unknown() == {self.push}

    def test_somebody_who_does_not_hold_the_account_cannot(self):
        with pytest.raises(BadInput, match="not assigned to Cid"):
            self.stage.claims("Cid", self.push)

    def test_the_policy_may_forbid_it(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, claims=False)
        with pytest.raises(BadInput, match="enrolment policy"):
            self.stage.claims("Ana", self.push)
        assert self.unknown() == {self.push}

    def test_a_method_that_is_gone_cannot_be_claimed(self):
        self.world.cloud.remove_method_as_person(
            self.world.directory_id(self.account), self.account.object_id, self.push.directory_id
        )
        self.stage.read(self.account)
        with pytest.raises(BadInput, match="not on the account any more"):
            self.stage.claims("Ana", self.push)


class WhenSeveralMethodsLookTheSame(Scene):
    def test_nobody_can_pick_one_of_them_by_a_word(self):
        app = self.appears("software_oath")
        self.appears("software_oath")
        with pytest.raises(BadInput, match="look the same"):
            self.stage.claims("Ana", app)

    def test_a_single_app_can_be_claimed(self):
        app = self.appears("software_oath")
        assert self.stage.claims("Ana", app).technician == self.ana

    def test_the_password_and_a_pass_are_nobodys(self):
        access_pass = self.appears("temporary_access_pass")
        password = self.account.methods.present().get(kind="password")
        for method in (access_pass, password):
            with pytest.raises(BadInput, match="nobody's own"):
                self.stage.claims("Ana", method)


class WhenAManagerKnowsWhoseItIs(Scene):
    def says(self, **facts: Any) -> Authenticator:
        told = {
            "by": self.world.owner,
            "proof": Proof.SAID,
            "note": "I saw it on her desk",
            "outside": self.stage.outside,
        }
        return claim(self.push, self.ana, **(told | facts))

    def test_it_is_bound_and_marked_as_a_managers_word_with_the_note(self):
        bound = self.says()
        assert (bound.proof, bound.note, bound.bound_by) == (Proof.SAID, "I saw it on her desk", self.world.owner)

    def test_without_a_note_nothing_is_bound(self):
        with pytest.raises(BadInput, match="how you know"):
            self.says(note=" ")

    def test_a_colleague_cannot_say_so(self):
        with pytest.raises(NotPermitted):
            self.says(by=self.ben)
        with pytest.raises(NotPermitted, match="Only a manager"):
            claim(self.push, self.ben, by=self.ben, proof=Proof.SAID, note="mine", outside=self.stage.outside)

    def test_no_proof_of_enrolment_can_be_claimed(self):
        with pytest.raises(BadInput, match="no kind of claim"):
            self.says(proof=Proof.PROVEN)


class WhenASignInNamesTheDevice(Scene):
    """Contoso has Entra ID P1, so the log of sign-ins can be read."""

    @pytest.fixture(autouse=True)
    def _signed_in(self, _scene: None) -> None:
        self.world.cloud.tenant(str(self.tenant.directory_id)).plans = ["AAD_PREMIUM"]
        assert self.stage.lets_in(self.account, push=self.push.directory_id)

    def evidence(self) -> Any:
        (found,) = sign_ins_naming(self.push, outside=self.stage.outside)
        return found

    def test_it_is_offered_as_evidence(self):
        assert self.evidence().factor == "Mobile app notification (Ana's iPhone)"

    def test_whoever_it_was_is_bound_by_it(self):
        bound = self.stage.claims("Ana", self.push, proof=Proof.SIGNED_IN, event=self.evidence().event_id)
        assert bound.proof == Proof.SIGNED_IN
        assert "Ana's iPhone" in bound.note

    def test_it_counts_where_the_policy_takes_no_word(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, claims=False)
        bound = self.stage.claims("Ana", self.push, proof=Proof.SIGNED_IN, event=self.evidence().event_id)
        assert bound.technician == self.ana

    def test_an_event_that_the_log_does_not_hold_binds_nobody(self):
        for event in ("made-up", None):
            with pytest.raises(BadInput, match="not among those"):
                self.stage.claims("Ana", self.push, proof=Proof.SIGNED_IN, event=event)
        assert self.unknown() == {self.push}

    def test_a_sign_in_with_another_device_is_not_offered(self):
        other = self.appears("microsoft_authenticator", "Ben's Pixel")
        assert sign_ins_naming(other, outside=self.stage.outside) == ()

    def test_without_a_licence_the_log_says_so(self):
        self.world.cloud.tenant(str(self.tenant.directory_id)).plans = []
        with pytest.raises(NeedsLicence):
            sign_ins_naming(self.push, outside=self.stage.outside)


class WhenAClaimWasWrong(Scene):
    def test_the_person_or_a_manager_takes_it_back_and_it_is_drift_again(self):
        for by in (self.ana, self.world.owner):
            unclaim(self.stage.claims("Ana", self.push), by=by, reason="it is Ben's")
            assert self.unknown() == {self.push}
            assert len(self.findings(Finding.Kind.UNKNOWN_METHOD)) == 1
        assert Entry.objects.filter(verb="authenticator.unclaimed").count() == 2
        assert self.stage.claims("Ben", self.push).technician == self.ben

    def test_a_colleague_cannot_take_it_back(self):
        bound = self.stage.claims("Ana", self.push)
        with pytest.raises(NotPermitted):
            unclaim(bound, by=self.ben, reason="it is mine")

    def test_it_takes_a_reason(self):
        bound = self.stage.claims("Ana", self.push)
        with pytest.raises(BadInput, match="Say why"):
            unclaim(bound, by=self.ana, reason=" ")

    @pytest.mark.parametrize("proof", [Proof.OBSERVED, Proof.PROVEN, Proof.ACTIVATED, Proof.SIGNED_IN])
    def test_what_was_proven_cannot_be_taken_back(self, proof: Any):
        bound = bind_authenticator(self.push, self.ana, by=self.ana, proof=proof)
        with pytest.raises(BadInput, match="was proven"):
            unclaim(bound, by=self.world.owner, reason="a mistake")


class WhenAnImportSaidSoBefore(Scene):
    def test_her_own_word_takes_the_place_of_the_lists(self):
        bind_authenticator(self.push, self.ana, by=self.world.owner, proof=Proof.IMPORTED)
        assert self.stage.claims("Ana", self.push).proof == Proof.CLAIMED
        assert Authenticator.objects.get().proof == Proof.CLAIMED

    def test_a_proof_is_never_made_weaker_by_a_word(self):
        bind_authenticator(self.push, self.ana, by=self.ana, proof=Proof.PROVEN)
        assert self.stage.claims("Ana", self.push).proof == Proof.PROVEN

    def test_nobody_else_can_claim_it(self):
        bind_authenticator(self.push, self.ben, by=self.world.owner, proof=Proof.IMPORTED)
        with pytest.raises(BadInput, match="bound to Ben already"):
            self.stage.claims("Ana", self.push)


class WhenSomebodyLeavesWhoClaimedPushAndAPhone(Scene):
    def test_both_leave_with_her_and_nobody_elses(self):
        phone = self.appears("phone", phoneType="mobile", phoneNumber="+1 5555550123")
        self.world.enrol(self.account, self.ben)
        self.stage.claims("Ana", self.push)
        self.stage.claims("Ana", phone)
        run = self.world.offboard(self.ana).run
        self.world.work(run)
        assert self.world.methods_on(self.account) == {self.world.phones[self.account.pk, self.ben.pk].method_id}
        assert self.world.gets_in(self.account, self.ben)

    def test_they_follow_her_when_only_the_assignment_ends(self):
        self.world.enrol(self.account, self.ben)
        self.stage.claims("Ana", self.push)
        end_assignment(self.ana.assignments.get(), by=self.world.owner)
        step = Step.objects.get(kind=StepKind.REMOVE_METHOD, method=self.push)
        self.world.work(step.target.run)
        step.refresh_from_db()
        assert step.status == StepState.VERIFIED
