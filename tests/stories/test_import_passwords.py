"""The passwords of years move in: byte for byte, to the account they belong to, once, and never a seed."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection

from msp.errors import BadInput
from msp.importing.choices import MAPPED, AskForColumns, Choices
from msp.importing.preview import Effect
from msp.importing.uploads import answer_questions, apply_upload, take_upload
from msp.ledger.models import Entry
from msp.vault.models import KeptSecret
from technicians.models import ImportUpload, Role
from tenants.actions.findings import resolve_findings
from tenants.actions.store_password import store_password
from tenants.models import Finding, SecretVersion, SeedFingerprint, SharedAccount, TenantGroup
from tests.support.import_desk import counts, entries
from tests.support.password_desk import KEEPASSXC, SEED, PasswordDesk, lines, notes, row, said, vector

CONTOSO = "contoso.onmicrosoft.com"


class EveryPublishedExport(PasswordDesk):
    """The files of the products that people come from, with what is expected of each."""

    @pytest.fixture(autouse=True)
    def _contoso(self, _desk: None) -> None:
        self.contoso = self.account(CONTOSO, customer="Contoso")

    def test_of_bitwarden_gives_a_login_and_asks_whose_the_other_is(self):
        found = self.preview(vector("bitwarden"))
        assert lines(found, Effect.ADD) == [2]
        assert lines(found, Effect.SKIP) == [4]
        assert "1 × a note without a sign-in" in notes(found)
        assert [(q.line, q.what) for q in found.plan.questions] == [(5, "Steam (gamer)")]
        self.load(vector("bitwarden"), partial=True)
        assert self.passwords(self.contoso) == ['-lead,comma"quote']

    def test_of_bitwarden_has_a_steam_seed_that_is_refused_while_its_password_is_kept(self):
        gamer = self.account("games.example")
        choices = Choices(accounts={5: str(gamer.pk)})
        found = self.preview(vector("bitwarden"), choices)
        assert "Steam" in said(found, line=5)
        assert self.load(vector("bitwarden"), choices).imported
        assert self.passwords(gamer) == ["x"]
        assert set(SeedFingerprint.objects.values_list("account", flat=True)) == {self.contoso.pk}

    def test_of_keepassxc_leaves_the_recycle_bin_out(self):
        assert counts(self.load(vector("keepassxc"))) == (1, 0, 0, 0)
        assert self.passwords(self.contoso) == ["back\\slash"]
        assert "1 × in the recycle bin" in notes(self.preview(vector("keepassxc")))

    def test_of_keepass_reads_the_backslashes(self):
        self.load(vector("keepass2"))
        assert self.passwords(self.contoso) == ['quote"and\\slash']

    def test_of_keeper_is_known_without_a_header(self):
        found = self.preview(vector("keeper_headerless"))
        assert "Keeper (CSV)" in notes(found)
        self.load(vector("keeper_headerless"))
        assert self.passwords(self.contoso) == ["pw-1"]
        assert SeedFingerprint.objects.get().account == self.contoso

    def test_of_1password_leaves_the_archive_out(self):
        assert counts(self.load(vector("onepassword"))) == (1, 0, 0, 0)
        assert self.passwords(self.contoso) == ['hun"ter2']
        assert "1 × archived" in notes(self.preview(vector("onepassword")))

    def test_of_lastpass_keeps_what_looks_like_html_and_says_so(self):
        found = self.preview(vector("lastpass"))
        assert "&amp;" in said(found, line=2)
        assert lines(found, Effect.SKIP) == [3]
        self.load(vector("lastpass"))
        assert self.passwords(self.contoso) == ["pw &amp; more"]

    def test_of_it_glue_keeps_two_entries_of_one_name_apart(self):
        found = self.preview(vector("itglue_passwords"))
        assert [(q.line, q.which_counts) for q in found.plan.questions] == [(2, True), (3, True)]
        assert "Lines 2, 3 give different passwords" in said(found, line=2)
        self.load(vector("itglue_passwords"), Choices(counts=frozenset({3})))
        assert self.passwords(self.contoso) == ["second-same-name"]

    def test_with_two_columns_of_one_name_stops_and_asks(self):
        with pytest.raises(AskForColumns, match="Password"):
            self.load(vector("duplicate_headers"))
        assert self.passwords(self.contoso) == []
        self.load(vector("duplicate_headers"), Choices(source=MAPPED, columns={"upn": 1, "password": 2}))
        assert self.passwords(self.contoso) == ["current-1"]

    def test_from_excel_in_windows_1252_is_read_and_doubted(self):
        mueller = self.account("mueller.onmicrosoft.com")
        columns = Choices(source=MAPPED, columns={"client": 0, "tenant": 1, "upn": 2, "password": 3})
        found = self.preview(vector("excel_semicolon_cp1252"), columns)
        assert found.guessed
        assert "beyond ASCII" in said(found, line=2)
        self.load(vector("excel_semicolon_cp1252"), columns)
        assert self.passwords(mueller) == ['Pa;ss"w0rd-€']

    def test_from_excel_in_utf_16_is_read(self):
        self.load(vector("excel_sep_line_utf16"), Choices(source=MAPPED, columns={"upn": 1, "password": 2}))
        assert self.passwords(self.contoso) == ["=1+1"]

    def test_with_formulas_is_taken_byte_for_byte(self):
        accounts = [self.account(f"{letter}.onmicrosoft.com") for letter in "abcd"]
        columns = Choices(source=MAPPED, columns={"client": 0, "upn": 1, "password": 2})
        assert counts(self.load(vector("formula_cells"), columns)) == (4, 0, 0, 0)
        assert [self.passwords(account) for account in accounts] == [["=SUM(1)"], ["+start"], ["-start"], ["@start"]]

    def test_that_a_spreadsheet_damaged_is_doubted(self):
        self.account("march.onmicrosoft.com")
        columns = {"id": 1, "upn": 3, "password": 4}
        found = self.preview(vector("excel_damage"), Choices(source=MAPPED, columns=columns))
        assert [(w.line, w.column) for w in found.plan.warnings] == [(2, "id"), (2, "password"), (3, "id")]
        assert "drop a zero" in said(found, line=2)
        swapped = Choices(source=MAPPED, columns=columns | {"id": 4, "password": 1})
        assert "a spreadsheet rewrote" in said(self.preview(vector("excel_damage"), swapped), line=2)

    def test_with_short_and_long_rows_names_their_lines(self):
        account = self.account("a.onmicrosoft.com")
        outcome = self.load(
            vector("ragged_and_cr"), Choices(source=MAPPED, columns={"upn": 1, "password": 2}), partial=True
        )
        assert [t.line for t in outcome.left_out] == [3, 4]
        assert self.passwords(account) == ["p1"]

    def test_of_hardware_tokens_or_customers_is_no_file_of_passwords(self):
        for name in ("entra_hardware_oath_upload", "partner_center_bom"):
            with pytest.raises(AskForColumns):
                self.load(vector(name))


class WhenTheSameFileComesAgain(PasswordDesk):
    @pytest.fixture(autouse=True)
    def _first_time(self, _desk: None) -> None:
        self.contoso = self.account(CONTOSO)
        self.file = KEEPASSXC + row(f"Admin@{CONTOSO}", "Old-1", seed=SEED)
        self.load(self.file)

    def test_nothing_changes_and_nothing_is_written_down(self):
        before = Entry.objects.count(), KeptSecret.objects.count()
        assert counts(self.load(self.file)) == (0, 0, 1, 0)
        assert (Entry.objects.count(), KeptSecret.objects.count()) == before
        assert self.passwords(self.contoso) == ["Old-1"]
        assert SeedFingerprint.objects.count() == 1

    def test_a_password_that_was_replaced_meanwhile_does_not_come_back(self):
        store_password(self.contoso, "New-2", by=self.owner, outside=self.world.outside, source="entered")
        outcome = self.load(self.file)
        assert counts(outcome)[:2] == (0, 0)
        assert "an earlier password" in said(outcome.preview, line=2)
        assert self.passwords(self.contoso) == ["Old-1", "New-2"]

    def test_a_finding_that_somebody_resolved_stays_so(self):
        resolve_findings(self.contoso, kinds=[Finding.Kind.SHARED_SEED])
        self.load(self.file)
        assert not Finding.objects.open().filter(kind=Finding.Kind.SHARED_SEED).exists()

    def test_another_value_is_a_change_and_the_old_one_stays_in_the_history(self):
        assert counts(self.load(self.file.replace("Old-1", "Other-3"))) == (0, 1, 0, 0)
        assert self.passwords(self.contoso) == ["Old-1", "Other-3"]
        version = SecretVersion.objects.get(secret__account=self.contoso, status="current")
        assert (version.source, version.entered_by) == (SecretVersion.Source.IMPORTED, self.owner)


class WhenSeveralRowsSpeakOfOneAccount(PasswordDesk):
    @pytest.fixture(autouse=True)
    def _contoso(self, _desk: None) -> None:
        self.contoso = self.account(CONTOSO)
        self.user = f"admin@{CONTOSO}"

    def test_the_same_password_twice_is_one_change(self):
        assert counts(self.load(KEEPASSXC + row(self.user, "x") * 2)) == (1, 0, 1, 0)
        assert self.passwords(self.contoso) == ["x"]

    def test_different_ones_stop_until_a_person_says_which_counts(self):
        file = KEEPASSXC + row(self.user, "x") + row(self.user, "y")
        assert not self.load(file).imported
        assert self.passwords(self.contoso) == []
        assert counts(self.load(file, Choices(counts=frozenset({3})))) == (1, 0, 0, 0)
        assert self.passwords(self.contoso) == ["y"]

    def test_two_that_both_count_are_no_answer(self):
        file = KEEPASSXC + row(self.user, "x") + row(self.user, "y")
        assert not self.load(file, Choices(counts=frozenset({2, 3}))).imported

    def test_other_rows_go_on_without_them_when_the_person_allows_it(self):
        other = self.account("fabrikam.example")
        file = KEEPASSXC + row(self.user, "x") + row(self.user, "y") + row("admin@fabrikam.example", "z")
        assert self.load(file, partial=True).imported
        assert (self.passwords(self.contoso), self.passwords(other)) == ([], ["z"])


class WhenItIsNotClearWhoseAPasswordIs(PasswordDesk):
    @pytest.fixture(autouse=True)
    def _two_tenants(self, _desk: None) -> None:
        """One user name in two tenants, which happens when a domain moved."""
        self.old = self.account("old.example", "ga", customer="Contoso", user_domain="contoso.example")
        self.new = self.account("new.example", "ga", customer="Contoso Group", user_domain="contoso.example")
        self.user = "ga@contoso.example"

    def test_nobody_guesses(self):
        found = self.preview(KEEPASSXC + row(self.user, "x"))
        assert "Several tenants" in said(found, line=2)
        assert [q.line for q in found.plan.questions] == [2]

    def test_the_domain_of_a_tenant_decides(self):
        home = self.account("contoso.example", "ga", customer="Third")
        self.load(KEEPASSXC + row(self.user, "x"))
        assert self.passwords(home) == ["x"]

    def test_a_folder_with_the_name_of_a_customer_decides(self):
        self.load(KEEPASSXC + row(self.user, "x", group="Root/Clients/contoso group"))
        assert self.passwords(self.new) == ["x"]

    @pytest.mark.parametrize("by_id", [True, False])
    def test_a_field_that_names_the_tenant_decides(self, by_id):
        named = str(self.new.tenant.directory_id) if by_id else "NEW.example"
        self.load(f"tenant,upn,password\n{named},{self.user},x\n", MAPPING)
        assert self.passwords(self.new) == ["x"]

    def test_a_field_that_names_another_tenant_is_no_match(self):
        only = self.account("only.example")
        found = self.preview(f"tenant,upn,password\nold.example,{only},x\n", MAPPING)
        assert "known here in another one" in said(found, line=2)

    def test_the_choice_of_a_person_counts(self):
        assert self.load(KEEPASSXC + row("whoever", "x"), Choices(accounts={2: str(self.old.pk)})).imported
        assert self.passwords(self.old) == ["x"]

    def test_an_account_out_of_sight_is_no_choice(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        group.tenants.add(self.new.tenant)
        mia = self.world.technician("Mia", Role.MANAGER, groups=[group])
        file = KEEPASSXC + row(self.user, "x")
        assert lines(self.preview(file, by=mia), Effect.ADD) == [2]
        found = self.preview(file, Choices(accounts={2: str(self.old.pk)}), by=mia)
        assert "not there any more" in said(found, line=2)

    def test_an_embedded_password_of_it_glue_is_asked_about(self):
        found = self.preview(
            "id,organization,name,username,password,otp_secret,resource_type\n"
            f"1,Contoso Group,GA,{self.user},x,,flexible-asset-traits\n"
        )
        assert "embedded" in said(found, line=2)


MAPPING = Choices(source=MAPPED, columns={"tenant": 0, "upn": 1, "password": 2})


class WhenAPasswordIsBeingChanged(PasswordDesk):
    def test_the_row_waits(self):
        contoso = self.account(CONTOSO)
        version = store_password(contoso, "x", by=self.owner, outside=self.world.outside, source="imported")
        assert version is not None
        SecretVersion.objects.create(
            reseller=self.world.reseller, secret=version.secret, number=2, status="candidate", sealed=b"-"
        )
        found = self.preview(KEEPASSXC + row(str(contoso), "y"))
        assert "being changed right now" in said(found, line=2)

    def test_one_that_the_directory_refused_once_holds_nothing_up(self):
        contoso = self.account(CONTOSO)
        version = store_password(contoso, "x", by=self.owner, outside=self.world.outside, source="imported")
        assert version is not None
        SecretVersion.objects.create(
            reseller=self.world.reseller, secret=version.secret, number=2, status="dead", sealed=b"-"
        )
        assert counts(self.load(KEEPASSXC + row(str(contoso), "y"))) == (0, 1, 0, 0)


class WhenAPasswordCannotBeOne(PasswordDesk):
    @pytest.mark.parametrize(("password", "why"), [("a\\u0000b", "NUL"), ("a\\ud800b", "half a character")])
    def test_it_is_an_error_of_its_entry(self, password, why):
        contoso = self.account(CONTOSO)
        login = f'{{"username": "{contoso}", "password": "{password}"}}'
        found = self.preview(f'{{"encrypted": false, "items": [{{"type": 1, "name": "GA", "login": {login}}}]}}')
        assert why in said(found, line=1)
        assert lines(found, Effect.ADD) == []


@pytest.mark.django_db(transaction=True)
class WhenTheButtonIsPressedTwice(PasswordDesk):
    def test_both_lead_to_the_same_result_and_one_of_them_did_it(self):
        contoso = self.account(CONTOSO)
        upload = self.take(KEEPASSXC + row(str(contoso), "x", seed=SEED))
        assert self.pressed(upload, upload, upload, upload) == [True] * 4
        self.once(contoso)

    def test_a_file_that_was_chosen_in_two_windows_is_imported_once(self):
        contoso = self.account(CONTOSO)
        file = KEEPASSXC + row(str(contoso), "x", seed=SEED)
        assert self.pressed(self.take(file), self.take(file), self.take(file)) == [True] * 3
        self.once(contoso)

    def take(self, text: str) -> ImportUpload:
        return take_upload(
            text.encode(), kind="passwords", file_name="x.csv", by=self.owner, outside=self.world.outside
        )

    def pressed(self, *uploads: ImportUpload) -> list[Any]:
        """All at once."""
        results: list[Any] = []

        def press(upload: ImportUpload) -> None:
            try:
                results.append(apply_upload(upload.pk, by=self.owner, outside=self.world.outside, partial=False))
            except Exception as wrong:
                results.append(wrong)
            finally:
                connection.close()

        presses = [threading.Thread(target=press, args=[upload]) for upload in uploads]
        for thread in presses:
            thread.start()
        for thread in presses:
            thread.join(timeout=120)
        return results

    def once(self, account: SharedAccount) -> None:
        assert self.passwords(account) == ["x"]
        assert SeedFingerprint.objects.count() == 1
        assert len(entries("file.imported")) == 1


class WhenAPersonAnswers(PasswordDesk):
    @pytest.fixture(autouse=True)
    def _upload(self, _desk: None) -> None:
        self.contoso = self.account(CONTOSO)
        self.upload = take_upload(
            (KEEPASSXC + row("whoever", "x") + row("somebody", "y")).encode(),
            kind="passwords",
            file_name="x.csv",
            by=self.owner,
            outside=self.world.outside,
        )

    def answer(self, accounts: dict[int, str], counting: dict[int, bool] | None = None) -> Choices:
        answer_questions(self.upload, accounts=accounts, counts=counting or {}, by=self.owner)
        self.upload.refresh_from_db()
        return Choices.from_json(self.upload.choices)

    def test_answers_add_up_and_an_empty_one_takes_its_own_back(self):
        named = f"{str(self.contoso).upper()} ({CONTOSO})"
        self.answer({2: named})
        both = self.answer({3: str(self.contoso)}, {3: True})
        assert dict(both.accounts) == {2: str(self.contoso.pk), 3: str(self.contoso.pk)}
        assert both.counts == {3}
        fewer = self.answer({3: ""}, {3: False})
        assert (dict(fewer.accounts), fewer.counts) == ({2: str(self.contoso.pk)}, frozenset())

    def test_an_account_that_is_not_here_is_no_answer(self):
        with pytest.raises(BadInput, match="no shared account"):
            self.answer({2: "nobody@nowhere.example"})

    def test_no_value_of_the_file_is_kept_in_the_open(self):
        self.answer({2: str(self.contoso)})
        self.upload.refresh_from_db()
        assert "whoever" not in json.dumps(self.upload.choices)
