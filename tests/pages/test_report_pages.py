"""The reports as pages and as sheets, and the door to the evidence."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from msp.evidence import verify
from msp.ledger.models import Entry
from msp.reports.access import Question, WayIn, every_row, rows_of
from msp.reports.sheet import cell, lines
from msp.vault.signing import evidence_key
from technicians.models import Role, Technician
from tenants.models import Method, Reseller, SecretVersion, SharedAccount, Step, TenantGroup
from tenants.plans import StepKind, StepState
from tests.pages.runs_stage import Office, settle
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 3, number, 12, tzinfo=dt.UTC)


class Scene:
    """Ana and Ben have Contoso's account since 1 March."""

    @pytest.fixture(autouse=True)
    def _scene(self, db):
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.account = self.office.account(self.office.tenant("Contoso"))
        SecretVersion.objects.update(current_from=day(1))
        self.office.give(self.account, self.ana, self.ben, since=day(1))
        self.url = reverse("reports:access")
        self.visitor = Visitor(self.office.owner)

    def rows(self, moment=None):
        return {(str(r.technician or ""), r.way_in) for r in rows_of([self.account], moment)}

    def sheet(self, url=None, **form):
        answer = self.visitor.post(url or self.url, form)
        assert answer.status_code == 200
        return list(csv.reader(io.StringIO(answer.getvalue().decode())))


class WhenItIsAskedWhoCanEnterToday(Scene):
    def test_who_is_assigned_and_has_an_authenticator_can(self):
        assert self.rows() == {("Ana", WayIn.CAN_ENTER), ("Ben", WayIn.CAN_ENTER)}

    def test_who_has_no_authenticator_yet_is_told_apart(self):
        self.office.assign(self.account, self.office.person("Newcomer"))
        assert ("Newcomer", WayIn.NO_AUTHENTICATOR) in self.rows()

    def test_an_authenticator_that_outlived_its_assignment_is_left_behind(self):
        self.ana.assignments.update(until_at=timezone.now())
        assert ("Ana", WayIn.LEFT_BEHIND) in self.rows()

    def test_who_saw_the_password_in_force_still_knows_it(self):
        cid = self.office.person("Cid")
        self.office.reveal(self.account, cid)
        assert ("Cid", WayIn.KNOWS_PASSWORD) in self.rows()

    def test_who_saw_an_older_password_knows_nothing(self):
        self.office.reveal(self.account, self.office.person("Cid"))
        SecretVersion.objects.update(status="retired", retired_at=timezone.now())
        assert "Cid" not in {name for name, _way in self.rows()}

    def test_a_method_that_belongs_to_nobody_is_a_row_of_its_own(self):
        self.office.method(self.account, "somebody's phone")
        assert ("", WayIn.UNKNOWN_METHOD) in self.rows()

    def test_an_e_mail_address_is_no_way_in(self):
        cid = self.office.person("Cid")
        self.office.assign(self.account, cid)
        self.office.bind(self.office.method(self.account, "cid's mail", kind="email"), cid)
        assert ("Cid", WayIn.NO_AUTHENTICATOR) in self.rows()

    def test_an_account_that_nobody_can_enter_is_an_answer_too(self):
        alone = self.office.account(self.office.tenant("Empty"))
        assert [r.way_in for r in rows_of([alone], None)] == [WayIn.NOBODY]

    def test_the_page_names_them(self):
        page = self.visitor.get(self.url).content.decode()
        assert "As it is now." in page
        assert "Ana&#x27;s phone" in page
        assert "Can enter" in page

    @pytest.mark.parametrize("text", ["contoso", "ADMIN@", "ben"])
    def test_a_part_of_a_name_finds_the_account(self, text):
        self.office.account(self.office.tenant("Fabrikam"), "root")
        page = self.visitor.get(self.url, {"q": text}).content.decode()
        assert "admin@contoso.example" in page
        assert "root@fabrikam.example" not in page


