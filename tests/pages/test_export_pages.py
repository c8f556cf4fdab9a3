"""The page that hands passwords out in one encrypted file, and the import page that takes it back."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.urls import reverse

from msp.vault import sealed_file
from msp.vault.sealed_file import open_file
from technicians.models import ImportUpload, Reveal
from tenants.models import SharedAccount
from tests.support.visitor import Visitor
from tests.support.world import World

PASSPHRASE = "plough Anchor 7 river-bed"


class WhenAnOwnerExportsByPage:
    """Contoso's account has a password here."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealed_file, "COST", {"name": "scrypt", "n": 2**4, "r": 8, "p": 1})
        self.world = at_work
        self.account: SharedAccount = at_work.account(at_work.tenant("Contoso"))

    def post(self, *, fresh: bool = True, **form: str) -> Any:
        said = {"scope": "all", "reason": "moving house", "passphrase": PASSPHRASE, "again": PASSPHRASE} | form
        return Visitor(self.world.owner, fresh=fresh).post(reverse("tenants:export_passwords"), said)

    def test_the_answer_is_the_file_and_keeps_no_copy(self):
        answer = self.post()
        assert "no-store" in answer["Cache-Control"]
        assert "attachment" in answer["Content-Disposition"]
        assert self.world.password_at_microsoft(self.account).encode() in open_file(answer.content, PASSPHRASE)

    @pytest.mark.parametrize(
        ("form", "why"),
        [
            ({"again": "something else entirely"}, "differ"),
            ({"passphrase": "short", "again": "short"}, "fewer than 16"),
            ({"reason": ""}, "required"),
            ({"scope": "tenant:x"}, "valid choice"),
        ],
    )
    def test_it_says_at_the_field_what_is_wrong_and_hands_nothing_out(self, form: dict[str, str], why: str):
        answer = self.post(**form)
        assert answer.status_code == 422
        assert why in answer.content.decode()
        assert PASSPHRASE not in answer.content.decode()
        assert not Reveal.objects.exists()

    def test_it_asks_for_a_fresh_code(self):
        assert self.post(fresh=False).status_code == 422
        assert not Reveal.objects.exists()

    def test_whoever_asks_who_knows_the_password_reads_it_there(self):
        self.post()
        owner, report = Visitor(self.world.owner), reverse("reports:knowledge")
        account = reverse("tenants:account", args=[self.account.pk])
        person = reverse("technicians:detail", args=[self.world.owner.pk])
        for answer in (owner.get(account), owner.get(person), owner.get(report), owner.post(report)):
            assert answer.status_code == 200
            assert "taken out in an encrypted file" in answer.getvalue().decode()

    def test_it_takes_one_tenant(self):
        self.world.account(self.world.tenant("Fabrikam"))
        content = open_file(self.post(scope=f"tenant:{self.account.tenant_id}").content, PASSPHRASE).decode()
        assert "contoso" in content
        assert "fabrikam" not in content

    def choose(self, content: bytes, passphrase: str) -> Any:
        file = io.BytesIO(content)
        file.name = "export.json"
        form = {"kind": "passwords", "file": file, "passphrase": passphrase}
        return Visitor(self.world.owner).post(reverse("import:start"), form)

    def test_the_import_page_takes_it_back_with_its_passphrase(self):
        content = self.post().content
        answer = self.choose(content, PASSPHRASE)
        page = Visitor(self.world.owner).get(answer["Location"]).content.decode()
        assert "Read as: Latchkey" in page
        assert self.world.password_at_microsoft(self.account) not in page

    def test_another_passphrase_is_said_at_its_field_and_nothing_is_kept(self):
        answer = self.choose(self.post().content, "another one entirely")
        assert answer.status_code == 422
        assert "the passphrase is another one" in answer.content.decode()
        assert not ImportUpload.objects.exists()
