"""The pages of places that are no Microsoft tenants: adding one, its accounts, and the steps that people do there."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import reverse

from technicians.actions.assign import assign
from technicians.actions.offboard import offboard
from technicians.actions.state_authenticator import state_authenticator
from technicians.models import Authenticator, Role
from tenants.actions.add_accounts import NewAccount, add_accounts
from tenants.actions.add_place import NewPlace, add_place
from tenants.actions.control_run import pause_run
from tenants.models import Customer, Method, SecretVersion, SharedAccount, Step, Target, Tenant
from tenants.plans import MethodKind, StepKind, StepState
from tests.support.visitor import Visitor
from tests.support.world import World

OLD = "Old-Firewall-Password-1"


class Scene:
    """Ana and Ben look after Contoso's firewall; Ana leaves."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work: World) -> None:
        self.world = at_work
        self.owner = at_work.owner
        self.ana, self.ben = at_work.technician("Ana"), at_work.technician("Ben")
        self.customer = Customer.objects.create(reseller=at_work.reseller, name="Contoso")
        self.place = add_place(
            self.customer,
            NewPlace("Contoso firewall", Tenant.System.FIREWALL, "https://fw.contoso.example/"),
            by=self.owner,
        )
        [self.account] = add_accounts(
            [NewAccount(self.place, "admin", password=OLD)], by=self.owner, outside=at_work.outside, source="entered"
        )
        for person in (self.ana, self.ben):
            assign(person, self.account, by=self.owner, reason="on the team")
            state_authenticator(
                self.account, person, kind=MethodKind.SOFTWARE_OATH, label=f"{person.name}'s phone", by=self.owner
            )
        self.run = offboard(self.ana, by=self.owner, reason="resigned").run

    def step(self, kind: StepKind = StepKind.ROTATE_PASSWORD) -> Step:
        return Step.objects.get(target__run=self.run, kind=kind)

    def url(self, kind: StepKind = StepKind.ROTATE_PASSWORD, name: str = "hand_step") -> str:
        return reverse(f"tenants:{name}", args=[self.step(kind).pk])

    def show(self, visitor: Visitor) -> str:
        page = visitor.post(self.url(name="hand_password")).content.decode()
        [password] = re.findall(r'class="secret-value">([^<]+)<', page)
        return html.unescape(password)

    def state(self, visitor: Visitor, kind: StepKind, outcome: str = "done", note: str = "looked"):
        return visitor.post(self.url(kind), {"outcome": outcome, "note": note})


class TheListOfStepsByHand(Scene):
    @pytest.mark.parametrize("who", ["ben", "owner"])
    def test_leads_whoever_may_do_it_to_the_step(self, who: str):
        page = Visitor(getattr(self, who)).get(reverse("tenants:hand_tasks")).content.decode()
        assert "Contoso firewall" in page
        assert self.url() in page

    def test_is_empty_for_somebody_who_holds_nothing_there(self):
        page = Visitor(self.world.technician("Tom")).get(reverse("tenants:hand_tasks")).content.decode()
        assert "No step waits for you" in page

    def test_is_announced_on_the_dashboard(self):
        assert "1 account waits for a step" in Visitor(self.ben).get("/").content.decode()

    def test_leaves_a_confirmation_to_somebody_else(self):
        visitor = Visitor(self.ben)
        self.show(visitor)
        for kind in (StepKind.ROTATE_PASSWORD, StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS):
            self.state(visitor, kind)
        page = visitor.get(reverse("tenants:hand_tasks")).content.decode()
        assert "somebody else confirms" in page
        assert self.url(StepKind.PROVE) not in page
        assert self.url(StepKind.PROVE) in Visitor(self.owner).get(reverse("tenants:hand_tasks")).content.decode()


