"""Files become people, and say who holds which key: all of a file, or none of it, and never twice."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from msp.ledger.models import Entry
from technicians.actions.assign import assign, end_assignment
from technicians.models import Assignment, Authenticator, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.models import Finding, TenantGroup
from tests.support.import_desk import ASSIGNMENTS, AUTHENTICATORS, PEOPLE, Desk, counts, entries
from tests.support.world import found_reseller


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
