"""Passwords from another product, by page: name the columns, answer what is open, and never see a secret."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.urls import reverse

from technicians.models import ImportUpload, Role
from tenants.models import Finding, SecretVersion
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

LASTPASS = "url,username,password,totp,extra,name,grouping,fav\n"


class Scene:
    """Olga owns the reseller and has Contoso and Fabrikam, whose passwords lie in a browser's export."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.owner = Visitor(self.office.owner)
        self.contoso = self.account("Contoso")
        self.fabrikam = self.account("Fabrikam")

    def account(self, name: str) -> Any:
        """Nobody knows its password yet."""
        account = self.office.account(self.office.tenant(name))
        account.secret.delete()
        return account

    def upload(self, text: str, **form: str) -> tuple[Any, ImportUpload]:
        file = io.BytesIO(text.encode())
        file.name = "export.csv"
        answer = self.owner.post(reverse("import:start"), {"kind": "passwords", "file": file} | form)
        assert answer.status_code == 302, answer.content.decode()
        return answer, ImportUpload.objects.latest("created_at")

    def page(self, name: str, upload: ImportUpload) -> str:
        return self.owner.get(reverse(f"import:{name}", args=[upload.pk])).content.decode()

    def post(self, name: str, upload: ImportUpload, **form: Any) -> Any:
        return self.owner.post(reverse(f"import:{name}", args=[upload.pk]), form)

    def known(self) -> set[str]:
        return set(SecretVersion.objects.values_list("secret__account__user_principal_name", flat=True))


class WhenTheHeaderIsOfNobodyWeKnow(Scene):
    TEXT = "Konto,Kennwort,Wert\nadmin@contoso.example,Planted-1,Planted-2\n"

    def test_the_next_page_asks_which_column_is_which(self):
        _answer, upload = self.upload(self.TEXT)
        shown = self.owner.get(reverse("import:show", args=[upload.pk]))
        assert shown["Location"] == reverse("import:columns", args=[upload.pk])
        page = self.page("columns", upload)
        assert "No product that is known here writes such a file" in page
        assert '<option value="0" selected>Column 1: Konto</option>' in page
        assert "admin@contoso.example" in page
        assert "Planted" not in page

    def test_the_choice_leads_to_the_preview_and_the_import(self):
        _answer, upload = self.upload(self.TEXT)
        answer = self.post("columns", upload, upn="0", password="1", header="on")
        assert answer["Location"] == reverse("import:show", args=[upload.pk])
        page = self.page("show", upload)
        assert "Import 1 row" in page
        assert "Planted" not in page
        self.post("apply", upload)
        assert self.known() == {"admin@contoso.example"}

    @pytest.mark.parametrize("form", [{}, {"upn": "0"}, {"upn": "0", "password": "0"}, {"upn": "7", "password": "1"}])
    def test_a_choice_that_does_not_suffice_stays_on_the_page(self, form):
        _answer, upload = self.upload(self.TEXT)
        assert self.post("columns", upload, **form).status_code == 422
        upload.refresh_from_db()
        assert upload.choices["columns"] == {}

    def test_the_choice_can_be_changed_and_is_remembered(self):
        _answer, upload = self.upload(self.TEXT)
        self.post("columns", upload, upn="0", password="2", header="on")
        assert '<option value="2" selected>Column 3: Wert</option>' in self.page("columns", upload)

    def test_a_header_that_is_there_twice_is_asked_about(self):
        _answer, upload = self.upload("Username,Password,Password\nadmin@contoso.example,a,b\n")
        assert "twice" in self.page("columns", upload)

    def test_a_person_may_name_the_columns_of_any_table(self):
        _answer, upload = self.upload(LASTPASS + "u,admin@contoso.example,x,,,GA,,0\n", source="mapped")
        assert "Say which column" in self.page("columns", upload)

    def test_a_list_of_entries_has_no_columns_to_choose(self):
        file = io.BytesIO(b'{"encrypted": false, "items": []}')
        file.name = "export.json"
        answer = self.owner.post(reverse("import:start"), {"kind": "passwords", "file": file, "source": "mapped"})
        assert answer.status_code == 422
        assert "no table" in answer.content.decode()
        assert not ImportUpload.objects.exists()