class ThePageOfAStep(Scene):
    def test_says_what_to_do_and_where(self):
        page = Visitor(self.ben).get(self.url()).content.decode()
        assert "Set it there as the user&#x27;s password" in page
        assert 'href="https://fw.contoso.example/"' in page
        assert "Show the new password" in page

    def test_holds_no_password_before_it_is_asked_for(self):
        page = Visitor(self.ben).get(self.url()).content.decode()
        assert "secret-value" not in page
        assert not SecretVersion.objects.filter(secret__account=self.account, status="candidate").exists()

    def test_shows_the_new_password_in_one_answer_only(self):
        visitor = Visitor(self.ben)
        password = self.show(visitor)
        assert self.world.passwords_known(self.account) == {"current": OLD, "unverified": password}
        assert password not in visitor.get(self.url()).content.decode()
        assert "Shown so far to: Ben" in visitor.get(self.url()).content.decode()

    def test_gives_a_script_the_part_alone(self):
        answer = Visitor(self.ben).post(
            self.url(name="hand_password"), headers={"HX-Request": "true", "HX-Target": "new-password"}
        )
        page = answer.content.decode()
        assert "secret-value" in page
        assert "<html" not in page
        assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize("code", ["", "000000"])
    def test_asks_for_a_fresh_code_before_it_shows_and_before_it_states(self, code: str):
        visitor = Visitor(self.ben, fresh=False)
        for name, form in (("hand_password", {}), ("hand_step", {"outcome": "done", "note": "x"})):
            assert visitor.post(self.url(name=name), form | {"code": code}).status_code == 422
        assert self.step().status == StepState.PLANNED

    def test_goes_on_to_the_next_step_when_one_is_stated(self):
        visitor = Visitor(self.ben)
        self.show(visitor)
        answer = self.state(visitor, StepKind.ROTATE_PASSWORD, note="set in the web page")
        assert answer["Location"] == self.url(StepKind.REMOVE_METHOD)
        page = visitor.get(answer["Location"]).content.decode()
        assert "Ana&#x27;s phone" in page
        assert "set in the web page" in page
        assert "Stated by a person: not read back" in page

    def test_keeps_what_was_typed_when_something_is_missing(self):
        page = self.state(Visitor(self.ben), StepKind.ROTATE_PASSWORD, note="it went well").content.decode()
        assert "Show the new password first" in page
        assert "it went well" in page

    def test_takes_a_failure_with_its_reason(self):
        visitor = Visitor(self.ben)
        self.show(visitor)
        assert self.state(visitor, StepKind.ROTATE_PASSWORD, "failed", " ").status_code == 422
        self.state(visitor, StepKind.ROTATE_PASSWORD, "failed", "16 characters at most")
        assert self.step().status == StepState.REFUSED
        run = reverse("tenants:run", args=[self.run.pk])
        assert "16 characters at most" in Visitor(self.owner).get(run).content.decode()

    def test_says_whose_turn_it_is_when_it_is_not_its_own(self):
        page = Visitor(self.ben).get(self.url(StepKind.REMOVE_METHOD)).content.decode()
        assert "not this step's turn" in html.unescape(page)
        assert self.url() in page

    def test_says_that_nothing_is_begun_while_the_run_is_paused(self):
        pause_run(self.run, by=self.owner, reason="audit")
        page = Visitor(self.ben).get(self.url()).content.decode()
        assert "The run is paused" in page
        assert "It can be shown once the run goes on" in page

    def test_does_not_show_the_password_to_a_manager_who_does_not_hold_it(self):
        visitor = Visitor(self.owner)
        assert "not assigned to you" in visitor.get(self.url()).content.decode()
        assert visitor.post(self.url(name="hand_password")).status_code == 403

    def test_lets_an_auditor_look_on(self):
        visitor = Visitor(self.world.technician("Aud", Role.AUDITOR))
        assert "Your role looks on here" in visitor.get(self.url()).content.decode()
        assert self.state(visitor, StepKind.ROTATE_PASSWORD).status_code == 403

    def test_is_not_there_for_a_step_at_microsoft(self):
        account = self.world.account(self.world.tenant("Fabrikam"))
        tom = self.world.technician("Tom")
        self.world.give(account, tom, self.ben)
        run = offboard(tom, by=self.owner, reason="resigned").run
        step = Step.objects.filter(target__run=run).first()
        assert Visitor(self.owner).get(reverse("tenants:hand_step", args=[step.pk])).status_code == 404


