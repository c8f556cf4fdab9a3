"""Seeds in a file: noticed, told apart, remembered by a fingerprint, and never kept."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from msp.access.seeds import read_seed
from msp.importing.preview import as_facts
from msp.vault.models import KeptSecret
from tenants.models import Finding, SeedFingerprint
from tests.support.import_desk import entries
from tests.support.password_desk import KEEPASSXC, SEED, PasswordDesk, notes, row, said

CONTOSO = "contoso.onmicrosoft.com"


class WhenAFileHasSeedsInIt(PasswordDesk):
    @pytest.fixture(autouse=True)
    def _two_accounts(self, _desk: None) -> None:
        self.contoso, self.fabrikam = self.account(CONTOSO), self.account("fabrikam.example")
        self.uri = f"otpauth://totp/Contoso:admin?secret={SEED.lower()}&issuer=Contoso"

    def test_a_seed_becomes_a_finding_and_a_fingerprint(self):
        outcome = self.load(KEEPASSXC + row(str(self.contoso), "x", seed=self.uri))
        finding = Finding.objects.get(kind=Finding.Kind.SHARED_SEED)
        assert finding.account == self.contoso
        assert "Enrol an authenticator of their own" in finding.detail
        assert "They are not stored" in notes(outcome.preview)
        assert [seed.account_id for seed in outcome.preview.plan.seeds] == [str(self.contoso.pk)]
        assert entries("seed.seen")[0]["facts"]["found_in"].startswith("KeePassXC (CSV), ")

    def test_the_seed_itself_is_nowhere_in_the_database(self):
        self.load(KEEPASSXC + row(str(self.contoso), "Planted-Password-1", seed=self.uri))
        key = read_seed(self.uri).key
        assert tables_that_hold(SEED, key.hex(), SEED.lower().encode().hex(), SEED.encode().hex()) == set()
        assert tables_that_hold("Planted-Password") == set()
        assert "tenants_sharedaccount" in tables_that_hold(str(self.contoso))

    def test_the_fingerprint_tells_nothing_without_the_key_of_the_reseller(self):
        self.load(KEEPASSXC + row(str(self.contoso), "", seed=self.uri))
        kept = KeptSecret.objects.get(name__startswith="seed_fingerprints.")
        assert len(bytes(SeedFingerprint.objects.get().digest)) == 32
        assert self.world.outside.vault.open(bytes(kept.sealed), kept.place)

    def test_one_seed_under_two_accounts_is_said(self):
        bare = " ".join([SEED[:4].lower(), SEED[4:]])
        found = self.preview(
            KEEPASSXC + row(str(self.contoso), "x", seed=self.uri) + row(str(self.fabrikam), "y", seed=bare)
        )
        assert f"Line 2 has the same seed for another account, {self.contoso}" in said(found, line=3)

    def test_one_seed_in_two_files_is_said(self):
        self.load(KEEPASSXC + row(str(self.contoso), "x", seed=self.uri))
        again = self.preview(KEEPASSXC + row(str(self.contoso), "y", seed=self.uri))
        assert "seen before" in said(again, line=2)
        assert "KeePassXC (CSV), " in said(again, line=2)
        elsewhere = self.preview(KEEPASSXC + row(str(self.fabrikam), "y", seed=SEED))
        assert f"for {self.contoso}" in said(elsewhere, line=2)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("phonefactor://activate_account?code=123456789&url=https%3a%2f%2fx", "with notifications"),
            ("123 456 789", "nine digits"),
            ("123456", "one-time code"),
            ("otpauth-migration://offline?data=AAAA", "bulk export"),
            ("FIDO:/130864", "passkey"),
            ("https://aka.ms/mfasetup", "web page"),
            (f"steam://{SEED}", "Steam"),
            (f"otpauth://hotp/x?secret={SEED}&counter=0", "another kind of code"),
            ("JBSWY3DPEHPK3PX", "it lost some"),
        ],
    )
    def test_what_is_no_seed_is_named_and_the_password_is_kept(self, text, why):
        outcome = self.load(KEEPASSXC + row(str(self.contoso), "x", seed=text))
        assert why in said(outcome.preview, line=2)
        assert text not in json.dumps(as_facts(outcome.preview))
        assert self.passwords(self.contoso) == ["x"]
        assert not SeedFingerprint.objects.exists()


def tables_that_hold(*texts: str) -> set[str]:
    """Whatever the case; bytes are looked for as hexadecimal digits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        found = set()
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT 1 FROM "{table}" t WHERE t::text ILIKE ANY(%s)', [[f"%{text}%" for text in texts]])
            found |= {table} if cursor.fetchone() else set()
    return found