class WhenItIsAskedAboutADayInThePast(Scene):
    """Ana's assignment ended on the 10th and her authenticator went on the 12th; the password changed on the 14th."""

    @pytest.fixture(autouse=True)
    def _past(self, _scene):
        self.office.reveal(self.account, self.ana, at=day(5))
        self.ana.assignments.update(until_at=day(10))
        Method.objects.filter(authenticator__technician=self.ana).update(removed_at=day(12))
        SecretVersion.objects.update(status="retired", retired_at=day(14))

    def way_of_ana(self, number):
        return dict(self.rows(day(number))).get("Ana")

    def test_each_day_has_its_own_truth(self):
        assert self.way_of_ana(9) == WayIn.CAN_ENTER
        assert self.way_of_ana(11) == WayIn.LEFT_BEHIND
        assert self.way_of_ana(13) == WayIn.KNOWS_PASSWORD
        assert self.way_of_ana(15) is None

    def test_before_the_first_day_nobody_could(self):
        [row] = rows_of([self.account], day(1) - dt.timedelta(days=1))
        assert row.way_in == WayIn.NOBODY

    def test_what_was_seen_later_does_not_count_for_the_day(self):
        [ana] = [r for r in rows_of([self.account], day(4)) if r.technician == self.ana]
        assert ana.saw_password_at is None

    def test_a_method_bound_later_belonged_to_nobody_then(self):
        method = self.office.method(self.account, "found phone", since=day(2))
        self.office.bind(method, self.ben, since=day(8))
        assert ("", WayIn.UNKNOWN_METHOD) in self.rows(day(3))
        assert ("", WayIn.UNKNOWN_METHOD) not in self.rows(day(9))

    def test_the_day_ends_at_midnight_where_the_reader_is(self):
        with timezone.override("America/New_York"):
            assert Question.read({"on": "2026-03-05"}).moment == dt.datetime(
                2026, 3, 6, 4, 59, 59, 999999, tzinfo=dt.UTC
            )

    def test_the_page_says_how_the_day_is_read(self):
        page = self.visitor.get(self.url, {"on": "2026-03-09"}).content.decode()
        assert "As it was at the end of 2026-03-09 in UTC." in page
        assert "Ana" in page

    @pytest.mark.parametrize("text", ["9999-12-31", "2999-01-01", "March", "2026-02-30"])
    def test_a_day_that_is_none_or_still_to_come_gets_a_sentence(self, text):
        answer = self.visitor.get(self.url, {"on": text})
        assert answer.status_code == 422
        assert text in answer.content.decode()


class WhenTheSheetIsTaken(Scene):
    def test_it_has_the_rows_of_the_page(self):
        header, *rows = self.sheet()
        named = [dict(zip(header, row, strict=True)) for row in rows]
        assert [(r["Account"], r["Who"], r["Way in"]) for r in named] == [
            ("admin@contoso.example", "Ana", "Can enter"),
            ("admin@contoso.example", "Ben", "Can enter"),
        ]
        assert named[0]["Assigned from"] == "2026-03-01T12:00:00.000000Z"

    def test_it_answers_the_question_of_the_page(self):
        _header, row = self.sheet(f"{self.url}?on=2026-02-01&q=contoso")
        assert "Nobody" in row

    def test_a_name_that_is_a_formula_is_only_text(self):
        Technician.objects.filter(pk=self.ana.pk).update(name="=HYPERLINK(evil)")
        Method.objects.filter(authenticator__technician=self.ben).update(label="+1 555 0100")
        body = str(self.sheet())
        assert "'=HYPERLINK" in body
        assert "'+1 555" in body

    def test_excel_gets_its_byte_order_mark_only_if_asked(self):
        with_mark, without = (self.visitor.post(self.url, form).getvalue() for form in ({"bom": "1"}, {}))
        assert with_mark.startswith(b"\xef\xbb\xbf")
        assert not without.startswith(b"\xef\xbb\xbf")

    def test_it_is_a_file_and_an_entry_in_the_ledger(self):
        answer = self.visitor.post(f"{self.url}?on=2026-03-09")
        assert answer["Content-Disposition"] == 'attachment; filename="latchkey-access-2026-03-09.csv"'
        assert Entry.objects.get(verb="report.exported").facts == {
            "report": "access",
            "asked": {"day": "2026-03-09", "text": ""},
        }

    def test_it_needs_a_fresh_code(self):
        visitor = Visitor(self.office.owner, fresh=False)
        for url in (self.url, reverse("reports:leavers")):
            assert visitor.post(url, {"code": "12"}).status_code == 422
        assert not Entry.objects.filter(verb="report.exported").exists()

    def test_the_chunks_of_a_long_one_join_without_loss(self, monkeypatch):
        monkeypatch.setattr("msp.reports.access.CHUNK", 2)
        for number in range(5):
            self.office.account(self.account.tenant, f"extra{number}")
        assert len({row.account.pk for row in every_row(self.office.owner, Question())}) == 6


