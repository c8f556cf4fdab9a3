"""A seed belongs to one person on one account: whatever form it comes in, nobody else and nothing else gets it."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from django.db import close_old_connections, transaction

from msp.access.migration import MigrationAccount, codes_of, read_codes
from msp.access.otpauth import address_of
from msp.access.seeds import read_seed
from msp.errors import BadInput, LedgerClosed
from msp.ledger.models import Entry
from technicians.models import Technician
from tenants.actions.claim_seed import claim_seed, why_seed_refused
from tenants.actions.remember_seed import remember_seed
from tenants.models import Finding, SeedFingerprint, SharedAccount
from tests.support.world import World

KEY = bytes(range(1, 21))
BASE32 = base64.b32encode(KEY).decode()
ADDRESS = address_of(key=KEY, issuer="Contoso (T07)", account="admin@contoso.example")


def out_of_a_migration(position: int) -> bytes:
    """The key again, from a set of three accounts that an app exports in QR codes of two."""
    others = [bytes([n]) * 20 for n in (7, 8)]
    accounts = [MigrationAccount(key, "Contoso", "admin") for key in (*others[:position], KEY, *others[position:])]
    read = read_codes(codes_of(accounts, per_code=2, batch_id=5))
    return read.accounts[position].key


FORMS: dict[str, Any] = {
    "typed": lambda: read_seed(BASE32).key,
    "scanned": lambda: read_seed(ADDRESS).key,
    "spaced": lambda: read_seed(" ".join(BASE32[at : at + 4] for at in range(0, 32, 4))).key,
    "lower_case": lambda: read_seed(BASE32.lower()).key,
    "with_hyphens_and_padding": lambda: read_seed("-".join((BASE32[:16], BASE32[16:])) + "======").key,
    "first_of_a_migration": lambda: out_of_a_migration(0),
    "in_the_second_code_of_a_migration": lambda: out_of_a_migration(2),
    "with_zeros_that_make_the_same_codes": lambda: KEY + b"\0\0\0",
}
"""The one seed in every form in which it can come back."""


class Scene:
    """Ana and Ben hold Contoso's account; Ana holds Fabrikam's as well, and Contoso's second one."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        contoso = world.tenant("Contoso")
        self.account, self.second = world.account(contoso), world.account(contoso, "second")
        self.far = world.account(world.tenant("Fabrikam"))

    def claim(self, account: SharedAccount, holder: Technician, seed: bytes = KEY) -> SeedFingerprint:
        with transaction.atomic():
            return claim_seed(account, seed, holder=holder, by=holder, outside=self.world.outside, origin="pasted")

    def refusal(self, account: SharedAccount, holder: Technician, seed: bytes = KEY) -> str:
        """What is said before anything is done, and again when it is tried all the same."""
        shown = why_seed_refused(account, seed, holder=holder, outside=self.world.outside)
        before = SeedFingerprint.objects.count(), Entry.objects.count()
        with pytest.raises(BadInput) as refused:
            self.claim(account, holder, seed)
        assert str(refused.value) == shown
        assert (SeedFingerprint.objects.count(), Entry.objects.count()) == before
        return shown


@pytest.mark.parametrize("form", FORMS)
class WhenASeedIsSomebodysAlready(Scene):
    def test_another_person_on_the_same_account_is_refused_by_name(self, form: str):
        self.claim(self.account, self.ana)
        said = self.refusal(self.account, self.ben, FORMS[form]())
        assert said.startswith("Ana enrolled with this very key")
        assert "Nothing was bound" in said

    def test_another_account_of_the_same_tenant_is_refused(self, form: str):
        self.claim(self.account, self.ana)
        assert "another account" in self.refusal(self.second, self.ana, FORMS[form]())

    def test_another_tenant_is_refused_without_naming_it(self, form: str):
        self.claim(self.far, self.ana)
        said = self.refusal(self.account, self.ben, FORMS[form]())
        assert "another account" in said
        assert "fabrikam" not in said.lower()
        assert "Ana" not in said

    def test_one_that_was_in_an_imported_file_is_refused_to_everybody(self, form: str):
        remember_seed(self.account, KEY, by=self.world.owner, outside=self.world.outside, found_in="KeePass")
        for account in (self.account, self.far):
            assert "was in a file" in self.refusal(account, self.ana, FORMS[form]())


class WhenAPersonEnrols(Scene):
    def test_the_same_person_on_the_same_account_again_is_the_same_claim(self):
        first = self.claim(self.account, self.ana)
        assert why_seed_refused(self.account, KEY, holder=self.ana, outside=self.world.outside) == ""
        assert self.claim(self.account, self.ana) == first
        assert Entry.objects.filter(verb="seed.claimed").count() == 1

    def test_every_other_seed_is_welcome(self):
        self.claim(self.account, self.ana)
        assert self.claim(self.account, self.ben, KEY[::-1]).holder == self.ben
        assert self.claim(self.far, self.ana, KEY[1:]).account == self.far

    def test_the_fingerprint_is_keyed_and_each_reseller_has_a_key_of_its_own(self):
        from_here = bytes(self.claim(self.account, self.ana).digest)
        assert len(from_here) == 32
        for plain in (KEY, BASE32.encode()):
            assert plain not in from_here
        entry = Entry.objects.get(verb="seed.claimed")
        assert entry.facts == {"origin": "pasted"}
        assert (entry.technician_id, entry.account_id) == (self.ana.pk, self.account.pk)

    def test_nothing_is_claimed_when_it_cannot_be_written_down(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger cannot be written.")

        monkeypatch.setattr("tenants.actions.claim_seed.record", closed)
        with pytest.raises(LedgerClosed):
            self.claim(self.account, self.ana)
        assert not SeedFingerprint.objects.exists()


class WhenAnEnrolledSeedTurnsUpInAFile(Scene):
    def test_it_stays_its_holders_and_becomes_a_finding(self):
        self.claim(self.account, self.ana)
        outside = self.world.outside
        assert remember_seed(self.account, KEY, by=self.world.owner, outside=outside, found_in="KeePass")
        assert Finding.objects.get(kind=Finding.Kind.SHARED_SEED).account == self.account
        assert SeedFingerprint.objects.get().holder == self.ana

    def test_the_same_file_again_says_nothing_new(self):
        self.claim(self.account, self.ana)
        outside = self.world.outside
        remember_seed(self.account, KEY, by=self.world.owner, outside=outside, found_in="KeePass")
        assert not remember_seed(self.account, KEY, by=self.world.owner, outside=outside, found_in="KeePass")


@pytest.mark.django_db(transaction=True)
class WhenTwoPeopleClaimOneSeedAtTheSameMoment(Scene):
    def test_one_of_them_gets_it(self):
        self.claim(self.far, self.ana, b"another seed, so that the key is there")
        both, outcomes = threading.Barrier(2), []

        def claims(account: SharedAccount, person: Technician) -> None:
            try:
                with transaction.atomic():
                    both.wait(timeout=30)
                    claim_seed(account, KEY, holder=person, by=person, outside=self.world.outside, origin="pasted")
                outcomes.append("claimed")
            except BadInput as refused:
                outcomes.append(str(refused))
            finally:
                close_old_connections()

        pairs = [(self.account, self.ben), (self.second, self.ana)]
        threads = [threading.Thread(target=claims, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert outcomes.count("claimed") == 1
        assert any("another account" in outcome for outcome in outcomes)
