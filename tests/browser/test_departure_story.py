"""The whole of a departure in a real browser: preview, a second person's approval, a run that meets faults, an
exception that is accepted, and the evidence that the customer fetches and checks."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from msp.ops import places
from technicians.models import DepartureRequest, Role
from tenants.actions.set_departure_policy import facts_of, set_departure_policy
from tenants.departure_policy_queries import departure_policy_of
from tenants.models import Run
from tenants.plans import RunState, StepKind, StepState
from tests.browser.conftest import Desks
from tests.browser.test_people import at_work
from tests.support.browser import NARROW, SCHEMES, Desk, shoot
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHECKER = places.ROOT / "docs" / "tools" / "verify_evidence.py"


class WhenADepartureNeedsASecondPersonAndMeetsFaults:
    """Ana and Ben share Contoso and Fabrikam; Microsoft will not let go of Ana's authenticator at
    Fabrikam. Mo asks, Nia agrees, and Carl of Fabrikam fetches the evidence."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World, desks: Desks) -> None:
        self.world, self.desks = world, desks
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.mo, self.nia = world.technician("Mo", Role.MANAGER), world.technician("Nia", Role.MANAGER)
        self.contoso, self.fabrikam = (world.account(world.tenant(name)) for name in ("Contoso", "Fabrikam"))
        for account in (self.contoso, self.fabrikam):
            world.give(account, self.ana, self.ben)
        self.carl = world.technician("Carl", Role.CUSTOMER_CONTACT, customer=self.fabrikam.tenant.customer)
        rules = facts_of(departure_policy_of(world.reseller.pk)) | {"approvals": 1}
        set_departure_policy(rules, by=world.owner)

    def looks_well(self, desk: Desk, name: str) -> None:
        """No serious barrier, nothing that scrolls sideways on a phone; a picture where somebody wants one."""
        assert desk.barriers() == []
        shoot(desk.page, f"{name} {desk.scheme}")
        size = desk.page.viewport_size
        desk.resizes(NARROW)
        assert not desk.scrolls_sideways(), name
        shoot(desk.page, f"{name} {desk.scheme} narrow")
        assert size is not None
        desk.resizes((size["width"], size["height"]))

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_from_the_preview_to_the_evidence_in_the_customers_hands(self, scheme: str, tmp_path: Path):
        self.mo_asks(self.desks(at_work(self.mo), scheme=scheme))
        run = self.nia_agrees(self.desks(at_work(self.nia), scheme=scheme))
        self.the_run_meets_faults(run)
        self.nia_accepts_the_gap(run, self.desks(at_work(self.nia), scheme=scheme))
        self.carl_fetches_the_evidence(run, self.desks(at_work(self.carl), scheme=scheme), tmp_path)

    def mo_asks(self, desk: Desk) -> None:
        page = desk.opens("technicians:offboard", self.ana.pk)
        expect(page.get_by_text(str(self.contoso)).first).to_be_visible()
        expect(page.get_by_text(str(self.fabrikam)).first).to_be_visible()
        expect(page.get_by_text("1 other person has to agree")).to_be_visible()
        self.looks_well(desk, "story 1 preview")
        page.get_by_label("Reason").fill("moves to another company")
        page.get_by_role("button", name="Ask for approval").click()
        expect(page.get_by_text("0 of 1 have agreed.")).to_be_visible()
        assert not Run.objects.exists()

    def nia_agrees(self, desk: Desk) -> Run:
        request = DepartureRequest.objects.get()
        page = desk.opens("technicians:departure", request.pk)
        self.looks_well(desk, "story 2 request")
        page.get_by_role("button", name="Approve and start: 2 accounts").click()
        expect(page.get_by_text("Running").first).to_be_visible()
        self.looks_well(desk, "story 3 run begins")
        self.ana.refresh_from_db()
        assert not self.ana.is_active
        run = DepartureRequest.objects.get().run
        assert run is not None
        return run

    def the_run_meets_faults(self, run: Run) -> None:
        """Contoso's answers are lost and late; Fabrikam refuses to remove the authenticator."""
        faults = self.world.cloud.faults
        faults.plan(kind="reset_after_effect", method="PATCH", times=1, tenant=self.world.directory_id(self.contoso))
        faults.plan(kind="status", status=403, method="DELETE", times=9, tenant=self.world.directory_id(self.fabrikam))
        self.world.work(run)
        assert self.world.steps(run, self.contoso)[StepKind.REMOVE_METHOD] == StepState.VERIFIED
        assert self.world.steps(run, self.fabrikam)[StepKind.REMOVE_METHOD] == StepState.REFUSED

    def nia_accepts_the_gap(self, run: Run, desk: Desk) -> None:
        page = desk.opens("tenants:run", run.pk)
        expect(page.get_by_text("Needs attention").first).to_be_visible()
        self.looks_well(desk, "story 4 needs attention")
        self.accept(page, desk)
        assert self.world.state(run) in (RunState.CLEAN_SO_FAR, RunState.NEEDS_ATTENTION)
        self.looks_well(desk, "story 6 gap accepted")

    def accept(self, page: Page, desk: Desk) -> None:
        page.get_by_role("link", name="Accept this gap").click()
        page.get_by_label("Why is this gap accepted?").fill("removed by hand; the customer watched")
        self.looks_well(desk, "story 5 accept the gap")
        page.get_by_role("button", name="Accept this gap").click()
        expect(page.get_by_text("is accepted, and your reason is part of the evidence")).to_be_visible()

    def carl_fetches_the_evidence(self, run: Run, desk: Desk, place: Path) -> None:
        page = desk.opens("reports:evidence_list")
        expect(page.get_by_text("Ana")).to_be_visible()
        self.looks_well(desk, "story 7 the contact's evidence")
        page.get_by_role("link", name=re.compile("^Evidence ?:")).click()
        self.looks_well(desk, "story 8 take the evidence")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download 1 tenant").click()
        archive = place / "evidence.zip"
        download.value.save_as(archive)
        with zipfile.ZipFile(archive) as files:
            files.extractall(place)
        [key], evidence = (
            list(place.glob("*.pub")),
            [p for p in place.glob("*.evidence.json") if "summary" not in p.name],
        )
        assert [path.name.startswith(self.fabrikam.tenant.default_domain) for path in evidence] == [True]
        checked = subprocess.run(
            [sys.executable, str(CHECKER), str(evidence[0]), "--key", str(key)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert checked.returncode == 0, checked.stderr
        assert "removed by hand; the customer watched" in checked.stdout
        assert str(self.contoso.tenant.default_domain) not in checked.stdout
