"""What a person decides about a run, by command: try again, or accept the gap."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from msp.ledger.models import Entry
from technicians.models import Assignment, Role, Technician
from tenants.models import Reseller, Run, SharedAccount, Step, TenantGroup
from tenants.plans import RunState, StepKind, StepState
from tests.stories.test_commands import OWNER, WITH_THREADS, Office, Said


class Stopped(Office):
    """Ana left while nobody who stays had a working authenticator on any account, so a guard holds everywhere."""

    @pytest.fixture(autouse=True)
    def _stopped(self, _office: None) -> None:
        self.enter()
        self.bind()
        Assignment.objects.filter(technician__email="ben@x.example").update(until_at=timezone.now())
        assert Said("offboard", "ana@x.example", "--reason", "resigned", "--wait", "--json").error
        self.run = Run.objects.get()
        self.id = str(self.run.pk)[:8]
        self.upn = self.users[2].upn

    def ben_stays(self) -> None:
        Assignment.objects.filter(technician__email="ben@x.example").update(until_at=None)

    def blocked(self) -> set[str]:
        steps = Step.objects.filter(target__run=self.run, status=StepState.BLOCKED)
        return set(steps.values_list("target__account__user_principal_name", flat=True))

    def step(self) -> Step:
        return Step.objects.get(
            target__run=self.run,
            target__account__user_principal_name=self.upn,
            kind=StepKind.REMOVE_METHOD,
        )

    def state(self) -> RunState:
        return Run.objects.with_counts().get(pk=self.run.pk).state


@WITH_THREADS
class WhenARunIsTriedAgain(Stopped):
    def test_with_the_cause_gone_every_account_is_finished(self):
        self.ben_stays()
        said = Said("run", "retry", self.id, "--wait")
        assert said.error == ""
        assert said.out.count("1 step is planned again") == 3
        assert "Clean so far" in said.out
        assert self.state() == RunState.CLEAN_SO_FAR
        for user in self.users:
            left = {method.id for method in self.cloud.methods(self.tenant_of(user).id, user.upn)}
            assert self.phones[user.id, "ana"] not in left

    def test_with_the_cause_still_there_the_guard_holds_again(self):
        Said("run", "retry", self.id, "--wait")
        assert self.blocked() == {user.upn for user in self.users}

    def test_one_account_alone(self):
        self.ben_stays()
        assert Said("run", "retry", self.id, "--account", self.upn.upper(), "--wait").error == ""
        assert self.blocked() == {user.upn for user in self.users[:2]}

    def test_without_waiting_it_is_left_to_the_workers(self):
        self.ben_stays()
        assert Said("run", "retry", self.id).error == ""
        assert self.blocked() == set()
        assert self.state() == RunState.RUNNING

    def test_a_break_glass_account_is_left_as_it_is_and_the_others_are_not(self):
        SharedAccount.objects.filter(user_principal_name=self.upn).update(break_glass=True)
        said = Said("run", "retry", self.id)
        assert f"{self.upn}: This is a break-glass account" in said.out
        assert said.error == "1 account was left as it is; see above."
        assert self.blocked() == {self.upn}

    def test_an_account_that_is_not_in_the_run_is_said(self):
        assert "nobody@x.example" in Said("run", "retry", self.id, "--account", "nobody@x.example").error
        assert len(self.blocked()) == 3

    def test_nothing_to_do_is_no_error(self):
        Step.objects.filter(status=StepState.BLOCKED).update(status=StepState.NEEDLESS)
        said = Said("run", "retry", self.id)
        assert (said.error, "nothing to try again" in said.out) == ("", True)


@WITH_THREADS
class WhenAGapIsAccepted(Stopped):
    def test_who_and_why_stay_on_the_step(self):
        shown = Said("run", "show", self.id).out
        step = self.step()
        assert f"(step {str(step.pk)[:8]})" in shown
        said = Said("run", "waive", self.id, str(step.pk)[:8], "--reason", "Fabrikam closes on Friday")
        assert said.error == ""
        assert self.upn in said.out
        step.refresh_from_db()
        assert (step.status, step.waived_reason) == (StepState.WAIVED, "Fabrikam closes on Friday")
        assert step.waived_by.email == OWNER
        assert Entry.objects.filter(verb="step.waived", actor=OWNER).count() == 1

    def test_without_a_reason_nothing_is_accepted(self):
        assert "why" in Said("run", "waive", self.id, str(self.step().pk)).error
        assert self.step().status == StepState.BLOCKED

    def test_what_is_proven_cannot_be_waived(self):
        proven = Step.objects.filter(status=StepState.VERIFIED).first()
        assert "cannot become waived" in Said("run", "waive", self.id, str(proven.pk), "--reason", "x").error

    @pytest.mark.parametrize("text", ["abc", "ffffffff"])
    def test_a_step_that_is_not_there_is_said(self, text):
        assert "step" in Said("run", "waive", self.id, text, "--reason", "x").error

    def test_json_names_each_step_by_its_id(self):
        shown = json.loads(Said("run", "show", self.id, "--json").out)
        ids = {step["id"] for account in shown["accounts_detail"] for step in account["steps"]}
        assert str(self.step().pk) in ids


@WITH_THREADS
class WhenSomebodyElseDecides(Stopped):
    def person(self, name: str, role: Role, **facts: object) -> str:
        reseller = facts.pop("reseller", None) or Reseller.objects.get(pk=self.run.reseller_id)
        made = Technician.objects.create(reseller=reseller, email=f"{name}@y.example", name=name, role=role)
        made.groups.set(facts.pop("groups", []))
        return made.email

    def test_an_auditor_may_do_neither(self):
        aud = self.person("Aud", Role.AUDITOR)
        said = Said("run", "retry", self.id, "--as", aud)
        assert "Your role" in said.out
        assert said.error == "3 accounts were left as they are; see above."
        assert "Your role" in Said("run", "waive", self.id, str(self.step().pk), "--reason", "x", "--as", aud).error
        assert len(self.blocked()) == 3

    def test_another_resellers_owner_finds_no_such_run(self):
        otto = self.person("Otto", Role.OWNER, reseller=Reseller.objects.create(name="Elsewhere"))
        assert "There is no run" in Said("run", "retry", self.id, "--as", otto).error
        assert "There is no run" in Said("run", "waive", self.id, str(self.step().pk), "--as", otto).error

    def test_a_manager_of_some_tenants_tries_only_those_again(self):
        group = TenantGroup.objects.create(reseller=self.run.reseller, name="Fabrikam only")
        group.tenants.set([self.step().target.account.tenant])
        mia = self.person("Mia", Role.MANAGER, groups=[group])
        assert Said("run", "retry", self.id, "--as", mia).error == ""
        assert self.blocked() == {user.upn for user in self.users[:2]}