class ACellOfASheet:
    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
    def test_never_begins_like_a_formula(self, text):
        assert cell(text) == f"'{text}"

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, ""), (True, "yes"), (False, "no"), (-3, "-3"), ("plain", "plain"), ("a=b", "a=b"),
            (dt.timedelta(minutes=2), "120"), (day(1), "2026-03-01T12:00:00.000000Z"),
        ],
    )  # fmt: skip
    def test_is_the_plainest_text_of_its_value(self, value, text):
        assert cell(value) == text

    def test_keeps_quotes_commas_and_line_breaks_inside_one_cell(self):
        awkward = 'a "b", c\nd'
        [_header, [read]] = csv.reader(io.StringIO("".join(lines(["x"], [[awkward]])), newline=""))
        assert read == awkward


class WhenItIsAskedWhoLeft(Scene):
    @pytest.fixture(autouse=True)
    def _left(self, _scene):
        self.run = self.office.offboard(self.ana, "resigned")
        settle(self.run)
        self.url = reverse("reports:leavers")

    def test_the_page_tells_who_by_whom_why_and_how_far(self):
        page = self.visitor.get(self.url).content.decode()
        assert "by Olga: resigned" in page
        assert "1 of 1 removed and verified" in page
        assert "1 of 1 changed and verified" in page
        assert "Clean" in page

    def test_every_exception_has_its_reason_and_who_accepted_it(self):
        step = Step.objects.get(target__run=self.run, kind=StepKind.REMOVE_METHOD)
        Step.objects.filter(pk=step.pk).update(
            status=StepState.WAIVED, waived_by=self.office.owner, waived_reason="phone destroyed", verified_at=None
        )
        page = self.visitor.get(self.url).content.decode()
        assert "Clean with exceptions" in page
        assert "(Olga): phone destroyed" in page
        header, row = self.sheet()
        told = dict(zip(header, row, strict=True))["Exceptions"]
        assert "phone destroyed" in told
        assert "admin@contoso.example" in told

    def test_the_sheet_has_the_times_and_the_counts(self):
        header, row = self.sheet()
        told = dict(zip(header, row, strict=True))
        assert told["Who"] == "Ana"
        assert told["Decided by"] == self.office.owner.email
        assert (told["Authenticators to remove"], told["Removed, verified"]) == ("1", "1")
        assert told["First verified at"] <= told["Last verified at"]

    def test_days_narrow_it(self):
        now = timezone.localdate()
        today, tomorrow = str(now), str(now + dt.timedelta(days=1))
        assert "Ana" in self.visitor.get(self.url, {"since": today, "until": today}).content.decode()
        assert "Nobody left in these days" in self.visitor.get(self.url, {"since": tomorrow}).content.decode()
        turned = self.visitor.get(self.url, {"since": tomorrow, "until": today})
        assert turned.status_code == 422


class WhenEvidenceIsTaken(Scene):
    @pytest.fixture(autouse=True)
    def _run(self, _scene):
        self.other = self.office.account(self.office.tenant("Fabrikam"))
        self.office.give(self.other, self.ana, self.ben)
        self.run = self.office.offboard(self.ana)
        self.all_url = reverse("reports:evidence", args=[self.run.pk])
        self.one_url = reverse("reports:tenant_evidence", args=[self.run.pk, self.account.tenant_id])

    def test_one_tenant_is_one_signed_file(self):
        answer = self.visitor.post(self.one_url)
        assert f'filename="contoso.example-{str(self.run.pk)[:8]}.evidence.json"' in answer["Content-Disposition"]
        public_key = evidence_key(settings.KEY_DIRECTORY).public_key()
        assert verify(json.loads(answer.content), public_key)["tenant"]["default_domain"] == "contoso.example"

    def test_all_of_them_come_in_one_archive_with_the_key(self):
        archive = zipfile.ZipFile(io.BytesIO(self.visitor.post(self.all_url).content))
        assert len(archive.namelist()) == 4

    def test_the_key_is_the_public_one(self):
        pem = self.visitor.get(reverse("reports:evidence_key")).content
        assert pem.startswith(b"-----BEGIN PUBLIC KEY-----")

    def test_each_taking_is_in_the_ledger(self):
        self.visitor.post(self.one_url)
        assert Entry.objects.get(verb="evidence.exported").tenant_id == self.account.tenant_id

    def test_it_needs_a_fresh_code_and_a_button(self):
        visitor = Visitor(self.office.owner, fresh=False)
        for url in (self.all_url, self.one_url):
            assert visitor.get(url)["Content-Type"].startswith("text/html")
            assert visitor.post(url).status_code == 422
        assert not Entry.objects.filter(verb="evidence.exported").exists()

    def test_a_scoped_reader_gets_the_tenants_in_reach_only(self):
        contact = self.office.person("Carl", Role.CUSTOMER_CONTACT, customer=self.account.tenant.customer)
        visitor = Visitor(contact)
        assert len(zipfile.ZipFile(io.BytesIO(visitor.post(self.all_url).content)).namelist()) == 3
        hidden = reverse("reports:tenant_evidence", args=[self.run.pk, self.other.tenant_id])
        assert visitor.get(hidden).status_code == 404
        assert visitor.post(hidden).status_code == 404

    def test_a_tenant_that_the_run_did_not_touch_is_not_there(self):
        untouched = self.office.tenant("Tailspin")
        url = reverse("reports:tenant_evidence", args=[self.run.pk, untouched.pk])
        assert self.visitor.post(url).status_code == 404


