"""Turning keys over: what changes, what stays readable meanwhile, and how an interrupted turnover goes on."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.utils import timezone

from msp.access.actions import make_totp_device
from msp.errors import KeyTrouble
from msp.ledger.models import Entry
from msp.ops.sealed import SEALED
from msp.outside import outside
from msp.vault.database import Vault
from msp.vault.envelope import key_id_of, seal
from msp.vault.keepers.environment import EnvironmentKeeper
from msp.vault.keepers.file import FileKeeper
from msp.vault.kept import Kept
from msp.vault.models import DataKey, KeptSecret, Turnover
from msp.vault.reseal import destroy_unused
from technicians.actions.create_technician import create_technician
from technicians.actions.keep_upload import keep_upload
from technicians.models import KeptCode, Role
from tenants.actions.store_password import store_password
from tenants.models import Customer, Registration, Run, SecretVersion, SharedAccount, Step, Target, Tenant
from tenants.plans import StepKind
from tests.support.world import found_reseller

PASSWORDS = {"contoso": "Contoso-Pass-1!", "fabrikam": "Fabrikam-Pass-1!"}


class Killed(BaseException):
    """The process ends here, as far as this test can tell."""


class Office:
    """Two tenants with one password each, and one more secret of every other kind."""

    @pytest.fixture(autouse=True)
    def _office(self, settings: Any, tmp_path: Path) -> Iterator[None]:
        settings.KEY_DIRECTORY = self.keys = tmp_path / "keys"
        outside.cache_clear()
        self.reseller, self.owner = found_reseller("Northwind IT", "olga@reseller.example")
        self.accounts = {name: self.account(name) for name in PASSWORDS}
        for name, password in PASSWORDS.items():
            store_password(self.accounts[name], password, by=self.owner, outside=outside(), source="imported")
        self.device, self.seed = make_totp_device(self.owner, vault=outside().vault, confirmed=True)
        self.upload = keep_upload(b"a,b", kind="accounts", file_name="x.csv", by=self.owner, outside=outside())
        Kept(outside().vault, "a_token").store("the token", reseller_id=self.reseller.pk)
        self.seal(Registration(holder=self.owner, serial="LK-1", account=self.accounts["contoso"]), b"seed of a token")
        self.seal(KeptCode(technician=self.owner, account=self.accounts["contoso"]), b"seed kept here")
        self.seal(self.step(), b"a session of before")
        yield
        outside.cache_clear()

    def step(self) -> Step:
        run = Run.objects.create(
            reseller=self.reseller, kind=Run.Kind.OFFBOARDING, reason="left", started_at=timezone.now()
        )
        target = Target.objects.create(reseller=self.reseller, run=run, account=self.accounts["contoso"], position=0)
        return Step(target=target, kind=StepKind.TRY_SESSION, position=0)

    def seal(self, row: Registration | KeptCode | Step, seed: bytes) -> None:
        row.reseller = self.reseller
        with transaction.atomic():
            row.sealed = outside().vault.seal(seed, row.place)
            row.save(force_insert=True)

    def account(self, name: str) -> SharedAccount:
        customer = Customer.objects.create(reseller=self.reseller, name=name)
        tenant = Tenant.objects.create(
            reseller=self.reseller, customer=customer, directory_id=uuid.uuid4(), default_domain=f"{name}.example"
        )
        return SharedAccount.objects.create(
            reseller=self.reseller, tenant=tenant, user_principal_name=f"admin@{name}.example", object_id=uuid.uuid4()
        )

    def rotate(self, *arguments: str) -> dict[str, Any]:
        out = io.StringIO()
        call_command("rotate_keys", "--json", "--rest-seconds", "0", *arguments, stdout=out, stderr=io.StringIO())
        counts: dict[str, Any] = json.loads(out.getvalue())
        return counts

    def refused(self, *arguments: str) -> str:
        with pytest.raises(CommandError) as caught:
            self.rotate(*arguments)
        return str(caught.value)

    def version(self, name: str) -> SecretVersion:
        return SecretVersion.objects.select_related("secret__account").get(secret__account=self.accounts[name])

    def what_opens(self, vault: Vault | None = None) -> list[bytes]:
        """Every secret, as a process reads it that knew no key before."""
        vault = vault or Vault(FileKeeper(self.keys))
        rows = [*(self.version(name) for name in PASSWORDS), *(c.model._base_manager.get() for c in SEALED[1:])]
        return [vault.open(bytes(row.sealed), row.place) for row in rows]

    @property
    def everything(self) -> list[bytes]:
        texts = [*(text.encode() for text in PASSWORDS.values()), self.seed, b"a,b", b"the token"]
        return [*texts, b"seed of a token", b"seed kept here", b"a session of before"]

    def root_key_ids(self) -> set[str]:
        return set(DataKey.objects.that_open().values_list("root_key_id", flat=True))

    def key_files(self) -> list[str]:
        return sorted(path.name for path in self.keys.glob("root*"))

    def is_turned_over(self, leaving: str) -> bool:
        current = FileKeeper(self.keys).current()
        return (
            self.root_key_ids() == {current}
            and current != leaving
            and self.key_files() == ["root.key"]
            and self.what_opens() == self.everything
            and not Turnover.objects.filter(finished_at=None).exists()
        )


@pytest.mark.django_db
class WhenTheRootKeyIsTurnedOver(Office):
    def test_every_data_key_is_wrapped_anew_the_old_root_key_is_gone_and_everything_opens(self):
        before = FileKeeper(self.keys).current()
        counts = self.rotate()
        assert (counts["rewrapped"], counts["root_keys_retired"]) == (3, 1)
        assert (counts["renewed"], counts["resealed"], counts["destroyed"]) == (0, 0, 0)
        assert self.is_turned_over(before)
        assert counts["root_key_id"] == FileKeeper(self.keys).current()

    def test_the_envelopes_stay_as_they_are(self):
        before = bytes(self.version("contoso").sealed)
        self.rotate()
        assert bytes(self.version("contoso").sealed) == before

    def test_a_process_that_read_the_row_of_a_key_before_still_opens(self, monkeypatch: pytest.MonkeyPatch):
        reader = Vault(FileKeeper(self.keys))
        read_before = list(DataKey.objects.all())
        self.rotate()
        for row in read_before:
            assert len(reader._key_of(row)) == 32

    def test_it_is_written_down_at_its_begin_and_at_its_end(self):
        before = FileKeeper(self.keys).current()
        self.rotate()
        begun, done = Entry.objects.get(verb="keys.turnover_begun"), Entry.objects.get(verb="keys.turned_over")
        assert begun.facts == {"leaves": [before], "data_keys": False}
        assert (done.facts["rewrapped"], done.facts["root_key_id"]) == (3, FileKeeper(self.keys).current())
        assert done.actor == self.owner.email

    def test_asked_again_it_makes_yet_another_one(self):
        first = self.rotate()["root_key_id"]
        assert self.rotate()["root_key_id"] != first
        assert self.is_turned_over(first)

    def test_nobody_but_an_owner_may(self):
        manager = create_technician(
            reseller=self.reseller, email="mia@reseller.example", name="Mia", role=Role.MANAGER, by=self.owner
        )
        before = self.key_files()
        assert "is no owner" in self.refused("--as", manager.email)
        assert (self.key_files(), Turnover.objects.count()) == (before, 0)

    def test_with_a_wrong_root_key_nothing_begins(self, tmp_path: Path):
        FileKeeper(tmp_path / "other").make_unless_there()
        (tmp_path / "other" / "root.key").replace(self.keys / "root.key")
        assert "is not the root key" in self.refused()
        assert (self.key_files(), Turnover.objects.count(), Entry.objects.filter(verb__startswith="keys").count()) == (
            ["root.key"], 0, 0,
        )  # fmt: skip


@pytest.mark.django_db
class WhenItIsKilledAnywhere(Office):
    """The command ends at a call of the keeper or of the vault, before or after it; then it is started again."""

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize(
        ("owner", "name", "call"),
        [
            (FileKeeper, "make_next", 1), (Vault, "rewrap", 1), (Vault, "rewrap", 3), (FileKeeper, "retire", 1),
            (Vault, "renew", 1), (Vault, "renew", 3), (Vault, "reseal", 2), (Vault, "reseal", 5),
        ],
        ids=lambda value: getattr(value, "__name__", str(value)),
    )  # fmt: skip
    def test_started_again_it_ends_with_one_new_root_key(
        self, owner: Any, name: str, call: int, after: bool, monkeypatch: pytest.MonkeyPatch
    ):
        before, made = FileKeeper(self.keys).current(), []
        really, really_make, calls = getattr(owner, name), FileKeeper.make_next, 0

        def dies(this: Any, *arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call and not after:
                raise Killed
            answer = really(this, *arguments, **named)
            if calls == call:
                made.append(answer) if name == "make_next" else None
                raise Killed
            return answer

        monkeypatch.setattr(owner, name, dies)
        with pytest.raises(Killed):
            self.rotate("--data-keys")
        monkeypatch.undo()
        assert self.what_opens() == self.everything

        monkeypatch.setattr(FileKeeper, "make_next", lambda this: made.append(really_make(this)) or made[-1])
        begun_with = FileKeeper(self.keys).current()
        self.rotate()

        assert self.is_turned_over(before)
        assert begun_with in (before, FileKeeper(self.keys).current())
        assert DataKey.objects.retired().count() == 0
        assert DataKey.objects.filter(destroyed_at__isnull=False).count() == 3


@pytest.mark.django_db
class WhenTheDataKeysAreTurnedOver(Office):
    def test_everything_is_sealed_by_new_ones_and_the_old_ones_are_destroyed(self):
        old = set(DataKey.objects.values_list("pk", flat=True))
        before = FileKeeper(self.keys).current()
        counts = self.rotate("--data-keys")
        assert (counts["renewed"], counts["resealed"], counts["destroyed"]) == (3, 8, 3)
        assert self.is_turned_over(before)
        assert {row.pk for row in DataKey.objects.filter(destroyed_at__isnull=False)} == old
        assert not any(column.sealed_by(old).exists() for column in SEALED)

    def test_what_the_previous_release_seals_with_a_retired_key_is_found_and_sealed_anew(self):
        """It knows destroyed keys only, so it may take a retired one."""
        old = DataKey.objects.get(tenant_id=self.accounts["contoso"].tenant_id)
        outside().vault.renew(old)
        version = SecretVersion(reseller=self.reseller, secret=self.accounts["contoso"].secret, number=2)
        key = outside().vault._key_of(old)
        version.sealed = seal(key, b"by the previous one", version.place, key_id=old.pk.bytes)
        version.save()
        counts = self.rotate()
        assert (counts["resealed"], counts["destroyed"]) == (5, 1)
        version.refresh_from_db()
        assert Vault(FileKeeper(self.keys)).open(bytes(version.sealed), version.place) == b"by the previous one"

    def test_an_envelope_that_does_not_open_stays_with_its_key_and_is_named(self):
        version = self.version("contoso")
        damaged = bytes(version.sealed)[:-1] + bytes([bytes(version.sealed)[-1] ^ 1])
        SecretVersion.objects.filter(pk=version.pk).update(sealed=damaged)
        said = self.refused("--data-keys")
        assert str(version.pk) in said
        assert "Restore" in said
        assert bytes(self.version("contoso").sealed) == damaged
        assert DataKey.objects.retired().get().pk.bytes == key_id_of(damaged)
        assert self.key_files() == ["root.key"]

    def test_a_shredded_tenant_is_not_brought_back(self):
        outside().vault.destroy(self.reseller.pk, self.accounts["contoso"].tenant_id)
        counts = self.rotate("--data-keys")
        assert (counts["renewed"], counts["resealed"]) == (2, 4)
        assert not DataKey.objects.that_open().filter(tenant_id=self.accounts["contoso"].tenant_id).exists()
        with pytest.raises(KeyTrouble, match="was destroyed on"):
            outside().vault.open(bytes(self.version("contoso").sealed), self.version("contoso").place)

    def test_asked_for_while_an_unfinished_one_had_not_it_is_added(self, monkeypatch: pytest.MonkeyPatch):
        def killed(*_: Any) -> None:
            raise Killed

        monkeypatch.setattr(Vault, "rewrap", killed)
        with pytest.raises(Killed):
            self.rotate()
        monkeypatch.undo()
        assert self.rotate("--data-keys")["renewed"] == 3
        assert Turnover.objects.count() == 1


@pytest.mark.django_db(transaction=True)
class WhenSomebodySealsAtThatMoment(Office):
    """A secret is sealed with the old data key, and its transaction is still open."""

    def test_the_old_key_is_not_destroyed_before_that_is_committed(self):
        account, sealed, go_on = self.accounts["contoso"], threading.Event(), threading.Event()

        def seals() -> None:
            try:
                with transaction.atomic():
                    version = SecretVersion(reseller=self.reseller, secret=account.secret, number=2)
                    version.sealed = outside().vault.seal(b"just now", version.place)
                    version.save()
                    sealed.set()
                    assert go_on.wait(60)
            finally:
                connection.close()

        somebody = threading.Thread(target=seals)
        somebody.start()
        assert sealed.wait(60)
        old = DataKey.objects.live().get(tenant_id=account.tenant_id)
        outside().vault.renew(old)
        destroyed: list[int] = []
        destroyer = threading.Thread(target=lambda: (destroyed.append(destroy_unused(SEALED)), connection.close()))
        destroyer.start()
        destroyer.join(1)
        assert destroyed == []
        go_on.set()
        somebody.join(60)
        destroyer.join(60)

        assert destroyed == [0]
        counts = self.rotate()
        assert (counts["resealed"], counts["destroyed"]) == (5, 1)
        newest = SecretVersion.objects.select_related("secret__account").get(number=2)
        assert outside().vault.open(bytes(newest.sealed), newest.place) == b"just now"

    def test_a_row_that_somebody_holds_is_waited_for_and_not_overwritten(self):
        held, go_on = threading.Event(), threading.Event()

        def changes() -> None:
            try:
                with transaction.atomic():
                    row = KeptSecret.objects.select_for_update().get()
                    held.set()
                    assert go_on.wait(60)
                    row.sealed = outside().vault.seal(b"a newer token", row.place)
                    row.save()
            finally:
                connection.close()

        somebody = threading.Thread(target=changes)
        somebody.start()
        assert held.wait(60)
        threading.Timer(0.5, go_on.set).start()
        counts = self.rotate("--data-keys")
        somebody.join(60)
        assert counts["destroyed"] == 3
        assert Kept(Vault(FileKeeper(self.keys)), "a_token").read() == "a newer token"


@pytest.mark.django_db
class WhenTheEnvironmentKeepsTheRootKey(Office):
    def test_the_operator_puts_another_one_first_and_the_command_does_the_rest(self, settings: Any):
        keys = {"now": (self.keys / "root.key").read_text(), "older": ""}
        said = {"named": "environment", "root_key": lambda: keys["now"], "older_root_keys": lambda: keys["older"]}
        settings.KEYS = settings.KEYS | said
        outside.cache_clear()
        assert "LATCHKEY_OLDER_ROOT_KEYS" in self.refused("--data-keys")
        FileKeeper(self.keys).make_next()
        keys |= {"now": (self.keys / "root.key").read_text(), "older": keys["now"]}
        counts = self.rotate()
        assert (counts["rewrapped"], counts["renewed"], counts["destroyed"]) == (3, 3, 3)
        assert self.what_opens(Vault(EnvironmentKeeper(lambda: keys["now"], lambda: ""))) == self.everything


class EveryColumnWithEnvelopes:
    def test_is_found_by_a_turnover(self):
        with_a_place = {model for model in apps.get_models() if hasattr(model, "place")}
        assert {column.model for column in SEALED} == with_a_place

    def test_exists(self):
        for column in SEALED:
            assert column.model._meta.get_field(column.column).get_internal_type() == "BinaryField"
