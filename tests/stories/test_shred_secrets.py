"""A customer goes, and every secret that Latchkey has of it is destroyed with its keys."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from msp.errors import BadInput, KeyTrouble, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from msp.outside import outside
from msp.vault.models import DataKey
from technicians.actions.assign import assign
from technicians.actions.create_technician import create_technician
from technicians.actions.reveal_password import reveal_password
from technicians.models import Role, Technician
from tenants.actions import shred_secrets as action
from tenants.actions.shred_secrets import shred_secrets
from tenants.actions.store_password import store_password
from tenants.models import Customer, SecretVersion, SharedAccount, Tenant
from tests.support.world import found_reseller

pytestmark = pytest.mark.django_db


class Office:
    """Two tenants with one password each, both in the owner's own hands."""

    @pytest.fixture(autouse=True)
    def _office(self, settings: Any, tmp_path: Path) -> Iterator[None]:
        settings.KEY_DIRECTORY = tmp_path / "keys"
        outside.cache_clear()
        self.reseller, self.owner = found_reseller("Northwind IT", "olga@reseller.example")
        self.contoso, self.fabrikam = self.account("contoso"), self.account("fabrikam")
        yield
        outside.cache_clear()

    def account(self, name: str) -> SharedAccount:
        customer = Customer.objects.create(reseller=self.reseller, name=name.title())
        tenant = Tenant.objects.create(
            reseller=self.reseller, customer=customer, directory_id=uuid.uuid4(), default_domain=f"{name}.example"
        )
        account = SharedAccount.objects.create(
            reseller=self.reseller, tenant=tenant, user_principal_name=f"admin@{name}.example", object_id=uuid.uuid4()
        )
        store_password(account, f"{name}-Pass-1!", by=self.owner, outside=outside(), source="imported")
        assign(account=account, technician=self.owner, by=self.owner, reason="on the team")
        return account

    def person(self, role: Role) -> Technician:
        return create_technician(
            reseller=self.reseller, email=f"{role}@reseller.example", name=str(role), role=role, by=self.owner
        )

    def shred(self, by: Technician | None = None, reason: str = "contract ended") -> int:
        return shred_secrets(self.contoso.tenant, by=by or self.owner, reason=reason, outside=outside())

    def reveal(self, account: SharedAccount) -> str:
        return reveal_password(self.owner, account, reason="to look", outside=outside())[0].password

    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("shred_secrets", "--reason", "contract ended", *arguments, stdout=out, stderr=io.StringIO())
        return out.getvalue()


class WhenTheSecretsOfATenantAreShredded(Office):
    def test_a_reveal_says_that_the_keys_were_destroyed_and_on_which_day(self):
        assert self.shred() == 1
        with pytest.raises(KeyTrouble, match=f"was destroyed on {timezone.now():%Y-%m-%d}") as said:
            self.reveal(self.contoso)
        assert "Nothing can open them again" in str(said.value)

    def test_no_other_tenant_loses_anything(self):
        self.shred()
        assert self.reveal(self.fabrikam) == "fabrikam-Pass-1!"

    def test_older_keys_that_only_opened_are_destroyed_too(self):
        outside().vault.renew(DataKey.objects.get(tenant_id=self.contoso.tenant_id))
        assert self.shred() == 2
        assert not DataKey.objects.that_open().filter(tenant_id=self.contoso.tenant_id).exists()

    def test_it_is_written_down_with_the_reason_and_by_whom(self):
        self.shred()
        entry = Entry.objects.get(verb="secrets.shredded")
        assert (entry.tenant_id, entry.actor) == (self.contoso.tenant_id, self.owner.email)
        assert entry.facts == {"keys": 1, "reason": "contract ended"}

    def test_without_a_record_every_secret_still_opens(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger is closed.")

        monkeypatch.setattr(action, "record", closed)
        with pytest.raises(LedgerClosed):
            self.shred()
        assert self.reveal(self.contoso) == "contoso-Pass-1!"

    def test_what_is_stored_later_has_a_key_of_its_own(self):
        self.shred()
        old = SecretVersion.objects.get(secret__account=self.contoso)
        fresh = SecretVersion(reseller=self.reseller, secret=old.secret, number=2)
        fresh.sealed = outside().vault.seal(b"later", fresh.place)
        assert outside().vault.open(bytes(fresh.sealed), fresh.place) == b"later"
        with pytest.raises(KeyTrouble):
            outside().vault.open(bytes(old.sealed), old.place)

    def test_a_second_time_there_is_nothing_left_to_destroy(self):
        self.shred()
        with pytest.raises(BadInput, match="no key that could be destroyed"):
            self.shred()
        assert Entry.objects.filter(verb="secrets.shredded").count() == 1


class WhoMayShredSecrets(Office):
    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.OWNER, Role.CUSTOMER_CONTACT)])
    def test_nobody_but_an_owner(self, role: Role):
        with pytest.raises(NotPermitted, match="Only an owner"):
            self.shred(by=self.person(role))
        assert self.reveal(self.contoso) == "contoso-Pass-1!"

    def test_no_owner_of_another_reseller(self):
        _other, stranger = found_reseller("Southwind", "sam@other.example")
        with pytest.raises(NotPermitted):
            self.shred(by=stranger)
        assert self.reveal(self.contoso) == "contoso-Pass-1!"

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_nobody_without_a_reason(self, reason: str):
        with pytest.raises(BadInput, match="Say why"):
            self.shred(reason=reason)
        assert self.reveal(self.contoso) == "contoso-Pass-1!"


class WhenTheOperatorAsksForIt(Office):
    def test_it_is_first_said_what_would_go_and_nothing_goes(self):
        said = self.run("--tenant", "contoso.example")
        assert "1 stored password of 1 account," in said
        assert "Nothing was destroyed" in said
        assert self.reveal(self.contoso) == "contoso-Pass-1!"

    @pytest.mark.parametrize("named", ["domain", "directory id"])
    def test_with_yes_it_is_done_and_backups_are_mentioned(self, named: str):
        tenant = self.contoso.tenant
        said = self.run(
            "--tenant", tenant.default_domain.upper() if named == "domain" else str(tenant.directory_id), "--yes"
        )
        assert "Backups made before" in said
        with pytest.raises(KeyTrouble):
            self.reveal(self.contoso)

    @pytest.mark.parametrize("text", ["nobody.example", "11111111-0000-4000-8000-000000000001", ""])
    def test_a_tenant_that_is_not_here_is_named(self, text: str):
        with pytest.raises(CommandError, match=f"no tenant {text}"):
            self.run("--tenant", text, "--yes")

    def test_of_two_tenants_with_one_domain_none_is_taken(self):
        Tenant.objects.update(default_domain="same.example")
        with pytest.raises(CommandError, match="More than one"):
            self.run("--tenant", "same.example", "--yes")
        assert self.reveal(self.contoso) == "contoso-Pass-1!"