class EveryWallStands(Scene):
    def urls(self):
        run = self.office.offboard(self.ana)
        return [
            reverse("reports:evidence", args=[run.pk]),
            reverse("reports:tenant_evidence", args=[run.pk, self.account.tenant_id]),
        ]

    def test_another_resellers_owner_gets_none_of_it(self):
        urls = self.urls()
        stranger = Visitor(Office("Tailspin MSP").owner)
        for url in urls:
            assert stranger.get(url).status_code == 404
            assert stranger.post(url).status_code == 404
        for name in ("access", "leavers"):
            url = reverse(f"reports:{name}")
            assert "contoso" not in stranger.get(url).content.decode()
            assert b"contoso" not in stranger.post(url).getvalue()

    def test_a_technician_has_no_door_to_reports(self):
        ben = Visitor(self.ben)
        names = ("index", "access", "leavers", "evidence_key")
        for url in [*self.urls(), *(reverse(f"reports:{name}") for name in names)]:
            assert ben.get(url).status_code == 403
            assert ben.post(url).status_code in (403, 405)

    @pytest.mark.parametrize("scope", ["manager", "contact"])
    def test_a_narrow_reader_sees_the_rows_in_reach_only(self, scope):
        other = self.office.account(self.office.tenant("Fabrikam"))
        self.office.give(other, self.ben)
        if scope == "contact":
            reader = self.office.person("Carl", Role.CUSTOMER_CONTACT, customer=self.account.tenant.customer)
        else:
            group = TenantGroup.objects.create(reseller=self.office.reseller, name="North")
            group.tenants.add(self.account.tenant)
            reader = self.office.person("Mia", Role.MANAGER, groups=[group])
        visitor = Visitor(reader)
        body = visitor.get(self.url).content.decode() + str(visitor.post(self.url).getvalue())
        assert "admin@contoso.example" in body
        assert "fabrikam" not in body.lower()

    def test_an_auditor_may_read_and_export(self):
        auditor = Visitor(self.office.person("Aud", Role.AUDITOR))
        assert auditor.get(reverse("reports:index")).status_code == 200
        assert auditor.post(self.url).status_code == 200


class WhenThereIsALot:
    @pytest.mark.parametrize("count", [3, 30])
    def test_the_reports_ask_a_constant_number_of_queries(self, count, django_assert_max_num_queries):
        office = Office()
        visitor = Visitor(office.owner)
        people = [office.person(f"Person {number}") for number in range(count)]
        accounts = office.held_by(*people[:2], tenants=count)
        for account in accounts:
            office.reveal(account, people[0])
        for person in people:
            office.offboard(person)
        with django_assert_max_num_queries(14):
            visitor.get(reverse("reports:access"))
        with django_assert_max_num_queries(10):
            visitor.get(reverse("reports:leavers"))

    def test_an_empty_house_says_what_to_do(self):
        visitor = Visitor(Office().owner)
        assert Reseller.objects.exists()
        assert not SharedAccount.objects.exists()
        assert "No account fits" in visitor.get(reverse("reports:access")).content.decode()
        assert "Nobody left in these days" in visitor.get(reverse("reports:leavers")).content.decode()
