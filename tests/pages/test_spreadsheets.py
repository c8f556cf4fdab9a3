"""Every table for a spreadsheet, with a formula planted wherever people or directories may write."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from technicians.actions.offboard import offboard
from technicians.models import Reveal
from tenants.models import Customer, Method, SecretVersion, SharedAccount, Tenant
from tests.pages.addresses import TABLE
from tests.pages.runs_stage import Office
from tests.support.source import ROOT
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

EVIDENCE = {"reports:evidence", "reports:tenant_evidence", "reports:run_summary"}
"""Signed files, no tables."""
SHEETS = [
    name
    for name, page in TABLE.items()
    if name.startswith("reports:") and "POST" in page.methods and name not in EVIDENCE
]
FORMULA = re.compile(r"\A[=+\-@\t\r\n]")
A_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@pytest.fixture
def visitor() -> Visitor:
    """Olga's reseller, in which every text begins like a formula: Ana left, Ben stays and has seen the password."""
    office = Office()
    account = office.account(office.tenant("Contoso"))
    ana, ben = office.person("Ana"), office.person("Ben")
    office.give(account, ana, ben)
    version = SecretVersion.objects.get()
    for person in (ana, ben):
        Reveal.objects.create(
            reseller=office.reseller, technician=person, version=version, reason="=REASON()", ticket="@TICKET"
        )
    type(ana).objects.filter(pk=ana.pk).update(name="=ANA()", email="+ana@x.example")
    type(ben).objects.filter(pk=ben.pk).update(name="@BEN", email="-ben@x.example")
    Customer.objects.update(name="=HYPERLINK(1)")
    Tenant.objects.update(default_domain="+contoso.example")
    SharedAccount.objects.update(
        user_principal_name="-admin@x.example", owner="=OWNER()", justification="@WHY", review_on=timezone.now().date()
    )
    Method.objects.update(label="\t=LABEL()")
    SecretVersion.objects.update(note="=NOTE()", retired_because="+because")
    ana.refresh_from_db()
    offboard(ana, by=office.owner, reason="=WHY()")
    return Visitor(office.owner)


class EverySheet:
    def test_is_known_here(self):
        assert len(SHEETS) >= 3

    @pytest.mark.parametrize("name", SHEETS)
    def test_has_no_cell_that_a_spreadsheet_would_run(self, name: str, visitor: Visitor):
        answer = visitor.post(reverse(name))
        assert answer.status_code == 200, answer.content
        rows = list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"), newline="")))
        cells = [cell for row in rows[1:] for cell in row]
        assert any(cell.startswith("'=") for cell in cells)
        assert [cell for cell in cells if FORMULA.match(cell) and not A_NUMBER.fullmatch(cell)] == []

    def test_is_written_in_one_place_that_neutralises(self):
        writers = [
            str(path.relative_to(ROOT))
            for package in ("msp", "tenants", "technicians")
            for path in (ROOT / package).rglob("*.py")
            if re.search(r"csv\.(Dict)?[wW]riter\(", path.read_text())
        ]
        assert writers == ["msp/reports/sheet.py"]
