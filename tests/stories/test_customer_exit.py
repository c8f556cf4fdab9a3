"""A customer goes: everybody of ours is out, what is theirs is handed over, and nothing of it opens here any more."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import BadInput, KeyTrouble, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from msp.vault.sealed_file import open_file
from technicians.actions import exit_customer as exiting
from technicians.actions.assign import assign
from technicians.actions.bring_back import bring_back
from technicians.actions.exit_customer import exit_customer, preview_exit
from technicians.actions.export_passwords import export_passwords
from technicians.actions.finish_exit import finish_exit
from technicians.actions.hand_customer_over import confirm_receipt, make_package
from technicians.actions.hand_over import make_link
from technicians.actions.request_departure import request_departure
from technicians.actions.reveal_password import reveal_password
from technicians.actions.suspend import suspend
from technicians.models import DepartureRequest, HandOverLink, KeptCode, Role
from tenants.actions.change_due_passwords import change_due_passwords
from tenants.actions.mend import waive_step
from tenants.actions.read_due_accounts import ask_for_due_readings
from tenants.actions.rotate import rotate
from tenants.models import (
    ChangeDemand,
    CustomerExit,
    Registration,
    Run,
    Secret,
    SecretVersion,
    SharedAccount,
    Step,
    Target,
)
from tenants.plans import RunState, StepKind, StepState
from tests.stories.test_take_over_races import at_once, said
from tests.support.world import World

PASSPHRASE = "correct horse battery staple"


class AnExit:
    """Ana and Ben share Contoso's two accounts; Fabrikam is another customer of theirs."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.tenant = world.tenant("Contoso")
        self.customer = self.tenant.customer
        self.admin, self.backup = world.account(self.tenant), world.account(self.tenant, "backup")
        self.fabrikam = world.account(world.tenant("Fabrikam"))
        for account in (self.admin, self.backup, self.fabrikam):
            world.give(account, self.ana, self.ben)

    def begin(self, **facts: Any) -> CustomerExit:
        said = {"by": self.world.owner, "reason": "They moved to another provider."}
        return exit_customer(self.customer, **(said | facts))

    def begun(self) -> CustomerExit:
        """The run has done what it does before the package is made."""
        going = self.begin()
        self.world.work(going.run)
        return going

    def package(self, going: CustomerExit, **facts: Any) -> dict[str, str]:
        """Make it, open it as the customer does, and answer user name -> password in force."""
        said = {"by": self.world.owner, "recipient": "Carla at Contoso", "passphrase": PASSPHRASE}
        made = make_package(going, outside=self.world.outside, **(said | facts))
        document = json.loads(open_file(made.file, PASSPHRASE))
        return {entry["user_principal_name"]: entry["password"] for entry in document["accounts"]}

    def handed_over(self) -> CustomerExit:
        going = self.begun()
        self.package(going)
        self.world.work(going.run)
        return going

    def second_look(self, going: CustomerExit) -> None:
        """The tokens of before have died."""
        for target in Target.objects.filter(run=going.run):
            target.steps.filter(kind=StepKind.SECOND_LOOK).update(due_at=timezone.now())
        Target.objects.filter(run=going.run).update(due_at=timezone.now())
        self.world.work(going.run)

    def ready_to_end(self) -> CustomerExit:
        going = self.handed_over()
        confirm_receipt(going, by=self.world.owner, note="Carla called back from the number we know.")
        self.second_look(going)
        return going

    def ours_on(self, account: SharedAccount) -> int:
        return len(self.world.methods_on(account))

    def at_the_door(self, account: SharedAccount, password: str) -> bool:
        """Whether this password is the right one at Microsoft, whatever comes after it."""
        return self.world.password_at_microsoft(account) == password


