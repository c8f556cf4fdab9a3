"""The pages of rehearsals: ask, follow, read the result, take it away."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from technicians.actions.ask_for_rehearsal import ask_for_rehearsal
from technicians.actions.rehearse import rehearse
from technicians.actions.request_departure import request_departure
from technicians.models import Rehearsal, Role
from tenants.models import DeparturePolicy
from tests.pages.runs_stage import Office, settle
from tests.support.rehearsals import foretell
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


class Scene:
    """Ana shares Contoso with Ben."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.contoso = self.office.account(self.office.tenant("Contoso"))
        self.office.give(self.contoso, self.ana, self.ben)
        self.owner = Visitor(self.office.owner)

    @property
    def ask_url(self) -> str:
        return reverse("technicians:rehearse", args=[self.ana.pk])

    def asked(self) -> Rehearsal:
        return ask_for_rehearsal(self.ana, by=self.office.owner)

    def played(self, **ends: str) -> Rehearsal:
        done = rehearse(self.asked(), play=partial(foretell, **ends))
        assert done is not None
        return done

    def page(self, rehearsal: Rehearsal, visitor: Visitor | None = None, query: str = "") -> str:
        url = reverse("technicians:rehearsal", args=[rehearsal.pk])
        return (visitor or self.owner).get(f"{url}{query}").content.decode()


class WhenADepartureIsAboutToBeDecided(Scene):
    def test_its_page_offers_a_rehearsal(self):
        page = self.owner.get(reverse("technicians:offboard", args=[self.ana.pk])).content.decode()
        assert self.ask_url in page

    def test_the_page_of_its_request_does_so_too(self):
        DeparturePolicy.objects.create(reseller=self.office.reseller, approvals=1)
        self.office.person("Mo", Role.MANAGER)
        request = request_departure([self.ana], by=self.office.owner, reason="resigned")
        page = self.owner.get(reverse("technicians:departure", args=[request.pk])).content.decode()
        assert f"{self.ask_url}?request={request.pk}" in page


class WhenARehearsalIsAskedFor(Scene):
    def test_the_page_says_what_it_does_before_it_is_asked(self):
        page = self.owner.get(self.ask_url).content.decode()
        assert "nothing is sent to Microsoft" in page
        assert "Ana leaves everywhere: 1 account." in page
        assert not Rehearsal.objects.exists()

    def test_it_is_written_down_and_its_page_follows_it(self):
        answer = self.owner.post(self.ask_url, {"pace": "documented"}, follow=True)
        [asked] = Rehearsal.objects.all()
        assert (asked.pace, asked.asked_by) == ("documented", self.office.owner)
        assert "It waits for a worker" in answer.content.decode()
        assert "every 3s" in answer.content.decode()

    def test_it_needs_a_fresh_code(self):
        answer = Visitor(self.office.owner, fresh=False).post(self.ask_url, {"pace": "quick"})
        assert answer.status_code == 422
        assert not Rehearsal.objects.exists()

    def test_one_that_runs_already_is_shown_instead(self):
        asked = self.asked()
        page = self.owner.get(self.ask_url).content.decode()
        assert reverse("technicians:rehearsal", args=[asked.pk]) in page
        assert self.owner.post(self.ask_url).status_code == 422

    def test_somebody_who_left_gets_a_sentence_and_no_form(self):
        self.office.offboard(self.ana)
        page = self.owner.get(self.ask_url).content.decode()
        assert "has left already" in page


class WhenARehearsalHasEnded(Scene):
    def test_the_waiting_page_is_loaded_anew(self):
        done = self.played()
        answer = self.owner.get(reverse("technicians:rehearsal", args=[done.pk]), headers={"HX-Request": "true"})
        assert answer["HX-Refresh"] == "true"

    def test_its_page_says_how_the_run_would_end(self):
        page = self.page(self.played())
        assert "Would end clean: 1 account" in page
        assert str(self.contoso) in page
        assert "as it should be" in page

    def test_what_needs_a_person_is_said_with_its_reason(self):
        done = self.played(rotate_password="refused")
        page = self.page(done)
        assert "Would not end clean by itself: of 1 account, 1 needs a person." in page
        assert "It was refused in the copy." in page
        assert "green" not in page.split('id="state"')[1].split("</section>")[0]

    def test_a_failed_one_says_why(self):
        def breaks(record: dict[str, Any], *, pace: str) -> dict[str, Any]:
            raise ZeroDivisionError

        done = rehearse(self.asked(), play=breaks)
        assert done is not None
        assert "fault in Latchkey" in self.page(done)

    def test_the_list_names_it_with_its_result(self):
        done = self.played()
        page = self.owner.get(reverse("technicians:rehearsals")).content.decode()
        assert reverse("technicians:rehearsal", args=[done.pk]) in page
        assert "Would end clean" in page

    def test_the_real_run_stands_beside_it(self):
        done = self.played()
        run = self.office.offboard(self.ana)
        page = self.page(done)
        assert "Rehearsed and real" in page
        assert reverse("tenants:run", args=[run.pk]) in page
        assert "have not ended yet and are not compared" in page
        settle(run)
        assert "No difference: the same accounts in the same order" in self.page(done)


class WhoTakesARehearsalAway(Scene):
    def test_gets_a_signed_file(self, settings: Any, tmp_path: Path):
        settings.KEY_DIRECTORY = tmp_path / "keys"
        done = self.played()
        answer = self.owner.post(reverse("technicians:rehearsal_evidence", args=[done.pk]))
        assert answer.status_code == 200
        assert json.loads(answer.content)["signatures"]
        assert f"rehearsal-{str(done.pk)[:8]}" in answer["Content-Disposition"]

    def test_needs_a_fresh_code(self):
        done = self.played()
        answer = Visitor(self.office.owner, fresh=False).post(reverse("technicians:rehearsal_evidence", args=[done.pk]))
        assert answer.status_code == 422


class AnAuditor(Scene):
    def test_reads_a_rehearsal_and_asks_for_none(self):
        auditor = Visitor(self.office.person("Aud", Role.AUDITOR))
        page = self.page(self.played(), auditor)
        assert "Would end clean" in page
        assert "Rehearse again" not in page
        assert auditor.get(self.ask_url).status_code == 403
