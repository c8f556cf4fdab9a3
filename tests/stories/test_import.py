"""Files become customers, accounts, people and their keys: all of a file, or none of it, and never twice."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from msp.importing.flow import apply_import, preview_import
from msp.importing.preview import Outcome, Preview, as_facts
from msp.ledger.models import Entry
from technicians.actions.assign import assign, end_assignment
from technicians.models import Assignment, Authenticator, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.actions.store_password import store_password
from tenants.models import Customer, Finding, SecretVersion, SharedAccount, Tenant, TenantGroup
from tests.support.reference import REFERENCE, reference_needed
from tests.support.world import World, found_reseller

CONTOSO = "11111111-1111-4111-8111-111111111111"
FABRIKAM = "22222222-2222-4222-8222-222222222222"
CUSTOMERS = "Microsoft ID,Company name,Primary domain name,Relationship,Tags\n"
ACCOUNTS = "tenant,user_principal_name,object_id,owner,justification,break_glass,password\n"
PEOPLE = "email,name,role,groups\n"
ASSIGNMENTS = "technician,tenant,account,from,until,reason\n"
AUTHENTICATORS = "technician,tenant,account,method_id,kind,label\n"


class Desk:
    """The owner of a reseller, with a file in hand."""

    world: World

    @pytest.fixture(autouse=True)
    def _desk(self, world: World) -> None:
        self.world, self.owner = world, world.owner

    def preview(self, kind: str, text: str, *, by: Technician | None = None) -> Preview:
        return preview_import(kind, text.encode(), by=by or self.owner, outside=self.world.outside)

    def load(self, kind: str, text: str | bytes, *, by: Technician | None = None, partial: bool = False) -> Outcome:
        data = text if isinstance(text, bytes) else text.encode()
        return apply_import(kind, data, by=by or self.owner, outside=self.world.outside, partial=partial)

    def errors(self, kind: str, text: str, *, by: Technician | None = None) -> list[tuple[int, str]]:
        return [(t.line, t.column) for t in self.preview(kind, text, by=by).plan.errors]

    def password(self, account: SharedAccount) -> str:
        return self.world.passwords_known(account)["current"]


def entries(verb: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(entry.body)) for entry in Entry.objects.filter(verb=verb).order_by("id")]


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    found = outcome.counts
    return found["add"], found["change"], found["same"], found["errors"]


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


class WhenPeopleAreImported(Desk):
    def test_they_come_without_password_and_with_their_role_and_groups(self):
        outcome = self.load("technicians", PEOPLE + "ana@x.example,Ana,,\nmia@x.example,Mia,Manager,North; South\n")
        assert counts(outcome) == (2, 0, 0, 0)
        ana, mia = (Technician.objects.get(email=f"{name}@x.example") for name in ("ana", "mia"))
        assert (ana.role, ana.has_usable_password()) == (Role.TECHNICIAN, False)
        assert mia.role == Role.MANAGER
        assert sorted(group.name for group in mia.groups.all()) == ["North", "South"]

    def test_groups_that_do_not_exist_are_announced_and_made_empty(self):
        TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        text = PEOPLE + "mia@x.example,Mia,manager,North;South\n"
        (note,) = self.preview("technicians", text).plan.notes
        assert "South" in note
        assert "North" not in note
        self.load("technicians", text)
        assert not TenantGroup.objects.get(name="South").tenants.exists()

    def test_the_same_file_again_changes_nothing(self):
        text = PEOPLE + "ana@x.example,Ana,auditor,North\n"
        self.load("technicians", text)
        before = Entry.objects.count()
        assert counts(self.load("technicians", text.replace("ana@x", "ANA@X"))) == (0, 0, 1, 0)
        assert Entry.objects.count() == before

    def test_a_new_role_is_a_change_and_written_down(self):
        self.load("technicians", PEOPLE + "ana@x.example,Ana,technician,\n")
        assert counts(self.load("technicians", PEOPLE + "ana@x.example,,auditor,\n")) == (0, 1, 0, 0)
        ana = Technician.objects.get(email="ana@x.example")
        assert (ana.name, ana.role) == ("Ana", Role.AUDITOR)
        assert entries("technician.changed")[0]["facts"]["now"]["role"] == "auditor"

    def test_mistakes_are_named_by_line_and_column(self):
        text = PEOPLE + (
            "no address,A,,\na@x.example,A,king,\nb@x.example,B,customer contact,\nc@x.example,C,,\nC@x.example,C,,\n"
        )
        assert self.errors("technicians", text) == [(2, "email"), (3, "role"), (4, "role"), (6, "email")]

    def test_an_address_of_another_reseller_is_taken(self):
        found_reseller("Elsewhere", "otto@elsewhere.example")
        assert self.errors("technicians", PEOPLE + "Otto@elsewhere.example,Otto,,\n") == [(2, "email")]

    def test_somebody_who_left_is_not_brought_back(self):
        ana = self.world.technician("Ana")
        self.world.offboard(ana)
        assert self.errors("technicians", PEOPLE + f"{ana.email},Ana,,\n") == [(2, "email")]
        assert not Technician.objects.get(pk=ana.pk).is_active

    def test_a_manager_makes_no_managers_and_changes_none(self):
        mia, max_ = (self.world.technician(name, Role.MANAGER) for name in ("Mia", "Max"))
        assert self.errors("technicians", PEOPLE + "new@x.example,New,owner,\n", by=mia) == [(2, "role")]
        outcome = self.load("technicians", PEOPLE + f"{max_.email},,technician,\n", by=mia)
        assert not outcome.imported
        assert Technician.objects.get(pk=max_.pk).role == Role.MANAGER

    def test_nobody_changes_their_own_role(self):
        outcome = self.load("technicians", PEOPLE + f"{self.owner.email},,auditor,\n")
        assert [t.line for t in outcome.left_out] == [2]
        assert Technician.objects.get(pk=self.owner.pk).role == Role.OWNER


class WhenAssignmentsAreImported(Desk):
    @pytest.fixture(autouse=True)
    def _account(self, _desk: None) -> None:
        self.ana = self.world.technician("Ana")
        self.contoso = self.world.tenant("Contoso")
        self.account = self.world.account(self.contoso)

    def row(self, from_: str = "", until: str = "", who: str = "", account: str = "") -> str:
        return (
            f"{who or self.ana.email},{self.contoso.default_domain},"
            f"{account or self.account.user_principal_name},{from_},{until},on the team\n"
        )

    def test_an_empty_beginning_is_now_and_an_empty_end_is_open(self):
        self.load("assignments", ASSIGNMENTS + self.row())
        made = Assignment.objects.live().get()
        assert (made.technician, made.account, made.until_at) == (self.ana, self.account, None)
        assert (made.reason, made.granted_by) == ("on the team", self.owner)
        assert abs(made.from_at - timezone.now()) < dt.timedelta(minutes=1)

    def test_a_day_begins_at_midnight_utc_and_a_moment_has_its_zone(self):
        self.load("assignments", ASSIGNMENTS + self.row("2030-03-01", "2030-04-01T08:30+02:00"))
        made = Assignment.objects.get()
        assert made.from_at == dt.datetime(2030, 3, 1, tzinfo=dt.UTC)
        assert made.until_at == dt.datetime(2030, 4, 1, 6, 30, tzinfo=dt.UTC)

    @pytest.mark.parametrize("row", [("", ""), ("2026-01-01", ""), ("2030-03-01", "2030-04-01")])
    def test_the_same_file_again_changes_nothing(self, row):
        text = ASSIGNMENTS + self.row(*row)
        self.load("assignments", text)
        assert counts(self.load("assignments", text)) == (0, 0, 1, 0)
        assert Assignment.objects.count() == 1

    @pytest.mark.parametrize("time", ["01.03.2030", "2030-02-31", "2030-03-01T08:00", "20300301", "soon"])
    def test_what_is_no_time_is_said(self, time):
        assert self.errors("assignments", ASSIGNMENTS + self.row(time)) == [(2, "from")]

    def test_an_end_before_the_beginning_is_an_error(self):
        assert self.errors("assignments", ASSIGNMENTS + self.row("2030-03-01", "2030-03-01")) == [(2, "until")]

    def test_unknown_names_are_said_by_column(self):
        text = ASSIGNMENTS + self.row(who="nobody@x.example") + self.row(account="nothing@x.example")
        assert self.errors("assignments", text) == [(2, "technician"), (3, "account")]

    def test_what_overlaps_is_an_error_whether_here_or_in_the_file(self):
        assign(self.ana, self.account, by=self.owner, reason="", until_at=timezone.now() + dt.timedelta(days=9))
        assert self.errors("assignments", ASSIGNMENTS + self.row()) == [(2, "account")]
        later = self.row("2031-01-01", "2031-03-01") + self.row("2031-02-01", "2031-04-01")
        assert self.errors("assignments", ASSIGNMENTS + later) == [(3, "account")]

    def test_what_was_ended_is_not_quietly_given_again(self):
        text = ASSIGNMENTS + self.row("2026-01-01")
        self.load("assignments", text)
        end_assignment(Assignment.objects.get(), by=self.owner)
        assert self.errors("assignments", text) == [(2, "account")]

    def test_nothing_is_given_to_somebody_who_left(self):
        self.world.offboard(self.ana)
        assert self.errors("assignments", ASSIGNMENTS + self.row()) == [(2, "technician")]

    def test_a_role_that_shows_no_passwords_is_warned_about(self):
        auditor = self.world.technician("Aud", Role.AUDITOR)
        preview = self.preview("assignments", ASSIGNMENTS + self.row(who=auditor.email))
        assert [(w.line, w.column) for w in preview.plan.warnings] == [(2, "technician")]


class WhenAuthenticatorsAreImported(Desk):
    @pytest.fixture(autouse=True)
    def _methods(self, _desk: None) -> None:
        self.ana, self.ben = self.world.technician("Ana"), self.world.technician("Ben")
        self.contoso = self.world.tenant("Contoso")
        self.account = self.world.account(self.contoso)
        assign(self.ana, self.account, by=self.owner, reason="on the team")
        self.method_id, _seed = self.world.cloud.register_software_oath(
            str(self.contoso.directory_id), self.account.object_id
        )

    def row(self, who: Technician | None = None, method: str = "", kind: str = "", label: str = "grey phone") -> str:
        return (
            f"{(who or self.ana).email},{self.contoso.default_domain},{self.account.user_principal_name},"
            f"{method or self.method_id},{kind},{label}\n"
        )

    def observe(self) -> None:
        observe_account(self.account, outside=self.world.outside)

    def test_an_observed_method_gets_its_owner_and_is_no_drift_any_more(self):
        self.observe()
        assert Finding.objects.open().filter(kind=Finding.Kind.UNKNOWN_METHOD).count() == 1
        self.load("authenticators", AUTHENTICATORS + self.row(kind="Software_OATH"))
        bound = Authenticator.objects.get()
        assert (bound.technician, bound.proof, bound.label) == (self.ana, "imported", "grey phone")
        assert not Finding.objects.open().filter(kind=Finding.Kind.UNKNOWN_METHOD).exists()

    def test_a_method_that_was_never_seen_asks_to_observe_first(self):
        (trouble,) = self.preview("authenticators", AUTHENTICATORS + self.row()).plan.errors
        assert (trouble.line, trouble.column) == (2, "method_id")
        assert "observe" in trouble.message

    def test_the_same_file_again_changes_nothing(self):
        self.observe()
        text = AUTHENTICATORS + self.row()
        self.load("authenticators", text)
        assert counts(self.load("authenticators", text)) == (0, 0, 1, 0)

    def test_a_method_has_one_owner(self):
        self.observe()
        assert self.errors("authenticators", AUTHENTICATORS + self.row() + self.row(self.ben)) == [(3, "method_id")]
        self.load("authenticators", AUTHENTICATORS + self.row())
        assert self.errors("authenticators", AUTHENTICATORS + self.row(self.ben)) == [(2, "method_id")]

    def test_the_kind_must_be_the_one_that_was_seen(self):
        self.observe()
        text = AUTHENTICATORS + self.row(kind="phone") + self.row(kind="pigeon")
        assert self.errors("authenticators", text) == [(2, "method_id"), (3, "kind")]

    def test_somebody_without_the_account_is_warned_about(self):
        self.observe()
        preview = self.preview("authenticators", AUTHENTICATORS + self.row(self.ben))
        assert [(w.line, w.column) for w in preview.plan.warnings] == [(2, "technician")]


class WhenSomebodyElseIsFaster(Desk):
    """Between the preview and the import, or within it, the world goes on."""

    def test_the_import_compares_again(self):
        tenant = self.world.tenant("Contoso")
        account = self.world.account(tenant)
        text = ACCOUNTS + f"{tenant.default_domain},{account.user_principal_name},,,,,New-1\n"
        assert self.preview("accounts", text).counts["change"] == 1
        store_password(account, "New-1", by=self.owner, outside=self.world.outside, source="import")
        assert counts(self.load("accounts", text)) == (0, 0, 1, 0)


class IfSomebodyMayNotImport(Desk):
    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR])
    def test_is_refused_before_the_file_is_read(self, role):
        with pytest.raises(NotPermitted):
            self.preview("accounts", "this is no such file", by=self.world.technician("Tim", role))

    def test_a_kind_that_does_not_exist_is_said(self):
        with pytest.raises(BadInput, match="partner-center"):
            self.preview("passwords", ACCOUNTS)
