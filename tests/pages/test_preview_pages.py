"""The preview of a departure and the pages of a customer's exit, as somebody sees them who has to decide."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as installation
from django.urls import reverse
from django.utils import timezone

from msp.vault.models import DataKey
from technicians.actions.finish_exit import ENDS_IN
from technicians.models import EnrolmentRequest, Role
from tenants.models import CustomerExit, Finding, SharedAccount, Step, Target, Tenant
from tenants.plans import StepKind
from tests.pages.runs_stage import Office, settle
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

PASSPHRASE = "correct horse battery staple"
OPENER = Path(installation.BASE_DIR) / "docs" / "tools" / "open_package.py"


class APreview:
    """Ana shares Contoso with Ben; on Fabrikam she is alone; on Tailspin Newcomer has no authenticator yet."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.ana, self.ben = self.office.person("Ana"), self.office.person("Ben")
        self.newcomer = self.office.person("Newcomer")
        self.contoso, self.fabrikam, self.tailspin = (
            self.office.account(self.office.tenant(name)) for name in ("Contoso", "Fabrikam", "Tailspin")
        )
        self.office.give(self.contoso, self.ana, self.ben)
        self.office.give(self.fabrikam, self.ana)
        self.office.give(self.tailspin, self.ana)
        self.office.assign(self.tailspin, self.newcomer)
        self.office.reveal(self.contoso, self.ana)
        self.visitor = Visitor(self.office.owner)
        self.url = reverse("technicians:offboard", args=[self.ana.pk])

    def read(self, query: str = "") -> str:
        return self.visitor.get(f"{self.url}{query}").content.decode()

    def accounts_on(self, page: str) -> list[str]:
        return re.findall(r'<td class="upn-cell"><a href="[^"]+"><code class="upn">([^<]+)', page)

    def figures(self, page: str) -> dict[str, int]:
        found = re.findall(r'figure-label">([^<]+)</span>\s*<span class="figure-number">(\d+)', page)
        return {label: int(number) for label, number in found}


class WhenSomebodyLooksAtThePreview(APreview):
    def test_the_passwords_are_in_three_groups(self):
        found = self.figures(self.read())
        assert (found["Seen and still valid"], found["Could have seen"], found["Not readable"]) == (1, 2, 0)

    def test_a_figure_leads_to_as_many_accounts_as_it_says(self):
        page = self.read()
        label_of = r'href="([^"]+)#accounts">\s*<span class="card-body">\s*<span class="figure-label">([^<]+)'
        links = dict(re.findall(label_of, page))
        assert len(links) == 6
        for link, label in links.items():
            rows = self.accounts_on(self.read(link.removeprefix(self.url)))
            assert len(rows) == self.figures(page)[label], label

    def test_who_would_lift_the_guard_is_named_with_the_account_and_a_link(self):
        page = self.read()
        assert f"Enrol Newcomer on {self.tailspin}." in page
        assert reverse("technicians:enrolment_list_of", args=[self.newcomer.pk]) in page
        assert f"assign {self.fabrikam} to somebody who stays" in page

    def test_whoever_has_not_enrolled_can_be_asked_to_from_there(self):
        url = reverse("technicians:ask_to_enrol", args=[self.newcomer.pk])
        assert url in self.read()
        answer = self.visitor.post(url)
        assert answer["Location"] == reverse("technicians:enrolment_list_of", args=[self.newcomer.pk])
        assert [line.account for line in EnrolmentRequest.objects.filter(technician=self.newcomer)] == [self.tailspin]
        assert not EnrolmentRequest.objects.filter(technician=self.ben).exists()

    def test_what_stands_in_the_way_is_named_with_what_it_means(self):
        SharedAccount.objects.filter(pk=self.contoso.pk).update(synced=True, observed_at=timezone.now())
        Tenant.objects.filter(pk=self.fabrikam.tenant_id).update(connection_problem="Nobody consented at Fabrikam.")
        Finding.objects.create(
            reseller=self.office.reseller, tenant=self.tailspin.tenant, account=self.tailspin,
            kind=Finding.Kind.ACCOUNT_MISSING, detail="It was deleted and made anew.",
        )  # fmt: skip
        page = self.read("?only=hindered")
        assert "Nobody consented at Fabrikam." in page
        assert "It was deleted and made anew." in page
        assert "belongs to a local directory" in page

    def test_the_list_can_be_searched_and_says_so_when_nothing_fits(self):
        assert self.accounts_on(self.read("?q=fabri")) == [str(self.fabrikam)]
        assert "No account fits" in self.read("?q=nowhere")

    def test_the_time_says_that_it_is_assumed(self):
        assert "Assumed, because no run has finished yet" in self.read()

    def test_the_time_says_on_what_it_was_measured(self):
        gone = self.office.person("Gone")
        self.office.held_by(gone, self.ben, tenants=3)
        run = self.office.offboard(gone)
        settle(run)
        assert "Measured on 3 accounts of your last runs" in self.read()

    def test_deadlines_are_by_class_of_the_accounts(self):
        SharedAccount.objects.filter(pk=self.contoso.pk).update(account_class="critical")
        page = self.read()
        assert "within 1 h on 1 account" in page
        assert "within 24 h on 2 accounts" in page


