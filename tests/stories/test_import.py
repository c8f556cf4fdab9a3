"""Files become customers and accounts: all of a file, or none of it, and never twice."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest

from msp.errors import BadInput, NotPermitted
from msp.importing.preview import as_facts
from msp.ledger.models import Entry
from technicians.models import Role
from tenants.actions.store_password import store_password
from tenants.models import Customer, SecretVersion, SharedAccount, Tenant, TenantGroup
from tests.support.import_desk import ACCOUNTS, CONTOSO, CUSTOMERS, FABRIKAM, Desk, counts, entries
from tests.support.reference import REFERENCE, reference_needed
from tests.support.world import found_reseller


class WhenACustomerListIsImported(Desk):
    FILE = (
        CUSTOMERS
        + f'{CONTOSO},"Contoso, Ltd.",Contoso.onmicrosoft.com,Cloud Reseller,"gold,north"\n'
        + f"{FABRIKAM},Fabrikam,fabrikam.onmicrosoft.com,Cloud Reseller,\n"
        + f"{FABRIKAM},Fabrikam,fabrikam.onmicrosoft.com,Indirect reseller,\n"
    )

    def test_one_tenant_in_two_relationships_is_one_tenant(self):
        outcome = self.load("partner-center", self.FILE)
        assert counts(outcome) == (2, 0, 1, 0)
        assert set(Tenant.objects.values_list("default_domain", flat=True)) == {
            "contoso.onmicrosoft.com",
            "fabrikam.onmicrosoft.com",
        }

    def test_the_same_file_again_changes_nothing_and_writes_nothing_down(self):
        self.load("partner-center", self.FILE)
        before = Entry.objects.count()
        assert counts(self.load("partner-center", self.FILE)) == (0, 0, 3, 0)
        assert Entry.objects.count() == before
        assert Customer.objects.count() == 2

    def test_the_ledger_says_which_file_it_was(self):
        self.load("partner-center", self.FILE)
        (said,) = entries("file.imported")
        assert said["facts"]["sha256"] == hashlib.sha256(self.FILE.encode()).hexdigest()
        assert (said["actor"], said["facts"]["added"]) == (self.owner.email, 2)
        assert len(entries("customer.added")) == 2

    def test_two_companies_of_one_name_stay_two_customers(self):
        text = CUSTOMERS + f"{CONTOSO},Contoso,a.example,,\n{FABRIKAM},Contoso,b.example,,\n"
        outcome = self.load("partner-center", text)
        assert Customer.objects.filter(name="Contoso").count() == 2
        assert [(w.line, w.column) for w in outcome.preview.plan.warnings] == [(3, "Company name")]

    def test_a_new_name_and_domain_are_a_change_of_the_same_tenant(self):
        self.load("partner-center", self.FILE)
        new = CUSTOMERS + f"{CONTOSO},Contoso Group,contoso.example,,\n"
        assert counts(self.load("partner-center", new)) == (0, 1, 0, 0)
        tenant = Tenant.objects.get(directory_id=CONTOSO)
        assert (tenant.default_domain, tenant.customer.name) == ("contoso.example", "Contoso Group")
        assert entries("customer.changed")[0]["facts"]["was"]["domain"] == "contoso.onmicrosoft.com"

    def test_what_is_no_tenant_id_or_domain_is_said_with_line_and_column(self):
        text = CUSTOMERS + (
            "not-a-guid,A,a.example,,\n"
            "00000000-0000-0000-0000-000000000000,B,b.example,,\n"
            f"{{{CONTOSO}}},C,c.example,,\n"
            f"{CONTOSO},,not a domain,,\n"
        )
        assert self.errors("partner-center", text) == [
            (2, "Microsoft ID"),
            (3, "Microsoft ID"),
            (4, "Microsoft ID"),
            (5, "Company name"),
            (5, "Primary domain name"),
        ]

    def test_one_tenant_under_two_names_asks_which_is_right(self):
        text = CUSTOMERS + f"{CONTOSO},A,a.example,,\n{CONTOSO},B,a.example,,\n"
        assert self.errors("partner-center", text) == [(3, "Microsoft ID")]

    def test_the_published_export_is_two_tenants(self):
        reference_needed()
        data = (REFERENCE / "vectors" / "csv" / "partner_center_bom.csv").read_bytes()
        assert counts(self.load("partner-center", data)) == (2, 0, 1, 0)
        assert Customer.objects.filter(name='Fabrikam "East"').count() == 1

    def test_who_sees_only_some_tenants_cannot_bring_a_list_of_all(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        manager = self.world.technician("Mia", Role.MANAGER, groups=[group])
        with pytest.raises(NotPermitted):
            self.preview("partner-center", self.FILE, by=manager)


class WhenARowHasAnError(Desk):
    FILE = CUSTOMERS + f"{CONTOSO},Contoso,contoso.example,,\nbroken,Fabrikam,fabrikam.example,,\nshort\n"

    def test_nothing_of_the_file_is_imported(self):
        outcome = self.load("partner-center", self.FILE)
        assert not outcome.imported
        assert [t.line for t in outcome.left_out] == [3, 4]
        assert not Tenant.objects.exists()
        assert not entries("file.imported")

    def test_a_partial_import_takes_the_others_and_lists_what_it_left_out(self):
        outcome = self.load("partner-center", self.FILE, partial=True)
        assert outcome.imported
        assert [t.line for t in outcome.left_out] == [3, 4]
        assert Tenant.objects.get().default_domain == "contoso.example"
        assert entries("file.imported")[0]["facts"]["left_out"] == 2

    def test_a_preview_changes_nothing(self):
        self.preview("partner-center", self.FILE)
        assert not Tenant.objects.exists()


class WhenSharedAccountsAreImported(Desk):
    @pytest.fixture(autouse=True)
    def _tenant(self, _desk: None) -> None:
        self.contoso = self.world.tenant("Contoso")
        self.domain = self.contoso.default_domain

    def row(self, name: str = "admin@contoso.example", tenant: str = "", **cells: str) -> str:
        values = [tenant or self.domain, name, *(cells.get(column, "") for column in ACCOUNTS.strip().split(",")[2:])]
        return ",".join('"' + value.replace('"', '""') + '"' for value in values) + "\n"

    def account(self, name: str = "admin@contoso.example") -> SharedAccount:
        return SharedAccount.objects.select_related("tenant").get(user_principal_name=name)

    def test_how_soon_access_must_be_gone_comes_with_the_file(self):
        table = "tenant,user_principal_name,account_class\n"
        row = self.row().split(",")
        line = ",".join(row[:2])
        assert counts(self.load("accounts", f"{table}{line},Critical\n")) == (1, 0, 0, 0)
        assert SharedAccount.objects.get().account_class == "critical"
        assert counts(self.load("accounts", f"{table}{line},low\n")) == (0, 1, 0, 0)
        assert counts(self.load("accounts", f"{table}{line},\n")) == (0, 0, 1, 0)
        assert SharedAccount.objects.get().account_class == "low"
        assert self.errors("accounts", f"{table}{line},urgent\n") == [(2, "account_class")]

    @pytest.mark.parametrize("password", [" blank at both ends ", "=SUM(1)", "+start", "'kept", 'a"b,c', "pässwörd€"])
    def test_the_password_is_the_one_of_the_file_to_the_last_byte(self, password):
        self.load("accounts", ACCOUNTS + self.row(password=password))
        assert self.password(self.account()) == password

    def test_tenants_are_named_by_domain_or_by_id(self):
        text = (
            ACCOUNTS
            + self.row("a@x.example", self.domain.upper())
            + self.row("b@x.example", str(self.contoso.directory_id))
        )
        assert counts(self.load("accounts", text)) == (2, 0, 0, 0)
        assert {a.tenant_id for a in SharedAccount.objects.all()} == {self.contoso.pk}

    def test_everything_in_the_row_is_kept(self):
        object_id = str(uuid.uuid4())
        self.load(
            "accounts",
            ACCOUNTS
            + self.row(object_id=object_id.upper(), owner="Petra", justification="Day to day", break_glass="Yes"),
        )
        account = self.account()
        assert (account.object_id, account.owner, account.justification, account.break_glass) == (
            object_id,
            "Petra",
            "Day to day",
            True,
        )

    def test_the_same_file_again_makes_no_second_version(self):
        text = ACCOUNTS + self.row(password="Same-1", owner="Petra", break_glass="yes")
        self.load("accounts", text)
        before = Entry.objects.count()
        assert counts(self.load("accounts", text)) == (0, 0, 1, 0)
        assert SecretVersion.objects.count() == 1
        assert Entry.objects.count() == before

    def test_another_password_retires_the_one_before(self):
        self.load("accounts", ACCOUNTS + self.row(password="First-1"))
        assert counts(self.load("accounts", ACCOUNTS + self.row(password="Second-2"))) == (0, 1, 0, 0)
        assert self.password(self.account()) == "Second-2"
        assert SecretVersion.objects.filter(status=SecretVersion.Status.RETIRED).count() == 1

    def test_an_empty_cell_leaves_what_is_here(self):
        self.load("accounts", ACCOUNTS + self.row(password="Kept-1", owner="Petra", break_glass="yes"))
        assert counts(self.load("accounts", ACCOUNTS + self.row())) == (0, 0, 1, 0)
        account = self.account()
        assert (account.owner, account.break_glass, self.password(account)) == ("Petra", True, "Kept-1")

    def test_no_password_stands_in_preview_or_ledger(self):
        text = ACCOUNTS + self.row(password="Planted-Secret-7")
        preview = self.preview("accounts", text)
        self.load("accounts", text)
        said = json.dumps(as_facts(preview)) + repr(preview) + repr(preview.plan)
        assert "Planted" not in said
        assert not any(b"Planted" in bytes(entry.body) for entry in Entry.objects.all())

    def test_a_password_that_looks_damaged_is_taken_and_said(self):
        text = ACCOUNTS + self.row("a@x.example", password=" x ") + self.row("b@x.example", password="1.23E+11")
        preview = self.preview("accounts", text)
        assert [(w.line, w.column) for w in preview.plan.warnings] == [(2, "password"), (3, "password")]
        assert not preview.plan.errors

    def test_mistakes_are_named_by_line_and_column(self):
        text = ACCOUNTS + (
            self.row("a@x.example", "nowhere.example")
            + self.row("no user name")
            + self.row("b@x.example", object_id="12")
            + self.row("c@x.example", break_glass="perhaps")
            + self.row("d@x.example")
            + self.row("D@X.example")
        )
        assert self.errors("accounts", text) == [
            (2, "tenant"),
            (3, "user_principal_name"),
            (4, "object_id"),
            (5, "break_glass"),
            (7, "user_principal_name"),
        ]

    def test_a_domain_that_two_tenants_have_asks_for_the_id(self):
        Tenant.objects.create(
            reseller=self.world.reseller,
            customer=self.contoso.customer,
            directory_id=uuid.uuid4(),
            default_domain=self.domain,
        )
        (trouble,) = self.preview("accounts", ACCOUNTS + self.row()).plan.errors
        assert (trouble.line, trouble.column) == (2, "tenant")
        assert "tenant id" in trouble.message

    def test_an_object_id_is_never_moved_to_another_account(self):
        known = self.world.account(self.contoso, "known")
        renamed = ACCOUNTS + self.row("other@x.example", object_id=known.object_id)
        another = ACCOUNTS + self.row(known.user_principal_name, object_id=str(uuid.uuid4()))
        assert self.errors("accounts", renamed) == [(2, "object_id")]
        assert self.errors("accounts", another) == [(2, "object_id")]

    def test_another_resellers_tenant_is_no_tenant(self):
        _reseller, other = found_reseller("Elsewhere", "otto@elsewhere.example")
        assert self.errors("accounts", ACCOUNTS + self.row(), by=other) == [(2, "tenant")]

    def test_a_password_that_is_being_changed_is_an_error_of_its_row(self):
        account = self.world.account(self.contoso, "busy")
        version = SecretVersion(
            reseller=self.world.reseller, secret=account.secret, number=2, status=SecretVersion.Status.UNVERIFIED
        )
        version.sealed = self.world.outside.vault.seal(b"unproven", version.place)
        version.save()
        text = ACCOUNTS + self.row(account.user_principal_name, password="New-1")
        assert self.errors("accounts", text) == [(2, "password")]

    def test_ten_times_the_rows_ask_no_more_questions_in_the_preview(self, django_assert_max_num_queries):
        few = ACCOUNTS + "".join(self.row(f"u{n}@x.example", password="p") for n in range(5))
        many = ACCOUNTS + "".join(self.row(f"u{n}@x.example", password="p") for n in range(50))
        for text in (few, many):
            with django_assert_max_num_queries(6):
                self.preview("accounts", text)

    def test_a_row_costs_three_statements_in_the_import(self, django_assert_max_num_queries):
        """Its two ledger entries, and the look at the tenant's data key; everything else goes in one go."""
        rows = 100
        text = ACCOUNTS + "".join(self.row(f"u{n}@x.example", password="p") for n in range(rows))
        with django_assert_max_num_queries(3 * rows + 40):
            self.load("accounts", text)


class WhenSomebodyElseIsFaster(Desk):
    """Between the preview and the import, or within it, the world goes on."""

    def test_the_import_compares_again(self):
        tenant = self.world.tenant("Contoso")
        account = self.world.account(tenant)
        text = ACCOUNTS + f"{tenant.default_domain},{account.user_principal_name},,,,,New-1\n"
        assert self.preview("accounts", text).counts["change"] == 1
        store_password(account, "New-1", by=self.owner, outside=self.world.outside, source="imported")
        assert counts(self.load("accounts", text)) == (0, 0, 1, 0)


class IfSomebodyMayNotImport(Desk):
    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_is_refused_before_the_file_is_read(self, role):
        with pytest.raises(NotPermitted):
            self.preview("accounts", "this is no such file", by=self.world.technician("Tim", role))

    def test_a_kind_that_does_not_exist_is_said(self):
        with pytest.raises(BadInput, match="partner-center"):
            self.preview("colours", ACCOUNTS)
