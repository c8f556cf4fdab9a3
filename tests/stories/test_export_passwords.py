"""Passwords go out in one encrypted file and come back byte for byte."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.importing.flow import apply_import, preview_import
from msp.ledger.models import Entry
from msp.vault import sealed_file
from msp.vault.sealed_file import open_file
from technicians.actions import export_passwords as exporting
from technicians.actions.export_passwords import Exported, export_passwords
from technicians.models import Reveal, Role
from tenants.actions.store_password import store_password
from tenants.models import Secret, SecretVersion, SharedAccount, TenantGroup
from tests.pages.runs_stage import Office
from tests.support.world import World

PASSPHRASE = "plough Anchor 7 river-bed"
ODD = "\"'`,;|\t\n\r=+-@ \\/<>&%$#{}[]()äöüß€漢字🔑\u200f\u202e\u00a0éaA0"


OUTRIGHT_ODD = [" ", "\n", "=1+1", "-1", "@SUM(A1)", "'", '"', "\u202e", "🔑" * 128, "x" * 256, "Null", "é", "e\u0301"]


def odd_password(dice: random.Random) -> str:
    length = dice.choice([1, 8, 24, 200, 256])
    return "".join(dice.choice(ODD) for _ in range(length))


class Scene:
    """Contoso's account, whose password is here, and an owner. Deriving a key costs next to nothing."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealed_file, "COST", {"name": "scrypt", "n": 2**4, "r": 8, "p": 1})
        self.world = world
        self.account: SharedAccount = world.account(world.tenant("Contoso"))

    def export(self, accounts: Any = None, **facts: Any) -> Exported:
        said = {"by": self.world.owner, "reason": "moving house", "passphrase": PASSPHRASE} | facts
        wanted = SharedAccount.objects.all() if accounts is None else accounts
        return export_passwords(wanted, outside=self.world.outside, **said)

    def load(self, file: bytes) -> Any:
        return apply_import("passwords", open_file(file, PASSPHRASE), by=self.world.owner, outside=self.world.outside)

    def values(self) -> dict[Any, bytes]:
        versions = SecretVersion.objects.in_force().select_related("secret__account")
        return {v.secret.account_id: self.world.outside.vault.open(bytes(v.sealed), v.place) for v in versions}


class WhenThousandOddPasswordsGoOut(Scene):
    def test_they_come_back_byte_for_byte_and_a_second_time_nothing_changes(self):
        dice = random.Random(20261125)
        tenant = self.account.tenant
        accounts = SharedAccount.objects.bulk_create(
            SharedAccount(
                reseller=self.world.reseller,
                tenant=tenant,
                user_principal_name=f"admin{number}@{tenant.default_domain}",
                object_id=str(number),
            )
            for number in range(1000)
        )
        odd = OUTRIGHT_ODD + [odd_password(dice) for _ in accounts[len(OUTRIGHT_ODD) :]]
        for account, password in zip(accounts, odd, strict=True):
            store_password(account, password, by=self.world.owner, outside=self.world.outside, source="imported")
        before = self.values()
        assert len(before) == 1001
        file = self.export().file
        Reveal.objects.all().delete()
        Secret.objects.all().delete()

        back = self.load(file)
        assert (back.imported, back.counts["add"], back.counts["errors"]) == (True, 1001, 0)
        assert self.values() == before

        again = self.load(file)
        assert (again.counts["add"], again.counts["change"], again.counts["same"]) == (0, 0, 1001)
        assert self.values() == before