class WhenRowsWaitForAnAnswer(Scene):
    TEXT = (
        LASTPASS
        + "u,admin@contoso.example,Planted-1,,,One,,0\n"
        + "u,admin@contoso.example,Planted-2,,,Two,,0\n"
        + "u,whoever,Planted-3,,,Three,Clients\\Fabrikam,0\n"
    )

    @pytest.fixture(autouse=True)
    def _uploaded(self, _scene: None) -> None:
        _answer, self.chosen = self.upload(self.TEXT)

    def test_they_are_listed_and_nothing_can_be_imported_yet(self):
        page = self.page("show", self.chosen)
        assert "Rows that wait for your answer" in page
        assert "Three (whoever)" in page
        assert "Answer the questions below" in page
        assert "Line 2 counts" in page
        assert '<option value="admin@fabrikam.example (fabrikam.example)">' in page
        assert "Planted" not in page

    def test_an_answer_makes_a_row_ready(self):
        answer = self.post(
            "answers", self.chosen, line=["2", "3", "4"], counts="3", **{"account-4": "admin@fabrikam.example"}
        )
        assert answer["Location"] == reverse("import:show", args=[self.chosen.pk])
        assert "Import 2 rows" in self.page("show", self.chosen)
        self.post("apply", self.chosen)
        assert self.known() == {"admin@contoso.example", "admin@fabrikam.example"}
        assert SecretVersion.objects.count() == 2

    def test_an_account_that_is_not_here_is_said(self):
        answer = self.post("answers", self.chosen, line="4", **{"account-4": "nobody@nowhere.example"})
        assert answer.status_code == 422
        assert "There is no shared account" in answer.content.decode()

    def test_what_stays_open_is_left_out_when_the_person_says_so(self):
        self.post("answers", self.chosen, line=["2", "3"], counts="2")
        assert self.post("apply", self.chosen).status_code == 422
        self.post("apply", self.chosen, partial="yes")
        assert self.known() == {"admin@contoso.example"}

    def test_an_answer_after_the_import_changes_nothing(self):
        self.post("answers", self.chosen, line=["2", "3"], counts="2")
        self.post("apply", self.chosen, partial="yes")
        assert self.post("answers", self.chosen, line="4").status_code == 302
        self.chosen.refresh_from_db()
        assert json.dumps(self.chosen.result).count("Planted") == 0

    def test_nobody_else_answers(self):
        colleague = Visitor(self.office.person("Mona", Role.OWNER))
        for name in ("answers", "columns"):
            assert colleague.post(reverse(f"import:{name}", args=[self.chosen.pk]), {"line": "4"}).status_code == 404


class WhenAFileHasSeedsInIt(Scene):
    def test_the_pages_lead_to_the_accounts_that_need_authenticators_of_their_own(self):
        seed = "JBSWY3DPEHPK3PXP"
        _answer, upload = self.upload(LASTPASS + f"u,admin@contoso.example,x,{seed},,GA,,0\n")
        link = reverse("tenants:account", args=[self.contoso.pk])
        page = self.page("show", upload)
        assert link in page
        assert seed not in page
        self.post("apply", upload)
        done = self.page("show", upload)
        assert link in done
        assert "replace them by independent authenticators" in done
        assert Finding.objects.get(kind=Finding.Kind.SHARED_SEED).account == self.contoso


class WhenTheFileIsOfAnotherKind(Scene):
    def test_there_is_nothing_to_choose_or_to_answer(self):
        file = io.BytesIO(b"email,name\nana@x.example,Ana\n")
        file.name = "people.csv"
        self.owner.post(reverse("import:start"), {"kind": "technicians", "file": file})
        upload = ImportUpload.objects.get()
        there = reverse("import:show", args=[upload.pk])
        assert self.owner.get(reverse("import:columns", args=[upload.pk]))["Location"] == there
        assert self.post("answers", upload, line="2")["Location"] == there
