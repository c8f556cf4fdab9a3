"""Where evidence is found, the summary of a run, and who has the new passwords: as pages, for each who may see them."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from msp.evidence import verify
from msp.ledger.models import Entry
from msp.vault.signing import evidence_key
from technicians.models import Approval, DepartureRequest, PasswordNotice, Role
from tenants.models import Run, Step
from tenants.plans import StepKind, StepState
from tests.pages.runs_stage import Office, settle
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


class Scene:
    """Ana left. She had Contoso's and Fabrikam's account, each with Ben. Carl is Contoso's contact."""

    @pytest.fixture(autouse=True)
    def _scene(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.fabrikam = self.office.account(self.office.tenant("Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            self.office.give(account, self.ana, self.ben)
        self.contact = self.office.person("Carl", Role.CUSTOMER_CONTACT, customer=self.contoso.tenant.customer)
        self.run = self.office.offboard(self.ana, "resigned")
        self.visitor, self.carl = Visitor(self.office.owner), Visitor(self.contact)

    def page(self, visitor: Visitor, name: str, *args: object) -> str:
        answer = visitor.get(reverse(name, args=args))
        assert answer.status_code == 200, answer.status_code
        return answer.content.decode()

    def request(self) -> DepartureRequest:
        found = DepartureRequest.objects.filter(run=self.run).first()
        return found or DepartureRequest.objects.create(
            reseller=self.office.reseller, reason="resigned", run=self.run, requested_by=self.office.owner,
            status=DepartureRequest.Status.STARTED,
        )  # fmt: skip


class WhenACustomerContactLooksForEvidence(Scene):
    def test_each_run_that_touched_their_tenants_is_listed_with_the_state_of_their_part(self):
        settle(self.run)
        Step.objects.filter(target__run=self.run, target__account=self.fabrikam, kind=StepKind.PROVE).update(
            status=StepState.UNVERIFIED, verified_at=None
        )
        mine = self.page(self.carl, "reports:evidence_list")
        assert "Offboarding: Ana" in mine
        assert "Clean" in mine
        assert "Needs attention" not in mine
        assert "Needs attention" in self.page(self.visitor, "reports:evidence_list")

    def test_a_run_that_touched_none_of_them_is_not_listed(self):
        cid = self.office.person("Cid")
        self.office.give(self.fabrikam, cid)
        self.office.offboard(cid, "somewhere else")
        assert "somewhere else" not in self.page(self.carl, "reports:evidence_list")
        assert "somewhere else" in self.page(self.visitor, "reports:evidence_list")

    def test_nothing_of_another_customer_is_on_any_page_of_theirs(self):
        for name, args in (("reports:evidence_list", ()), ("reports:run_summary", (self.run.pk,)),
                           ("reports:evidence", (self.run.pk,)), ("tenants:run", (self.run.pk,))):  # fmt: skip
            assert "fabrikam" not in self.page(self.carl, name, *args).lower()

    def test_they_fetch_their_file_and_its_key_and_the_ledger_knows(self):
        url = reverse("reports:evidence", args=[self.run.pk])
        archive = zipfile.ZipFile(io.BytesIO(self.carl.post(url).content))
        names = sorted(archive.namelist())
        assert len(names) == 3
        assert not [name for name in names if "fabrikam" in name]
        assert Entry.objects.get(verb="evidence.exported").actor_id == self.contact.pk

    def test_notes_of_those_who_agreed_and_words_of_a_review_are_not_theirs_to_read(self):
        request, now = self.request(), timezone.now()
        Approval.objects.create(
            reseller=request.reseller, request=request, by=self.ben, agrees=True, note="between ourselves"
        )
        DepartureRequest.objects.filter(pk=request.pk).update(
            override_by=self.office.owner, override_at=now, override_reason="cannot wait",
            reviewed_by=self.office.owner, reviewed_at=now, review="too hasty",
        )  # fmt: skip
        mine, ours = (self.page(v, "reports:run_summary", self.run.pk) for v in (self.carl, self.visitor))
        assert "between ourselves" in ours
        assert "too hasty" in ours
        assert "between ourselves" not in mine
        assert "too hasty" not in mine
        assert "cannot wait" in mine

    def test_who_has_the_new_passwords_is_not_theirs_to_see(self):
        assert self.carl.get(reverse("technicians:reshare", args=[self.run.pk])).status_code == 403
        assert "new-passwords" not in self.page(self.carl, "tenants:run", self.run.pk)


class WhenTheSummaryIsTaken(Scene):
    def test_the_page_names_who_asked_whom_it_is_about_and_every_exception(self):
        settle(self.run)
        Step.objects.filter(target__run=self.run, kind=StepKind.REMOVE_METHOD, target__account=self.contoso).update(
            status=StepState.WAIVED, waived_by=self.office.owner, waived_reason="phone destroyed", verified_at=None
        )
        page = self.page(self.visitor, "reports:run_summary", self.run.pk)
        assert "ana@northwind.example" in page
        assert "phone destroyed" in page
        assert "Accepted by olga@northwind.example" in page
        assert "Clean with exceptions" in page

    def test_the_file_is_signed_and_its_taking_is_in_the_ledger(self):
        answer = self.visitor.post(reverse("reports:run_summary", args=[self.run.pk]))
        assert f'filename="run-{str(self.run.pk)[:8]}.summary.json"' in answer["Content-Disposition"]
        told = verify(json.loads(answer.content), evidence_key(settings.KEY_DIRECTORY).public_key())
        assert told["type"] == "latchkey.run_summary"
        assert Entry.objects.get(verb="summary.exported").run_id == self.run.pk

    def test_it_needs_a_fresh_code(self):
        stale = Visitor(self.office.owner, fresh=False)
        assert stale.post(reverse("reports:run_summary", args=[self.run.pk])).status_code == 422
        assert not Entry.objects.filter(verb="summary.exported").exists()

    def test_a_technician_does_not_get_it(self):
        assert Visitor(self.ben).get(reverse("reports:run_summary", args=[self.run.pk])).status_code == 403

    def test_another_resellers_owner_finds_nothing(self):
        stranger = Visitor(Office("Tailspin MSP").owner)
        url = reverse("reports:run_summary", args=[self.run.pk])
        assert (stranger.get(url).status_code, stranger.post(url).status_code) == (404, 404)

    def test_more_tenants_take_no_more_queries(self, django_assert_max_num_queries):
        settle(self.run)
        with django_assert_max_num_queries(60):
            self.page(self.visitor, "reports:run_summary", self.run.pk)


class WhenItIsAskedWhoHasTheNewPasswords(Scene):
    @pytest.fixture(autouse=True)
    def _changed(self, _scene):
        settle(self.run)
        self.office.reveal(self.contoso, self.ben)
        self.url = reverse("technicians:reshare", args=[self.run.pk])

    def test_the_sum_and_each_person_are_told(self):
        page = self.page(self.visitor, "technicians:reshare", self.run.pk)
        assert "1 of 2 who stay have the new password" in page
        assert "Has it" in page
        assert "Not fetched" in page

    def test_the_page_of_the_run_has_a_link_and_htmx_fills_in_the_sum(self):
        assert self.url in self.page(self.visitor, "tenants:run", self.run.pk)
        part = self.visitor.get(self.url, headers={"HX-Request": "true", "HX-Target": "reshare"}).content.decode()
        assert "1 of 2 who stay have the new password" in part
        assert "<html" not in part

    def test_a_reminder_goes_to_those_without_it_and_says_how_many(self):
        answer = self.visitor.post(reverse("technicians:reshare_remind", args=[self.run.pk]), follow=True)
        assert "One reminder goes out." in answer.content.decode()
        [notice] = PasswordNotice.objects.all()
        assert (notice.technician, notice.version.secret.account) == (self.ben, self.fabrikam)

    def test_an_auditor_sees_it_and_cannot_remind(self):
        auditor = Visitor(self.office.person("Aud", Role.AUDITOR))
        assert "Remind those" not in self.page(auditor, "technicians:reshare", self.run.pk)
        assert auditor.post(reverse("technicians:reshare_remind", args=[self.run.pk])).status_code == 403

    def test_a_run_that_changed_no_password_says_so(self):
        none = Run.objects.create(
            reseller=self.office.reseller, kind=Run.Kind.LOST_DEVICE, reason="-", started_at=timezone.now()
        )
        assert "No password was changed by this run" in self.page(self.visitor, "technicians:reshare", none.pk)
