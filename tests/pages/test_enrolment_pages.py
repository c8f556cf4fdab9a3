"""Enrolling on one account: the page for choosing, the QR code that comes once, Microsoft's page, and the end of it."""

from __future__ import annotations

import base64
import datetime as dt
import io
import time
from typing import Any

import pytest
import qrcode
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.assign import assign
from technicians.codes import SECONDS, code_at
from technicians.models import Authenticator, Enrolment, EnrolmentRequest, Role
from technicians.views.enrol_by_seed import in_groups
from tenants.actions.observe_account import observe_account
from tenants.models import EnrolmentPolicy, Run
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def picture(text: str) -> bytes:
    """A screenshot of a QR code."""
    written = io.BytesIO()
    qrcode.make(text).save(written)
    return written.getvalue()


class Desk:
    """Ben has an authenticator on Contoso's account, and Ana holds it without one."""

    @pytest.fixture(autouse=True)
    def _desk(self, at_work: Any) -> None:
        self.world = at_work
        self.tenant = at_work.tenant("Contoso")
        at_work.allow_tokens(self.tenant)
        self.account = at_work.account(self.tenant)
        self.ana, self.ben = (at_work.technician(name) for name in ("Ana", "Ben"))
        at_work.give(self.account, self.ben)
        assign(self.ana, self.account, by=at_work.owner, reason="on the team")
        observe_account(self.account, outside=at_work.outside)
        self.visitor = Visitor(self.ana)
        self.choice = reverse("technicians:enrol", args=[self.account.pk])

    def policy(self, **facts: Any) -> None:
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, **facts)

    def choose(self, way: str, *, visitor: Visitor | None = None, **form: Any) -> Any:
        visitor = visitor or self.visitor
        return visitor.post(self.choice, {"way": way, "technician": visitor.person.pk} | form, follow=True)

    @property
    def enrolment(self) -> Enrolment:
        return Enrolment.objects.select_related("registration__account").get()

    def work(self) -> None:
        self.world.work(Run.objects.get())

    def url(self, name: str) -> str:
        return reverse(f"technicians:{name}", args=[self.enrolment.pk])

    def look(self, visitor: Visitor | None = None, **headers: str) -> str:
        answer = (visitor or self.visitor).get(self.url("enrolment"), headers=headers)
        assert answer.status_code == 200
        return str(answer.content.decode())

    def post(self, name: str, *, visitor: Visitor | None = None, by_htmx: bool = True, **form: Any) -> Any:
        return (visitor or self.visitor).post(self.url(name), form, headers=HTMX if by_htmx else {})

    def seed(self) -> bytes:
        registration = self.enrolment.registration
        assert registration is not None
        return self.world.outside.vault.open(bytes(registration.sealed or b""), registration.place)

    def registers(self, kind: str = "software_oath", label: str = "phone") -> str:
        made = self.world.cloud.register(self.world.directory_id(self.account), self.account.object_id, kind, label)
        return str(made.seed)


class WhenAWayIsChosen(Desk):
    def page(self, visitor: Visitor | None = None, **words: Any) -> str:
        return str((visitor or self.visitor).get(self.choice, words).content.decode())

    def test_the_best_one_is_chosen_beforehand(self):
        page = self.page()
        assert page.count(" checked") == 1
        assert page.index('value="our_seed"') < page.index(" checked") < page.index('value="microsoft_page"')

    def test_one_that_is_not_on_offer_says_why(self):
        assert "The enrolment policy of this account does not allow it." in self.page()

    def test_the_risk_of_codes_kept_here_is_stated(self):
        self.policy(kept_here=True)
        assert "password and code then lie in the same place" in self.page()

    def test_nothing_begins_without_a_fresh_factor(self):
        visitor = Visitor(self.ana, fresh=False)
        answer = self.choose("our_seed", visitor=visitor)
        assert answer.status_code == 422
        assert "This needs a fresh code" in answer.content.decode()
        assert not Enrolment.objects.exists()

    def test_without_a_way_it_is_said_and_nothing_begins(self):
        answer = self.choose("")
        assert answer.status_code == 422
        assert "Choose one of the ways" in answer.content.decode()

    def test_a_full_account_names_the_holders_and_the_ways_out(self):
        for _ in range(4):
            self.world.enrol(self.account, self.ben)
        page = self.page()
        assert "All five authenticator places" in page
        assert page.count("<strong>Ben</strong>") == 5
        assert "A second shared account" in page
        assert "Show the QR code" not in page

    def test_a_manager_is_sent_to_microsofts_page_with_the_person_or_to_the_list(self):
        mia = Visitor(self.world.technician("Mia", Role.MANAGER))
        page = self.page(mia, technician=str(self.ana.pk))
        assert "Ana sits beside you" in page
        assert "Send Ana their enrolment list" in page
        assert self.choose("our_seed", visitor=mia, technician=self.ana.pk).status_code == 422
        assert self.choose("microsoft_page", visitor=mia, technician=self.ana.pk).status_code == 200
        assert self.enrolment.technician == self.ana

    def test_one_that_is_under_way_is_gone_on_with(self):
        self.choose("our_seed")
        assert "Go on with it" in self.page()

    def test_an_auditor_may_look_and_not_begin(self):
        auditor = Visitor(self.world.technician("Aud", Role.AUDITOR))
        assert "Your role may not enrol others." in self.page(auditor, technician=str(self.ana.pk))
        assert self.choose("microsoft_page", visitor=auditor, technician=self.ana.pk).status_code == 403


