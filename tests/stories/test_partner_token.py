"""The partner's refresh token at rest: how it comes in, who can read it, and how it is replaced in use."""

from __future__ import annotations

import io
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from msp.errors import KeyTrouble, LedgerClosed
from msp.ledger.models import Entry
from msp.ops.management.commands import partner_token
from msp.outside import outside
from msp.vault.database import Vault
from msp.vault.keepers.file import FileKeeper
from msp.vault.kept import PARTNER_REFRESH_TOKEN, Kept
from msp.vault.models import KeptSecret
from technicians.actions.create_technician import create_technician
from technicians.models import Role, Technician
from tests.support.world import found_reseller

TOKEN = "0.AXkAPlanted-Refresh-Token_0000.AgABAAEAAAD"
NEXT = TOKEN.replace("0000", "0001")
RESELLER = uuid.uuid4()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(Vault(FileKeeper(tmp_path / "keys")), PARTNER_REFRESH_TOKEN)


class Office:
    """A reseller with an owner and a manager, and somebody at the keyboard."""

    @pytest.fixture(autouse=True)
    def _office(self, db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        settings.KEY_DIRECTORY = tmp_path / "keys"
        settings.MICROSOFT = settings.MICROSOFT | {"client_id": "client-1", "client_secret": "s"}
        outside.cache_clear()
        self.monkeypatch = monkeypatch
        self.reseller, self.owner = found_reseller("Northwind IT", "olga@reseller.example")
        yield
        outside.cache_clear()

    def type(self, text: str, *arguments: str) -> str:
        """Everything that the command says to this standard input."""
        out, err = io.StringIO(), io.StringIO()
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        call_command("partner_token", *arguments, stdout=out, stderr=err)
        return out.getvalue() + err.getvalue()

    def refused(self, text: str, *arguments: str) -> str:
        with pytest.raises(CommandError) as caught:
            self.type(text, *arguments)
        return str(caught.value)

    def kept(self) -> str:
        return Kept(outside().vault, PARTNER_REFRESH_TOKEN).read()


class WhenAnOwnerStoresIt(Office):
    def test_it_is_kept_sealed_and_opens_for_the_process_that_uses_it(self):
        self.type(f"{TOKEN}\n")
        assert self.kept() == TOKEN
        assert TOKEN.encode() not in bytes(KeptSecret.objects.get().sealed)

    def test_it_is_written_down_by_whom_and_not_what(self):
        self.type(TOKEN)
        entry = Entry.objects.get(verb="partner_token.stored")
        assert (entry.actor, entry.reseller_id) == (self.owner.email, self.reseller.pk)
        assert TOKEN.encode() not in bytes(entry.body)

    def test_the_settings_that_matter_are_named_and_the_token_is_not(self):
        said = self.type(TOKEN)
        assert "LATCHKEY_CLIENT_ID" in said
        assert TOKEN not in said

    def test_settings_that_are_missing_are_told(self, settings):
        assert "not complete" not in self.type(TOKEN)
        settings.MICROSOFT = settings.MICROSOFT | {"client_id": ""}
        assert "not complete" in self.type(TOKEN)

    def test_a_later_one_takes_its_place(self):
        self.type(TOKEN)
        self.type(NEXT)
        assert self.kept() == NEXT
        assert Entry.objects.filter(verb="partner_token.stored").count() == 2

    def test_nothing_is_kept_when_it_cannot_be_written_down(self):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger is closed.")

        self.type(TOKEN)
        self.monkeypatch.setattr(partner_token, "record", closed)
        assert "ledger is closed" in self.refused(NEXT)
        assert self.kept() == TOKEN


class WhenSomethingElseIsBrought(Office):
    @pytest.mark.parametrize("text", ["", "\n", "short", f"{TOKEN}\n{NEXT}", f"{TOKEN} {NEXT}", "ü" * 40, "x" * 20000])
    def test_nothing_changes_and_it_is_not_repeated(self, text):
        self.type(TOKEN)
        said = self.refused(text)
        assert "what was kept before still stands" in said
        assert not text.strip() or text.strip() not in said
        assert self.kept() == TOKEN

    def test_by_somebody_who_is_no_owner_it_is_not_taken(self):
        manager: Technician = create_technician(
            reseller=self.reseller, email="mia@reseller.example", name="Mia", role=Role.MANAGER, by=self.owner
        )
        assert "no owner" in self.refused(TOKEN, "--as", manager.email)
        assert self.kept() == ""


@pytest.mark.django_db
class WhenItIsUsed:
    def test_before_the_first_one_there_is_nothing(self, kept: Kept):
        assert kept.read() == ""
        kept.replace("", NEXT)
        assert kept.read() == ""

    def test_the_one_that_came_along_takes_the_place_of_the_used_one(self, kept: Kept):
        kept.store(TOKEN, reseller_id=RESELLER)
        kept.replace(TOKEN, NEXT)
        assert kept.read() == NEXT

    def test_a_younger_one_is_not_overwritten(self, kept: Kept):
        kept.store("a-persons-new-one", reseller_id=RESELLER)
        kept.replace(TOKEN, NEXT)
        assert kept.read() == "a-persons-new-one"

    def test_an_envelope_under_another_name_does_not_open(self, kept: Kept):
        kept.store(TOKEN, reseller_id=RESELLER)
        KeptSecret.objects.update(name="another_secret")
        with pytest.raises(KeyTrouble):
            Kept(kept._vault, "another_secret").read()

    def test_another_root_key_does_not_open_it(self, kept: Kept, tmp_path: Path):
        kept.store(TOKEN, reseller_id=RESELLER)
        foreign = FileKeeper(tmp_path / "foreign")
        foreign.make_unless_there()
        with pytest.raises(KeyTrouble):
            Kept(Vault(foreign), PARTNER_REFRESH_TOKEN).read()


@pytest.mark.django_db(transaction=True)
class WhenManyTenantsAreReachedAtOnce:
    def test_one_of_the_new_ones_is_kept_and_it_opens(self, kept: Kept):
        kept.store(TOKEN, reseller_id=RESELLER)

        def use(number: int) -> None:
            try:
                kept.replace(kept.read(), f"{TOKEN}-{number}")
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(use, range(24)))
        assert kept.read() in {f"{TOKEN}-{number}" for number in range(24)}