class WhenPasswordsAreExported(Scene):
    def test_it_is_written_down_who_has_seen_what_and_why(self):
        done = self.export()
        reveal = Reveal.objects.get()
        assert (reveal.technician, reveal.act, reveal.reason) == (self.world.owner, "exported", "moving house")
        entry = Entry.objects.get(verb="passwords.exported")
        assert (entry.facts["accounts"], entry.facts["sha256"]) == (1, done.sha256)
        assert self.world.password_at_microsoft(self.account).encode() not in bytes(entry.body)

    def test_while_a_change_is_not_proven_both_go_out_and_the_one_in_force_comes_back(self):
        before = self.values()
        secret = Secret.objects.select_related("account").get()
        sent = SecretVersion(reseller_id=secret.reseller_id, secret=secret, number=2, status="unverified")
        with transaction.atomic():
            sent.sealed = self.world.outside.vault.seal(b"Sent-and-not-proven", sent.place)
            sent.save()
        done = self.export()
        entries = json.loads(open_file(done.file, PASSPHRASE))["accounts"]
        assert [(entry["number"], entry["status"]) for entry in entries] == [(1, "current"), (2, "unverified")]
        assert entries[1]["password"] == "Sent-and-not-proven"
        assert (done.accounts, Reveal.objects.count()) == (1, 2)

        Reveal.objects.all().delete()
        Secret.objects.all().delete()
        back = self.load(done.file)
        assert (back.counts["add"], back.counts["skip"]) == (1, 1)
        assert "not proven" in " ".join(back.preview.plan.notes)
        assert self.values() == before

    def test_an_account_without_a_password_is_counted(self):
        SharedAccount.objects.create(
            reseller=self.world.reseller, tenant=self.account.tenant, user_principal_name="bare@contoso.example"
        )
        done = self.export()
        assert (done.accounts, done.without) == (1, 1)

    def test_when_it_cannot_be_written_down_nothing_leaves(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger is full.")

        monkeypatch.setattr(exporting, "record", closed)
        with pytest.raises(LedgerClosed):
            self.export()
        assert not Reveal.objects.exists()

    @pytest.mark.parametrize(
        ("facts", "why"),
        [({"reason": " "}, "what the export is for"), ({"passphrase": "short"}, "fewer than 16 characters")],
    )
    def test_what_is_missing_is_said_and_nothing_is_handed_out(self, facts: dict[str, str], why: str):
        with pytest.raises(BadInput, match=why):
            self.export(**facts)
        assert not Reveal.objects.exists()

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.TECHNICIAN, Role.AUDITOR])
    def test_nobody_but_an_owner_may(self, role: Role):
        with pytest.raises(NotPermitted):
            self.export(by=self.world.technician("Mia", role))

    def test_accounts_of_another_reseller_are_not_exported(self):
        foreign = Office("Elsewhere IT")
        account = foreign.account(foreign.tenant("Fabrikam"))
        with pytest.raises(NotPermitted):
            self.export([account])


class WhenTheFileComesBackLater(Scene):
    def test_it_cannot_undo_a_change_made_since(self):
        file = self.export().file
        store_password(
            self.account, "Neu-2026-Regen", by=self.world.owner, outside=self.world.outside, source="entered"
        )
        plan = preview_import(
            "passwords", open_file(file, PASSPHRASE), by=self.world.owner, outside=self.world.outside
        ).plan
        assert [str(row.effect) for row in plan.rows] == ["skip"]
        assert "earlier password" in plan.warnings[0].message


class TheCommand(Scene):
    def run(self, tmp_path: Path, *words: str, passphrase: str = PASSPHRASE) -> Path:
        (tmp_path / "phrase").write_text(passphrase + "\n")
        target = tmp_path / "export.json"
        call_command(
            "export_passwords", *words, "--to", str(target), "--reason", "moving house",
            "--passphrase-file", str(tmp_path / "phrase"),
        )  # fmt: skip
        return target

    @pytest.fixture(autouse=True)
    def _installed(self, _scene: None, monkeypatch: pytest.MonkeyPatch) -> None:
        for place in ("export_passwords", "import"):
            monkeypatch.setattr(f"msp.ops.management.commands.{place}.outside", lambda: self.world.outside)

    def test_writes_a_private_file_that_import_takes_back(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        file = self.run(tmp_path, "--all")
        assert file.stat().st_mode & 0o777 == 0o600
        before = self.values()
        Reveal.objects.all().delete()
        Secret.objects.all().delete()
        call_command("import", "passwords", str(file), "--passphrase-file", str(tmp_path / "phrase"))
        assert self.values() == before
        assert self.world.password_at_microsoft(self.account) not in capsys.readouterr().out

    def test_takes_one_tenant_or_one_group(self, tmp_path: Path):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        group.tenants.add(self.account.tenant)
        self.world.account(self.world.tenant("Fabrikam"))
        for words in (["--group", "North"], ["--tenant", self.account.tenant.default_domain.upper()]):
            self.run(tmp_path, *words).unlink()
            assert Entry.objects.filter(verb="passwords.exported").latest("at").facts["accounts"] == 1

    def test_writes_over_nothing(self, tmp_path: Path):
        (tmp_path / "export.json").write_text("mine")
        with pytest.raises(CommandError, match="File exists"):
            self.run(tmp_path, "--all")
        assert (tmp_path / "export.json").read_text() == "mine"
        assert not Reveal.objects.exists()

    def test_leaves_no_file_behind_when_it_is_refused(self, tmp_path: Path):
        with pytest.raises(CommandError, match="fewer than 16"):
            self.run(tmp_path, "--all", passphrase="short")
        assert not (tmp_path / "export.json").exists()

    def test_names_a_scope_without_accounts(self, tmp_path: Path):
        with pytest.raises(CommandError, match="no shared account"):
            self.run(tmp_path, "--tenant", "nowhere.example")