class WhenLatchkeyChoosesTheSeed(Desk):
    @pytest.fixture(autouse=True)
    def _begun(self, _desk: None) -> None:
        self.choose("our_seed")

    def shown(self) -> str:
        self.work()
        answer = self.post("enrol_show")
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        return str(answer.content.decode())

    def code(self, steps: int = 0) -> str:
        return code_at(self.seed(), int(time.time() // SECONDS) + steps)

    def test_the_page_waits_for_microsoft_and_goes_on_by_itself(self):
        assert "Latchkey makes the token at Microsoft" in self.look()
        assert 'hx-trigger="every 2s"' in self.look()
        self.work()
        page = self.look(**HTMX)
        assert "Show the QR code" in page
        assert "every 2s" not in page

    def test_what_keeps_the_worker_waiting_is_said(self):
        self.tenant.busy_until = timezone.now() + dt.timedelta(minutes=5)
        self.tenant.save()
        assert "Microsoft asks for patience" in self.look()

    def test_the_seed_is_on_no_page_but_the_one_answer(self):
        before = self.look()
        shown = self.shown()
        key = in_groups(self.seed())
        after = self.look()
        assert key in shown
        assert "<svg" in shown and 'class="qr-code"' in shown
        for page in (before, after, str(self.visitor.get(self.choice).content.decode())):
            assert key not in page
            assert 'class="qr-code"' not in page
        assert "is shown once only" in after

    def test_the_app_entry_is_named_on_the_page(self):
        assert "Contoso (" in self.shown()

    def test_it_is_not_shown_a_second_time(self):
        self.shown()
        answer = self.post("enrol_show")
        assert answer.status_code == 422
        assert in_groups(self.seed()) not in answer.content.decode()

    def test_without_a_fresh_factor_nothing_is_shown(self):
        self.work()
        visitor = Visitor(self.ana, fresh=False)
        answer = self.post("enrol_show", visitor=visitor)
        assert answer.status_code == 422
        assert self.enrolment.shown_at is None
        assert self.post("enrol_show", visitor=visitor, code=visitor.code()).status_code == 200

    def test_nobody_else_gets_it(self):
        self.work()
        assert self.post("enrol_show", visitor=Visitor(self.world.owner)).status_code == 403
        assert "Only Ana sees the QR code" in self.look(Visitor(self.world.owner))
        assert self.enrolment.shown_at is None

    def test_a_wrong_code_replaces_the_form_alone(self):
        self.shown()
        answer = self.post("enrol_prove", app_code="000000")
        assert answer.status_code == 422
        assert answer["HX-Retarget"] == answer["HX-Reselect"] == "#prove"
        assert "4 tries are left" in answer.content.decode()

    def test_the_right_code_goes_on_and_ends_well(self):
        self.shown()
        assert "Latchkey activates the token" in self.post("enrol_prove", app_code=self.code()).content.decode()
        self.work()
        page = self.look()
        assert "Ana has an authenticator of their own" in page
        assert "Back to the account" in page

    def test_without_script_the_code_is_typed_on_the_page_that_answers(self):
        self.work()
        page = self.post("enrol_show", by_htmx=False).content.decode()
        assert "<html" in page and in_groups(self.seed()) in page
        wrong = self.post("enrol_prove", by_htmx=False, app_code="000000").content.decode()
        assert "4 tries are left" in wrong and in_groups(self.seed()) not in wrong
        assert self.post("enrol_prove", by_htmx=False, app_code=self.code()).status_code == 302

    def test_the_next_on_the_list_is_offered(self):
        other = self.world.account(self.world.tenant("Fabrikam"))
        assign(self.ana, other, by=self.world.owner, reason="on the team")
        ask_to_enrol(self.ana, [other], because=EnrolmentRequest.Because.JOINED, by=self.world.owner)
        self.shown()
        self.post("enrol_prove", app_code=self.code())
        self.work()
        assert f"Next on your list: {other}" in self.look()

    def test_too_many_wrong_codes_end_it_on_the_whole_page(self):
        self.shown()
        for _ in range(5):
            answer = self.post("enrol_prove", app_code="000000")
        assert "HX-Retarget" not in answer
        page = answer.content.decode()
        assert "Too many wrong codes" in page and "Begin again" in page

    def test_what_expired_says_what_to_do(self):
        self.shown()
        Enrolment.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        page = self.look()
        assert "delete the entry from the app" in page and "Begin again" in page

    def test_cancelled_it_is_closed(self):
        self.work()
        page = self.visitor.post(self.url("enrol_cancel"), follow=True).content.decode()
        assert "The enrolment is cancelled." in page and "Ana cancelled it." in page


class WhenItGoesOverMicrosoftsPage(Desk):
    @pytest.fixture(autouse=True)
    def _begun(self, _desk: None) -> None:
        self.choose("microsoft_page")

    def test_the_steps_are_in_microsofts_words(self):
        page = self.look()
        for words in ("Add sign-in method", "Authenticator app", "I want to use a different authenticator app"):
            assert words in page
        assert "Can't scan image?" in page

    def give(self, seed: str = "", **form: Any) -> Any:
        return self.post("enrol_key", by_htmx=False, seed=seed, **form)

    def test_a_pasted_key_is_proven_and_bound_with_that_proof(self):
        seed = self.registers()
        code = code_at(base64.b32decode(seed), int(time.time() // SECONDS))
        assert self.give(seed.lower(), app_code=code).status_code == 302
        assert "The key is proven" in self.look()
        page = self.visitor.post(self.url("enrol_finish"), follow=True).content.decode()
        assert "The new authenticator is bound to Ana." in page
        assert self.ana.authenticators.get().proof == Authenticator.Proof.PROVEN

    def test_a_picture_of_its_code_does_as_well(self):
        seed = self.registers()
        code = code_at(base64.b32decode(seed), int(time.time() // SECONDS))
        shot = SimpleUploadedFile("code.png", picture(f"otpauth://totp/Contoso:admin?secret={seed}&issuer=Microsoft"))
        assert self.give(picture=shot, app_code=code).status_code == 302

    def test_a_picture_without_a_code_is_said(self):
        written = io.BytesIO()
        Image.new("L", (64, 64), 255).save(written, "PNG")
        answer = self.give(picture=SimpleUploadedFile("white.png", written.getvalue()), app_code="123456")
        assert answer.status_code == 422
        assert "No QR code could be read" in answer.content.decode()

    @pytest.mark.parametrize(
        "text", ["123456", "phonefactor://activate_account?code=123456789", "FIDO:/0123456789", "GEZDGNBVGY3TQOJQ1"]
    )
    def test_what_is_no_key_is_answered_and_never_shown_again(self, text: str):
        answer = self.give(text, app_code="123456")
        assert answer.status_code == 422
        page = answer.content.decode()
        assert "invalid-feedback" in page
        assert text not in page

    def test_two_new_methods_say_what_to_do(self):
        self.registers(label="one")
        self.registers(label="two")
        page = self.visitor.post(self.url("enrol_finish"), follow=True).content.decode()
        assert "2 methods appeared at once" in page and "Delete the new ones on Microsoft" in page

    def test_a_pass_is_shown_once(self):
        policies = self.world.cloud.tenant(self.world.directory_id(self.account)).policies
        policies.methods["TemporaryAccessPass"] = "enabled"
        answer = self.post("enrol_pass", by_htmx=False)
        assert "no-store" in answer["Cache-Control"]
        page = answer.content.decode()
        code = page.split('class="secret-value">', 1)[1].split("<", 1)[0]
        assert len(code) >= 8
        assert code not in self.look()
        assert "I need a Temporary Access Pass" not in self.look()

    def test_a_pass_needs_a_fresh_factor(self):
        answer = self.post("enrol_pass", visitor=Visitor(self.ana, fresh=False), by_htmx=False)
        assert answer.status_code == 422
        assert self.enrolment.pass_id == ""

    def test_where_the_policy_forbids_passes_none_is_offered(self):
        self.policy(passes=False)
        assert "I need a Temporary Access Pass" not in self.look()
        assert self.post("enrol_pass", by_htmx=False).status_code == 422


class WhenTheCodesAreKeptHere(Desk):
    def test_by_a_token_of_ours_nothing_is_to_be_scanned(self):
        self.policy(kept_here=True)
        self.choose("kept_here")
        self.work()
        page = self.look()
        assert "My code" in page
        assert in_groups(b"x" * 20) not in page
        assert self.ana.authenticators.get().proof == Authenticator.Proof.ACTIVATED

    def test_where_that_cannot_be_the_key_is_pasted_and_its_code_shown_for_microsofts_page(self):
        self.policy(kept_here=True)
        self.tenant.tokens_problem, self.tenant.tokens_tried_at = "not switched on", timezone.now()
        self.tenant.save()
        self.choose("kept_here")
        seed = self.registers()
        assert self.post("enrol_key", by_htmx=False, seed=seed).status_code == 302
        shown = self.post("enrol_code", by_htmx=False).content.decode()
        key = base64.b32decode(seed)
        now = int(time.time() // SECONDS)
        assert any(code_at(key, step) in shown for step in (now - 1, now))
        assert seed not in shown
        page = self.visitor.post(self.url("enrol_finish"), follow=True).content.decode()
        assert "The new authenticator is bound to Ana." in page

    def test_nobody_else_sees_the_code(self):
        self.policy(kept_here=True, our_seed=False)
        self.tenant.cloud = "us_gov_l4"
        self.tenant.save()
        self.choose("kept_here")
        assert self.post("enrol_code", visitor=Visitor(self.world.owner)).status_code == 403
