"""The page that asks whose a method is, and the one that takes an answer back."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Authenticator, Role
from tenants.models import EnrolmentPolicy
from tests.pages.runs_stage import Office
from tests.support.taken_over import TakenOver
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

Proof = Authenticator.Proof
PUSH = "microsoft_authenticator"


class Scene:
    """Ana and Ben hold Contoso's account; a push with a name stands on it and is nobody's."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.mia = self.office.person("Mia", Role.MANAGER)
        self.account = self.office.account(self.office.tenant("Contoso"))
        for person in (self.ana, self.ben):
            self.office.assign(self.account, person)
        self.push = self.office.method(self.account, "Ana's iPhone", kind=PUSH)
        self.url = reverse("technicians:claim_method", args=[self.push.pk])

    def page(self, person: Any, url: str = "") -> str:
        return str(Visitor(person).get(url or self.url).content.decode())

    def account_page(self, person: Any) -> str:
        return self.page(person, reverse("tenants:account", args=[self.account.pk]))

    def claims(self, person: Any, *, fresh: bool = True, **form: str) -> Any:
        return Visitor(person, fresh=fresh).post(self.url, {"proof": "claimed"} | form)

    def bound(self) -> Authenticator | None:
        return Authenticator.objects.filter(method=self.push).first()


class WhenAMethodOfNobodyIsOnThePageOfItsAccount(Scene):
    def test_holders_and_managers_are_led_to_the_question(self):
        for person in (self.ana, self.mia):
            assert self.url in self.account_page(person)

    def test_an_auditor_is_not(self):
        assert self.url not in self.account_page(self.office.person("Aud", Role.AUDITOR))

    def test_a_bound_one_raises_no_question(self):
        self.office.bind(self.push, self.ana)
        assert self.url not in self.account_page(self.ana)


class WhenAHolderSaysThatItIsTheirs(Scene):
    def test_the_page_shows_the_label_and_what_a_claim_is(self):
        page = self.page(self.ana)
        assert "Ana&#x27;s iPhone" in page
        assert "Yes, it is mine" in page
        assert "I know whose it is" not in page

    def test_it_is_bound_and_the_account_says_on_what_it_rests(self):
        answer = self.claims(self.ana)
        assert answer.url == reverse("tenants:account", args=[self.account.pk])
        assert self.bound().technician == self.ana
        assert "the label is the evidence" in self.account_page(self.ana)

    def test_it_takes_a_fresh_code(self):
        answer = self.claims(self.ana, fresh=False)
        assert answer.status_code == 422
        assert "fresh code" in answer.content.decode()
        assert self.bound() is None
        visitor = Visitor(self.ana, fresh=False)
        visitor.post(self.url, {"proof": "claimed", "code": visitor.code()})
        assert self.bound().technician == self.ana

    def test_for_somebody_else_it_is_refused(self):
        answer = self.claims(self.ana, technician=str(self.ben.pk))
        assert answer.status_code == 403
        assert self.bound() is None

    def test_where_several_look_the_same_the_page_leads_to_enrolling(self):
        self.office.method(self.account, "Ana's iPhone", kind=PUSH)
        page = self.page(self.ana)
        assert "look the same to Microsoft" in page
        assert "Yes, it is mine" not in page

    def test_where_the_policy_takes_no_word_the_page_says_so(self):
        EnrolmentPolicy.objects.create(reseller=self.office.reseller, claims=False)
        assert "does not take a person&#x27;s word alone" in self.page(self.ana)


class WhenAManagerSaysWhoseItIs(Scene):
    def test_a_person_and_a_note_are_asked(self):
        page = self.page(self.mia)
        assert "I know whose it is" in page
        assert "Yes, it is mine" not in page
        answer = self.claims(self.mia, proof="said", technician=str(self.ben.pk), note="it lies on his desk")
        assert answer.status_code == 302
        bound = self.bound()
        assert (bound.technician, bound.proof, bound.note) == (self.ben, Proof.SAID, "it lies on his desk")
        assert "Said by a manager: it lies on his desk" in self.account_page(self.ana)

    def test_without_a_note_it_stays_nobodys(self):
        answer = self.claims(self.mia, proof="said", technician=str(self.ben.pk))
        assert answer.status_code == 422
        assert "how you know" in answer.content.decode()
        assert self.bound() is None

    @pytest.mark.parametrize(
        ("form", "says"), [({"proof": "proven"}, "on what it rests"), ({"technician": "x"}, "Choose")]
    )
    def test_a_form_that_was_tampered_with_binds_nobody(self, form: dict[str, str], says: str):
        answer = self.claims(self.mia, **({"proof": "said", "note": "x"} | form))
        assert says in answer.content.decode()
        assert self.bound() is None


