"""Import by page: choose, look, decide. A file is imported once, by the person who looked at it, with a fresh code."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from msp.importing import reader
from msp.ledger.models import Entry
from msp.web import uploads
from technicians.models import ImportUpload, Role, Technician
from tenants.models import SecretVersion, SharedAccount
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

PEOPLE = "email,name,role\nana@x.example,Ana,auditor\nben@x.example,Ben,king\n"
GOOD = "email,name\nana@x.example,Ana\n"


class Scene:
    """Olga owns the reseller and sits at the import page."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.owner = Visitor(self.office.owner)

    def choose(self, text: str | bytes, kind: str = "technicians", visitor: Visitor | None = None) -> Any:
        file = io.BytesIO(text if isinstance(text, bytes) else text.encode())
        file.name = "people.csv"
        return (visitor or self.owner).post(reverse("import:start"), {"kind": kind, "file": file})

    def uploaded(self, text: str | bytes, kind: str = "technicians") -> ImportUpload:
        assert self.choose(text, kind).status_code == 302
        return ImportUpload.objects.latest("created_at")

    def show(self, upload: ImportUpload) -> Any:
        return self.owner.get(reverse("import:show", args=[upload.pk]))

    def apply(self, upload: ImportUpload, visitor: Visitor | None = None, **form: str) -> Any:
        return (visitor or self.owner).post(reverse("import:apply", args=[upload.pk]), form)

    def people(self) -> set[str]:
        return set(Technician.objects.filter(email__endswith="@x.example").values_list("email", flat=True))


class WhenAFileIsChosen(Scene):
    def test_the_first_page_says_what_each_kind_of_file_looks_like(self):
        page = self.owner.get(reverse("import:start")).content.decode()
        for word in ("Primary domain name", "break_glass", "method_id", "groups", "until"):
            assert word in page

    def test_tenant_groups_are_filled_by_page(self):
        tenant = self.office.tenant("Contoso")
        upload = self.uploaded(f"group,tenant\nNorth,{tenant.default_domain}\n", "groups")
        assert "contoso.example in North" in self.show(upload).content.decode()
        self.apply(upload)
        assert [group.name for group in tenant.groups.all()] == ["North"]

    def test_the_preview_names_errors_by_line_and_column_and_changes_nothing(self):
        page = self.show(self.uploaded(PEOPLE)).content.decode()
        assert "ana@x.example" in page
        assert "is no role; roles are" in page
        assert '<td class="number">3</td><td><code>role</code></td>' in page
        assert self.people() == set()

    def test_it_lies_sealed_in_the_database_for_a_quarter_of_an_hour(self):
        upload = self.uploaded("email,name\nana@x.example,Planted-Secret-7\n")
        assert b"Planted" not in bytes(upload.sealed)
        assert dt.timedelta(minutes=14) < upload.expires_at - timezone.now() <= dt.timedelta(minutes=15)

    def test_a_password_is_on_no_page(self):
        tenant = self.office.tenant("Contoso")
        upload = self.uploaded(
            f"tenant,upn,password\n{tenant.default_domain},admin@x.example, Planted-Secret-7\n", "accounts"
        )
        shown = self.show(upload)
        assert "Planted" not in shown.content.decode()
        assert "begins or ends with a blank" in shown.content.decode()
        assert "no-store" in shown["Cache-Control"]
        done = self.apply(upload)
        assert "Planted" not in self.owner.get(done["Location"]).content.decode()
        assert SharedAccount.objects.get(user_principal_name="admin@x.example")
        assert SecretVersion.objects.filter(secret__account__user_principal_name="admin@x.example").count() == 1

    @pytest.mark.parametrize(
        ("data", "reason"),
        [("name\nAna\n", "should name the columns"), (b"PK\x03\x04", "workbook"), ("email,email\n", "twice")],
    )
    def test_a_file_that_cannot_be_used_is_refused_with_the_reason_and_not_kept(self, data, reason):
        answer = self.choose(data)
        assert answer.status_code == 422
        assert reason in answer.content.decode()
        assert not ImportUpload.objects.exists()

    def test_a_file_that_is_not_unicode_says_so(self):
        upload = self.uploaded("email,name\nana@x.example,Müller\n".encode("cp1252"))
        page = self.show(upload).content.decode()
        assert "Windows-1252" in page
        assert "Müller" in page

    def test_without_a_file_the_form_says_what_is_missing(self):
        answer = self.owner.post(reverse("import:start"), {"kind": "technicians"})
        assert answer.status_code == 422

    def test_a_long_list_is_counted_in_full_and_listed_in_part(self):
        lines = "".join(f"p{n}@x.example,P{n}\n" for n in range(250))
        page = self.show(self.uploaded("email,name\n" + lines)).content.decode()
        assert "Import 250 rows" in page
        assert "and 50 more rows" in page
        assert "p199@x.example" in page
        assert "p200@x.example" not in page