class WhoAddsAPlace(Scene):
    def test_finds_the_way_on_the_page_of_a_tenant_and_gets_to_the_new_place(self):
        tenant = self.world.tenant("Fabrikam")
        visitor = Visitor(self.owner)
        url = reverse("tenants:new_place", args=[tenant.customer_id])
        assert url in visitor.get(reverse("tenants:detail", args=[tenant.pk])).content.decode()
        form = {"name": "Registrar", "system": "registrar", "sign_in_address": "https://names.example/"}
        answer = visitor.post(url, form)
        place = Tenant.objects.get(default_domain="Registrar")
        assert answer["Location"] == reverse("tenants:detail", args=[place.pk])
        page = visitor.get(answer["Location"]).content.decode()
        assert "Domain registrar" in page
        assert "Read now" not in page
        assert place.customer == tenant.customer

    def test_is_told_what_is_wrong(self):
        url = reverse("tenants:new_place", args=[self.customer.pk])
        visitor = Visitor(self.owner)
        taken = visitor.post(url, {"name": "Contoso firewall", "system": "firewall"})
        assert taken.status_code == 422
        assert "called Contoso firewall already" in taken.content.decode()
        assert visitor.post(url, {"name": "x", "system": "entra"}).status_code == 422

    def test_adds_an_account_whose_password_is_kept_and_never_shown_again(self):
        visitor = Visitor(self.owner)
        url = reverse("tenants:new_place_account", args=[self.place.pk])
        visitor.post(url, {"user_name": "backup", "password": " Blank-Ends-1 "})
        account = SharedAccount.objects.get(user_principal_name="backup")
        assert self.world.passwords_known(account) == {"current": " Blank-Ends-1 "}
        twice = visitor.post(url, {"user_name": "backup", "password": "Another-One-2"})
        assert twice.status_code == 422
        assert "already" in twice.content.decode()
        assert "Another-One-2" not in twice.content.decode()


class ThePageOfAnAccountThere(Scene):
    def test_offers_nothing_that_only_microsoft_has(self):
        page = Visitor(self.owner).get(reverse("tenants:account", args=[self.account.pk])).content.decode()
        assert "which Latchkey cannot read" in page
        for word in ("Read now", "Object id", "Authenticator places taken", "Sessions valid from"):
            assert word not in page
        assert reverse("tenants:place_authenticator", args=[self.account.pk]) in page

    def test_takes_a_second_factor_on_the_word_of_its_owner(self):
        url = reverse("tenants:place_authenticator", args=[self.account.pk])
        visitor = Visitor(self.ben)
        assert (
            "Ana"
            not in re.search(r"<select name=\"technician\".*?</select>", visitor.get(url).content.decode(), re.S)[0]
        )
        answer = visitor.post(url, {"technician": self.ben.pk, "kind": "fido2", "label": "the blue key"})
        assert answer.status_code == 302
        bound = Authenticator.objects.get(label="the blue key")
        assert (bound.technician, bound.proof) == (self.ben, Authenticator.Proof.CLAIMED)

    def test_takes_none_for_a_colleague(self):
        url = reverse("tenants:place_authenticator", args=[self.account.pk])
        answer = Visitor(self.ben).post(url, {"technician": self.owner.pk, "kind": "fido2", "label": "x"})
        assert answer.status_code == 422
        assert not Method.objects.filter(kind="fido2").exists()


class ThePageOfTheRun(Scene):
    def test_leads_to_the_steps_by_hand(self):
        page = Visitor(self.owner).get(reverse("tenants:run", args=[self.run.pk])).content.decode()
        assert reverse("tenants:hand_tasks") in page
        assert Target.objects.get(run=self.run).account == self.account