class WhenNothingCanBeSaid(Scene):
    def test_somebody_without_the_account_is_told_why(self):
        assert "you do not" in self.page(self.office.person("Aud", Role.AUDITOR))

    def test_a_bound_method_says_whose_it_is(self):
        bind_authenticator(self.push, self.ben, by=self.ben, proof=Proof.PROVEN)
        assert "It is bound to Ben" in self.page(self.ana)

    def test_the_password_is_nobodys(self):
        password = self.office.method(self.account, "", kind="password")
        page = self.page(self.ana, reverse("technicians:claim_method", args=[password.pk]))
        assert "nobody&#x27;s own" in page


class WhenABindingWasWrong(Scene):
    @pytest.fixture(autouse=True)
    def _bound(self, _scene: None) -> None:
        self.claims(self.ana)
        self.back = reverse("technicians:unclaim", args=[self.bound().pk])

    def test_the_account_leads_the_person_and_a_manager_to_it(self):
        for person in (self.ana, self.mia):
            assert self.back in self.account_page(person)
        assert self.back not in self.account_page(self.ben)

    def test_it_is_taken_back_with_a_reason(self):
        assert Visitor(self.mia).post(self.back, {"reason": " "}).status_code == 422
        assert Visitor(self.mia).post(self.back, {"reason": "it is Ben's"}).status_code == 302
        assert self.bound() is None

    def test_a_colleague_finds_no_such_page(self):
        assert Visitor(self.ben).get(self.back).status_code == 404
        assert Visitor(self.office.person("Aud", Role.AUDITOR)).get(self.back).status_code == 403

    def test_what_was_proven_offers_no_way_back(self):
        Authenticator.objects.update(proof=Proof.PROVEN)
        page = self.page(self.ana, self.back)
        assert "This was proven" in page
        assert "Take the binding back" not in page
        assert Visitor(self.mia).post(self.back, {"reason": "x"}).status_code == 422


class WhenASignInNamesTheDevice:
    """Through the real way to the log of sign-ins."""

    @pytest.fixture(autouse=True)
    def _signed_in(self, at_work: World) -> None:
        self.stage = TakenOver(at_work)
        tenant = self.stage.tenant("Contoso")
        self.directory = at_work.cloud.tenant(str(tenant.directory_id))
        self.directory.plans = ["AAD_PREMIUM"]
        self.account = self.stage.account(tenant, holders=("Ana",))
        phone = self.stage.old_phone(self.account, PUSH, "Ana's iPhone")
        self.stage.lets_in(self.account, push=phone)
        self.stage.read(self.account)
        self.url = reverse("technicians:claim_method", args=[self.stage.method(self.account, phone).pk])
        self.visitor = Visitor(self.stage.people["Ana"])

    def test_the_log_is_read_only_when_asked_for(self):
        assert "Mobile app notification" not in self.visitor.get(self.url).content.decode()

    def test_it_is_offered_and_binds_whoever_it_was(self):
        page = self.visitor.get(f"{self.url}?look=yes")
        assert "Mobile app notification (Ana&#x27;s iPhone)" in page.content.decode()
        (found,) = page.context["sign_ins"]
        self.visitor.post(self.url, {"proof": "signed_in", "event": found.event_id})
        assert Authenticator.objects.get().proof == Proof.SIGNED_IN

    def test_a_tenant_without_a_licence_says_so(self):
        self.directory.plans = []
        assert "licence" in self.visitor.get(f"{self.url}?look=yes").content.decode()