class WhenItIsDecided(Scene):
    def test_it_is_imported_and_the_file_is_gone(self):
        upload = self.uploaded(GOOD)
        answer = self.apply(upload)
        assert (answer.status_code, answer["Location"]) == (302, reverse("import:show", args=[upload.pk]))
        assert self.people() == {"ana@x.example"}
        upload.refresh_from_db()
        assert (bytes(upload.sealed), upload.result["counts"]["add"]) == (b"", 1)
        assert "Rows added" in self.show(upload).content.decode()

    def test_pressed_twice_it_is_imported_once_and_both_lead_to_the_result(self):
        upload = self.uploaded(GOOD)
        answers = [self.apply(upload), self.apply(upload)]
        assert {a["Location"] for a in answers} == {reverse("import:show", args=[upload.pk])}
        assert Entry.objects.filter(verb="file.imported").count() == 1

    def test_errors_stop_everything_unless_their_rows_are_left_out(self):
        upload = self.uploaded(PEOPLE)
        assert self.apply(upload).status_code == 422
        assert self.people() == set()
        page = self.owner.get(self.apply(upload, partial="yes")["Location"]).content.decode()
        assert self.people() == {"ana@x.example"}
        assert "is no role; roles are" in page

    def test_a_code_is_asked_when_the_last_one_is_not_fresh(self):
        person = self.office.person("Mona", Role.OWNER)
        mona = Visitor(person, fresh=False)
        self.choose(GOOD, visitor=mona)
        upload = ImportUpload.objects.get(person=person)
        assert self.apply(upload, mona).status_code == 422
        assert self.people() == set()
        assert self.apply(upload, mona, code=mona.code()).status_code == 302
        assert self.people() == {"ana@x.example"}

    def test_a_file_that_brings_nothing_new_has_no_button(self):
        self.apply(self.uploaded(GOOD))
        page = self.show(self.uploaded(GOOD)).content.decode()
        assert "there is nothing to import" in page
        assert "import:apply" not in page
        assert "/apply" not in page


class WhenTheQuarterOfAnHourIsOver(Scene):
    @pytest.fixture(autouse=True)
    def _over(self, _scene: None) -> None:
        self.upload = self.uploaded(GOOD)
        ImportUpload.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))

    def test_the_preview_leads_back_to_the_beginning(self):
        assert self.show(self.upload)["Location"] == reverse("import:start")

    def test_nothing_is_imported(self):
        self.apply(self.upload)
        assert self.people() == set()

    def test_the_next_upload_sweeps_it_away(self):
        self.uploaded(GOOD)
        assert not ImportUpload.objects.filter(pk=self.upload.pk).exists()


class TheWall(Scene):
    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_keeps_out_who_may_not_import(self, role):
        visitor = Visitor(self.office.person("Tim", role))
        assert visitor.get(reverse("import:start")).status_code == 403
        assert self.choose(GOOD, visitor=visitor).status_code == 403
        assert not ImportUpload.objects.exists()

    def test_hides_the_file_of_somebody_else_even_from_an_owner(self):
        upload = self.uploaded(GOOD)
        colleague = Visitor(self.office.person("Mona", Role.OWNER))
        stranger = Visitor(Office("Elsewhere IT").owner)
        for other in (colleague, stranger):
            assert other.get(reverse("import:show", args=[upload.pk])).status_code == 404
            assert self.apply(upload, other).status_code == 404
        assert self.people() == set()

    def test_sends_somebody_who_is_not_signed_in_to_the_door(self, client):
        assert client.get(reverse("import:start"))["Location"].startswith(reverse("access:sign_in"))


class AnUpload(Scene):
    """Django would write what is larger than 2.5 MB to a temporary file, passwords included."""

    def test_stays_in_memory_whatever_its_size(self, monkeypatch):
        def on_disk(*_args: Any, **_named: Any) -> None:
            raise AssertionError("an upload went to a temporary file")

        monkeypatch.setattr("django.core.files.uploadedfile.TemporaryUploadedFile.__init__", on_disk)
        lines = "".join(f"p{n}@x.example,{'P' * 140}\n" for n in range(20_000))
        answer = self.choose("email,name\n" + lines)
        assert answer.status_code == 302

    def test_that_is_too_large_is_refused_and_not_held(self, monkeypatch):
        monkeypatch.setattr(reader, "MAX_BYTES", 1000)
        monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
        answer = self.choose(GOOD + "x" * 100_000)
        assert answer.status_code == 422
        assert "larger than" in answer.content.decode()