class AnExit:
    """Contoso goes. Its one account is held by Ana and Ben."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work: World) -> Iterator[None]:
        self.world = at_work
        self.ana = self.world.technician("Ana")
        self.account = self.world.account(self.world.tenant("Contoso"))
        self.world.give(self.account, self.ana)
        self.customer = self.account.tenant.customer
        self.visitor = Visitor(self.world.owner)
        self.begin_url = reverse("technicians:exit_customer", args=[self.customer.pk])
        yield

    def begin(self) -> CustomerExit:
        answer = self.visitor.post(self.begin_url, {"starts": "now", "reason": "They move."})
        going = CustomerExit.objects.get()
        assert answer["Location"] == reverse("technicians:customer_exit", args=[going.pk])
        return going

    def begun(self) -> CustomerExit:
        going = self.begin()
        self.world.work(going.run)
        return going

    def read(self, going: CustomerExit) -> str:
        return self.visitor.get(reverse("technicians:customer_exit", args=[going.pk])).content.decode()

    def post(self, going: CustomerExit, what: str, visitor: Visitor | None = None, **form: Any) -> Any:
        return (visitor or self.visitor).post(reverse(f"technicians:exit_{what}", args=[going.pk]), form)

    def package(self, going: CustomerExit, **form: Any) -> Any:
        said = {"recipient": "Carla", "passphrase": PASSPHRASE, "again": PASSPHRASE}
        return self.post(going, "package", **(said | form))


class WhenACustomerIsAboutToGo(AnExit):
    def test_the_page_says_what_happens_in_which_order_and_names_the_count(self):
        page = self.visitor.get(self.begin_url).content.decode()
        assert "Hand Contoso over: 1 account in 1 tenant" in page
        assert "make the package" in page
        assert "Ana" in page

    def test_the_tenants_page_leads_there(self):
        page = self.visitor.get(reverse("tenants:detail", args=[self.account.tenant_id])).content.decode()
        assert self.begin_url in page

    def test_it_needs_a_reason_and_a_fresh_code(self):
        assert self.visitor.post(self.begin_url, {"starts": "now", "reason": " "}).status_code == 422
        stale = Visitor(self.world.owner, fresh=False)
        answer = stale.post(self.begin_url, {"starts": "now", "reason": "They move."})
        assert answer.status_code == 422
        assert "six-digit code" in answer.content.decode()
        assert not CustomerExit.objects.exists()

    def test_a_second_time_the_page_leads_to_the_one_that_stands(self):
        going = self.begin()
        page = self.visitor.get(self.begin_url).content.decode()
        assert "has begun already" in page
        assert reverse("technicians:customer_exit", args=[going.pk]) in page


class WhenTheExitIsUnderWay(AnExit):
    def test_the_package_waits_for_the_new_passwords_and_the_page_names_them(self):
        going = self.begin()
        page = self.read(going)
        assert "The package waits for:" in page
        assert str(self.account) in page
        assert "Make the package" not in page

    def test_the_run_leads_back_to_the_page_where_the_package_is_made(self):
        going = self.begin()
        page = self.visitor.get(reverse("tenants:run", args=[going.run_id])).content.decode()
        assert reverse("technicians:customer_exit", args=[going.pk]) in page

    def test_the_file_opens_with_the_passphrase_and_with_nothing_of_latchkey(self):
        going = self.begun()
        answer = self.package(going)
        assert answer["Content-Disposition"].startswith('attachment; filename="contoso-hand-over-')
        document = opener().opened(answer.content, PASSPHRASE)
        [account] = document["accounts"]
        assert account["password"] == self.world.password_at_microsoft(self.account)
        with pytest.raises(ValueError, match="another one"):
            opener().opened(answer.content, "another passphrase of some length")

    def test_a_lost_file_is_made_again_from_the_same_page(self):
        going = self.begun()
        self.package(going)
        assert "?again=yes" in self.read(going)
        again = self.visitor.get(reverse("technicians:customer_exit", args=[going.pk]), {"again": "yes"})
        assert "Make the package: 1 account" in again.content.decode()
        assert "attachment" in self.package(going)["Content-Disposition"]

    def test_two_different_passphrases_make_no_package(self):
        going = self.begun()
        answer = self.package(going, again="something else entirely")
        assert answer.status_code == 422
        assert "The two passphrases differ" in answer.content.decode()
        assert not CustomerExit.objects.get().package

    def test_the_passphrase_is_not_in_the_page_that_says_what_was_wrong(self):
        answer = self.package(self.begun(), recipient="")
        assert answer.status_code == 422
        assert PASSPHRASE not in answer.content.decode()

    def test_a_manager_sees_how_far_it_is_and_is_told_that_an_owner_makes_the_package(self):
        going = self.begun()
        manager = Visitor(self.world.technician("Mo", Role.MANAGER))
        page = manager.get(reverse("technicians:customer_exit", args=[going.pk])).content.decode()
        assert "An owner makes it." in page
        said = {"recipient": "Mo", "passphrase": PASSPHRASE, "again": PASSPHRASE}
        assert self.post(going, "package", manager, **said).status_code == 403

    def test_the_end_is_offered_only_when_nothing_is_missing_and_then_it_destroys_the_keys(self):
        going = self.begun()
        assert "has not confirmed the package" in self.read(going)
        self.package(going)
        self.world.work(going.run)
        assert self.post(going, "received", note="Carla called back.").status_code == 302
        assert "not clean yet" in self.read(going)
        Step.objects.filter(target__run=going.run, kind=StepKind.SECOND_LOOK).update(due_at=timezone.now())
        Target.objects.filter(run=going.run).update(due_at=timezone.now())
        self.world.work(going.run)
        assert self.world.state(going.run) in ENDS_IN
        assert "Destroy the keys of Contoso: 1 account" in self.read(going)
        assert self.post(going, "end", reason="The contract has ended.").status_code == 302
        assert "This exit has ended" in self.read(going)
        assert not DataKey.objects.that_open().filter(tenant_id=self.account.tenant_id).exists()

    def test_it_does_not_end_before_that(self):
        going = self.begun()
        answer = self.post(going, "end", reason="The contract has ended.")
        assert answer.status_code == 422
        assert "Nothing was destroyed" in answer.content.decode()


def opener() -> ModuleType:
    """The program for the customer, as a file of its own."""
    found = importlib.util.spec_from_file_location("open_package", OPENER)
    assert found is not None and found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    return made