class WhenACustomerGoes(AnExit):
    def test_the_preview_says_that_every_authenticator_waits_for_the_package(self):
        plan = preview_exit(self.customer, by=self.world.owner)
        assert {account.holding.account for account in plan.accounts} == {str(self.admin), str(self.backup)}
        assert all("make the package" in account.holds[0] for account in plan.accounts)
        whose = {method.label for account in plan.accounts for method in account.holding.methods}
        assert whose == {"Ana", "Ben"}

    def test_everybody_loses_what_they_have_there_at_once_and_nothing_elsewhere(self):
        self.begin()
        held = {str(a.account) for person in (self.ana, self.ben) for a in person.assignments.live()}
        assert held == {str(self.fabrikam)}

    def test_the_passwords_change_and_the_authenticators_stay_until_the_customer_has_a_way_in(self):
        before = {account.pk: self.world.password_at_microsoft(account) for account in (self.admin, self.backup)}
        going = self.begun()
        for account in (self.admin, self.backup):
            assert self.world.password_at_microsoft(account) != before[account.pk]
            assert self.ours_on(account) == 2
        assert self.world.state(going.run) == RunState.NEEDS_ATTENTION

    def test_the_other_customer_is_not_touched(self):
        before, methods = self.world.password_at_microsoft(self.fabrikam), self.world.methods_on(self.fabrikam)
        self.handed_over()
        assert self.world.password_at_microsoft(self.fabrikam) == before
        assert self.world.methods_on(self.fabrikam) == methods
        assert self.world.gets_in(self.fabrikam, self.ana)

    def test_links_that_hold_a_password_of_theirs_are_closed(self):
        make_link(
            self.ana, self.admin, recipient="a subcontractor", reason="help", life=timedelta(hours=1),
            outside=self.world.outside,
        )  # fmt: skip
        self.begin()
        assert bytes(HandOverLink.objects.get().ciphertext) == b""

    def test_it_is_in_the_ledger_with_the_reason(self):
        self.begin()
        entry = Entry.objects.get(verb="customer.exit_begun")
        assert (entry.facts["accounts"], entry.facts["assignments"]) == (2, 4)
        assert entry.facts["reason"] == "They moved to another provider."

    def test_without_a_record_nothing_has_changed(self, monkeypatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger is closed.")

        monkeypatch.setattr(exiting, "record", closed)
        with pytest.raises(LedgerClosed):
            self.begin()
        assert self.ana.assignments.live().count() == 3
        assert not Run.objects.exists()

    def test_it_begins_once(self):
        self.begin()
        with pytest.raises(BadInput, match="has begun already"):
            self.begin()
        assert CustomerExit.objects.count() == 1

    def test_it_needs_a_reason_and_somebody_who_may(self):
        with pytest.raises(BadInput, match="Say why"):
            self.begin(reason=" ")
        with pytest.raises(NotPermitted):
            self.begin(by=self.ana)
        assert not Run.objects.exists()


class WhenThePackageIsMade(AnExit):
    def test_it_has_every_user_name_with_the_password_that_is_in_force(self):
        passwords = self.package(self.begun())
        assert set(passwords) == {str(self.admin), str(self.backup)}
        assert self.at_the_door(self.admin, passwords[str(self.admin)])
        assert self.at_the_door(self.backup, passwords[str(self.backup)])

    def test_only_then_our_authenticators_go_all_of_them(self):
        going = self.handed_over()
        assert self.ours_on(self.admin) == self.ours_on(self.backup) == 0
        assert self.world.state(going.run) == RunState.CLEAN_SO_FAR
        self.second_look(going)
        assert self.world.state(going.run) == RunState.CLEAN

    def test_nobody_of_ours_gets_in_any_more(self):
        known = self.world.password_at_microsoft(self.admin)
        self.handed_over()
        answer = self.world.cloud.sign_in(self.world.directory_id(self.admin), str(self.admin), known, "")
        assert not answer.session
        with pytest.raises(NotPermitted):
            reveal_password(self.ana, self.admin, reason="just once more", outside=self.world.outside)

    def test_it_waits_until_every_password_is_proven_to_be_new(self):
        going = self.begin()
        with pytest.raises(BadInput, match="2 passwords are not proven to be new"):
            self.package(going)
        assert not CustomerExit.objects.get().package

    def test_a_password_that_a_person_accepts_as_it_is_goes_with_the_others(self):
        self.world.cloud.user(self.world.directory_id(self.backup), self.backup.object_id).synced = True
        old = self.world.password_at_microsoft(self.backup)
        going = self.begun()
        step = self.world.step(going.run, StepKind.ROTATE_PASSWORD, self.backup)
        assert step.status == StepState.BLOCKED
        waive_step(step, by=self.world.owner, reason="The customer changes it in the local directory.")
        assert self.package(going)[str(self.backup)] == old

    def test_a_lost_file_can_be_made_again_until_the_end(self):
        going = self.handed_over()
        confirm_receipt(going, by=self.world.owner, note="Carla")
        again = self.package(going, recipient="Carl at Contoso")
        assert self.at_the_door(self.admin, again[str(self.admin)])
        going.refresh_from_db()
        assert (going.recipient, going.received_at) == ("Carl at Contoso", None)

    def test_whoever_makes_it_has_seen_the_passwords_and_the_ledger_says_so(self):
        going = self.begun()
        self.package(going)
        assert self.world.owner.reveals.filter(act="exported").count() == 2
        entry = Entry.objects.get(verb="customer.package_made")
        assert (entry.facts["recipient"], entry.facts["accounts"]) == ("Carla at Contoso", 2)

    def test_only_an_owner_makes_it_with_a_recipient_and_a_passphrase_that_nobody_guesses(self):
        going = self.begun()
        manager = self.world.technician("Mo", Role.MANAGER)
        with pytest.raises(NotPermitted):
            self.package(going, by=manager)
        with pytest.raises(BadInput, match="who gets the package"):
            self.package(going, recipient=" ")
        with pytest.raises(BadInput):
            self.package(going, passphrase="short")
        assert not self.world.owner.reveals.exists()


class WhenThePasswordIsAnotherOneThanInThePackage(AnExit):
    """Somebody puts another password in force between the package and the removal."""

    def test_the_last_way_in_stays(self):
        going = self.begun()
        self.package(going)
        CustomerExit.objects.update(package={str(self.admin.pk): 1, str(self.backup.pk): 1})
        self.world.work(going.run)
        assert self.ours_on(self.admin) == 2
        removals = Step.objects.filter(target__account=self.admin, kind=StepKind.REMOVE_METHOD)
        assert all("make the package" in step.problem for step in removals)


class WhenTheCustomerUsesWhatItGot(AnExit):
    """Before the second look they register an authenticator of their own and choose another password."""

    def test_that_is_theirs_to_do_and_the_run_is_clean_all_the_same(self):
        going = self.handed_over()
        directory, user = self.world.directory_id(self.admin), self.admin.object_id
        theirs = self.world.cloud.register(directory, user, "software_oath", "Carla's phone")
        self.world.cloud.change_password_as_person(directory, user, "Carlas-Own-Pass-9!")
        self.second_look(going)
        assert self.world.state(going.run) == RunState.CLEAN
        assert theirs.id in self.world.methods_on(self.admin)

    def test_automation_never_changes_a_password_of_theirs_again(self):
        self.handed_over()
        Secret.objects.update(
            next_change_at=timezone.now() - timedelta(hours=1), next_change_because=ChangeDemand.Because.SCHEDULE
        )
        assert change_due_passwords() == 1  # Fabrikam's
        assert not Target.objects.filter(run__kind=Run.Kind.ROTATION, account=self.admin).exists()

    def test_nobody_is_given_an_account_of_theirs_and_nobody_changes_one(self):
        self.begin()
        with pytest.raises(BadInput, match="takes its accounts over"):
            assign(self.ana, self.admin, by=self.world.owner, reason="just once more")
        with pytest.raises(BadInput, match="takes its accounts over"):
            rotate([self.admin], by=self.world.owner, reason="the quarter is over")


class WhenItEnds(AnExit):
    def end(self, going: CustomerExit, **facts: Any) -> int:
        said = {"by": self.world.owner, "reason": "The contract has ended."}
        return finish_exit(going, outside=self.world.outside, **(said | facts))

    def test_nothing_of_theirs_can_be_read_any_more(self):
        going = self.ready_to_end()
        assert self.end(going) == 1
        for version in SecretVersion.objects.filter(secret__account__tenant=self.tenant).select_related(
            "secret__account"
        ):
            with pytest.raises(KeyTrouble, match="was destroyed"):
                self.world.outside.vault.open(bytes(version.sealed), version.place)
        with pytest.raises(KeyTrouble):
            export_passwords(
                [self.admin], by=self.world.owner, reason="look", passphrase=PASSPHRASE, outside=self.world.outside
            )
        assert not HandOverLink.objects.exclude(ciphertext=b"").exists()
        assert not KeptCode.objects.live().filter(account__tenant=self.tenant).exists()
        assert not Registration.objects.filter(account__tenant=self.tenant, sealed__isnull=False).exists()

    def test_another_customer_loses_nothing(self):
        self.end(self.ready_to_end())
        assert self.world.gets_in(self.fabrikam, self.ana)

    def test_what_was_done_stays_written_down(self):
        going = self.ready_to_end()
        self.end(going)
        going.refresh_from_db()
        assert (going.ended_by, going.keys_destroyed) == (self.world.owner, 1)
        verbs = ["customer.exit_begun", "customer.package_made", "customer.package_received", "customer.exit_ended"]
        found = Entry.objects.filter(verb__startswith="customer.").order_by("id").values_list("verb", flat=True)
        assert sorted(found) == sorted(verbs)

    def test_their_accounts_are_not_read_any_more(self):
        self.end(self.ready_to_end())
        SharedAccount.objects.update(read_again_at=timezone.now() - timedelta(hours=1))
        ask_for_due_readings(timedelta(hours=8))
        waiting = SharedAccount.objects.filter(read_again_at__lte=timezone.now())
        assert {str(account) for account in waiting} == {str(self.admin), str(self.backup)}

    def test_it_waits_for_the_customers_word(self):
        going = self.handed_over()
        self.second_look(going)
        with pytest.raises(BadInput, match="has not confirmed the package"):
            self.end(going)
        assert self.world.passwords_known(self.admin)

    def test_it_waits_for_the_second_look(self):
        going = self.handed_over()
        confirm_receipt(going, by=self.world.owner, note="Carla")
        with pytest.raises(BadInput, match="not clean yet"):
            self.end(going)
        assert self.world.passwords_known(self.admin)

    def test_only_an_owner_ends_it_and_only_once(self):
        going = self.ready_to_end()
        with pytest.raises(NotPermitted):
            self.end(going, by=self.world.technician("Mo", Role.MANAGER))
        self.end(going)
        with pytest.raises(BadInput, match="ended already"):
            self.end(going)
        with pytest.raises(BadInput, match="has ended"):
            self.package(going)

    def test_word_is_taken_only_of_a_package_that_was_made(self):
        going = self.begun()
        with pytest.raises(BadInput, match="No package was made"):
            confirm_receipt(going, by=self.world.owner, note="Carla")
        self.package(going)
        with pytest.raises(BadInput, match="Say who"):
            confirm_receipt(going, by=self.world.owner, note=" ")


class WhenABreakGlassAccountIsAmongThem(AnExit):
    @pytest.fixture(autouse=True)
    def _break_glass(self, _scene: None) -> None:
        SharedAccount.objects.filter(pk=self.backup.pk).update(break_glass=True)

    def test_nothing_is_sent_there_and_its_password_goes_with_the_others_once_that_is_accepted(self):
        old = self.world.password_at_microsoft(self.backup)
        going = self.begun()
        assert self.world.password_at_microsoft(self.backup) == old
        with pytest.raises(BadInput, match=str(self.backup)):
            self.package(going)
        step = self.world.step(going.run, StepKind.ROTATE_PASSWORD, self.backup)
        waive_step(step, by=self.world.owner, reason="The customer changes it.")
        assert self.package(going)[str(self.backup)] == old
        self.world.work(going.run)
        assert (self.ours_on(self.admin), self.ours_on(self.backup)) == (0, 2)


class WhenSomebodyWasAwayMeanwhile(AnExit):
    def test_they_come_back_to_what_is_still_ours(self):
        suspension = suspend(self.ana, by=self.world.owner, reason="leave")
        self.begin()
        bring_back(suspension, by=self.world.owner)
        assert [a.account for a in self.ana.assignments.live()] == [self.fabrikam]


@pytest.mark.django_db(transaction=True)
class WhenSomebodyIsGivenAnAccountAtThatMoment(AnExit):
    """The exit and an assignment at once: one of them waits for the other."""

    def test_nobody_is_left_with_an_assignment(self):
        newcomer = self.world.technician("Newcomer")

        acts = {
            "given": lambda: assign(newcomer, self.admin, by=self.world.owner, reason="helps"),
            "gone": self.begin,
        }
        at_once(lambda name: said(acts[name]), *acts)
        assert CustomerExit.objects.count() == 1
        assert not newcomer.assignments.live().filter(account=self.admin).exists()


class WhenItIsAskedForAsADeparture(AnExit):
    def test_the_request_becomes_the_run_of_the_exit(self):
        request = request_departure([], by=self.world.owner, reason="They move.", place=self.customer)
        assert request.status == DepartureRequest.Status.STARTED
        assert request.run == CustomerExit.objects.get().run
        assert request.preview["methods"] == 0  # each waits for the package
        assert {account["account"] for account in request.preview["accounts"]} == {str(self.admin), str(self.backup)}
