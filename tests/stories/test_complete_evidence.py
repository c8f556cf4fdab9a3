"""Who asked, who agreed, when it was held, what was tried and what is left: all of it is in the evidence, signed."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from msp.evidence import sign, verify
from msp.microsoft.graph import Graph
from msp.reports.evidence import build, public_key_file, write_evidence
from msp.reports.run_summary import build_summary, signed_summary
from msp.vault.signing import evidence_key
from technicians.actions.report_lost_phone import report_lost_phone
from technicians.actions.reveal_password import reveal_password
from technicians.actions.suspend import suspend
from technicians.models import Approval, DepartureRequest, DepartureRequestLeaver, Role
from tenants.actions.control_run import cancel_run, pause_run, resume_run
from tenants.actions.mend import waive_step
from tenants.models import DeparturePolicy, SecretVersion, Step, Target
from tenants.plans import StepKind, StepState
from tests.stories.test_evidence import checked
from tests.support.world import World


class Scene:
    """Ana left. She had Contoso's account with Ben, and Fabrikam's alone, so a guard holds there."""

    tries: dict[str, bool] = {}

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben, self.mo = (
            world.technician("Ana"), world.technician("Ben"), world.technician("Mo", Role.MANAGER)
        )  # fmt: skip
        self.contoso, self.fabrikam = (world.account(world.tenant(name)) for name in ("Contoso", "Fabrikam"))
        world.give(self.contoso, self.ana, self.ben)
        world.give(self.fabrikam, self.ana)
        self.contact = world.technician("Carl", Role.CUSTOMER_CONTACT, customer=self.contoso.tenant.customer)
        DeparturePolicy.objects.create(reseller=world.reseller, **self.tries)
        graph = Graph(replace(world.connection, sign_in_probe=True))
        self.outside = replace(world.outside, directory_for=graph.directory)
        self.run = world.offboard(self.ana, reason="resigned").run

    def work(self) -> None:
        self.world.work(self.run, outside=self.outside)

    def of(self, account: Any) -> dict[str, Any]:
        return build(self.run, account.tenant)

    def account(self, account: Any) -> dict[str, Any]:
        [found] = self.of(account)["accounts"]
        return dict(found)

    def request(self, **facts: Any) -> DepartureRequest:
        """The request behind this run, with these facts; the one that `offboard` left, where it leaves one."""
        found = DepartureRequest.objects.filter(run=self.run).first()
        if found is None:
            found = DepartureRequest.objects.create(
                reseller=self.world.reseller, reason="resigned", run=self.run, requested_by=self.world.owner,
                status=DepartureRequest.Status.STARTED,
            )  # fmt: skip
            DepartureRequestLeaver.objects.create(reseller=found.reseller, request=found, technician=self.ana)
        DepartureRequest.objects.filter(pk=found.pk).update(**facts)
        found.refresh_from_db()
        return found


class WhenOthersHadToAgree(Scene):
    def test_who_asked_who_agreed_and_when_is_told_and_their_notes_stay_inside(self):
        request = self.request(approvals_needed=1)
        Approval.objects.create(
            reseller=request.reseller, request=request, by=self.mo, agrees=True, note="talked to her boss"
        )
        evidence = self.of(self.contoso)
        assert evidence["run"]["approved_by"] == ["mo@reseller.example"]
        [approval] = evidence["request"]["approvals"]
        assert approval["by"] == "mo@reseller.example"
        assert approval["agrees"]
        assert "talked to her boss" not in json.dumps(evidence)
        assert "talked to her boss" in json.dumps(build_summary(self.run, self.world.owner))

    def test_an_override_names_who_and_why_and_the_words_of_its_review_stay_inside(self):
        now = timezone.now()
        self.request(
            override_by=self.mo, override_reason="cannot wait", override_at=now,
            reviewed_by=self.world.owner, reviewed_at=now, review="between us: too hasty",
        )  # fmt: skip
        told = self.of(self.contoso)["request"]["override"]
        assert (told["by"], told["reason"]) == ("mo@reseller.example", "cannot wait")
        assert told["reviewed_by"] == "olga@reseller.example"
        for outsiders in (self.of(self.contoso), build_summary(self.run, self.contact)):
            assert "too hasty" not in json.dumps(outsiders)
        assert build_summary(self.run, self.world.owner)["request"]["override"]["review"] == "between us: too hasty"

    def test_the_schedule_and_the_early_end_of_access_are_told(self):
        at = timezone.now() - dt.timedelta(hours=3)
        self.request(starts="at", starts_at=at, time_zone="Europe/Berlin", access_ended_at=at)
        evidence = self.of(self.contoso)
        assert evidence["request"]["starts"] == "at"
        assert evidence["request"]["starts_at"]
        assert evidence["request"]["time_zone"] == "Europe/Berlin"
        assert evidence["leavers"][0]["access_ended_at"] == evidence["request"]["starts_at"]

    def test_of_what_changed_since_the_preview_a_customer_reads_only_what_is_theirs(self):
        self.request(
            differences=[
                {"kind": "renamed", "account_id": str(a.pk), "account": str(a), "tenant": "", "words": word, "stops": 0}
                for a, word in ((self.contoso, "here it was renamed"), (self.fabrikam, "there it was renamed"))
            ]
        )
        told = json.dumps(self.of(self.contoso))
        assert "here it was renamed" in told
        assert "there it was renamed" not in told
        assert "there it was renamed" in json.dumps(build_summary(self.run, self.world.owner))


class WhenTheRunWasHeld(Scene):
    def test_each_time_is_told_with_who_and_why(self):
        pause_run(self.run, by=self.world.owner, reason="the customer called")
        resume_run(self.run, by=self.world.owner)
        [held] = self.of(self.contoso)["run"]["holds"]
        assert held["because"] == "the customer called"
        assert held["from"] < held["until"]

    def test_a_cancelled_one_says_so_and_what_was_given_up_is_an_exception(self, tmp_path):
        cancel_run(self.run, by=self.world.owner, reason="she stays after all")
        self.run.refresh_from_db()
        evidence = self.of(self.contoso)
        assert evidence["run"]["cancelled"]["because"] == "she stays after all"
        assert evidence["run"]["state"] == "cancelled"
        assert {e["state"] for e in evidence["accounts"][0]["exceptions"]} == {"cancelled"}
        file, _other, key = write_evidence(self.run, tmp_path)
        result = checked(file, key)
        assert result.returncode == 0, result.stderr
        assert "CANCELLED" in result.stdout


class WhenAGapIsLeft(Scene):
    def test_an_accepted_one_says_until_when(self):
        self.work()
        until = timezone.now().date() + dt.timedelta(days=5)
        step = self.world.step(self.run, StepKind.REMOVE_METHOD, self.fabrikam)
        waive_step(step, by=self.world.owner, reason="closed next week", until=until)
        [exception] = self.account(self.fabrikam)["exceptions"]
        assert exception["accepted_until"] == until.isoformat()

    def test_what_a_person_stated_is_named_as_that_and_never_as_verified(self, tmp_path):
        self.work()
        step = self.world.step(self.run, StepKind.ROTATE_PASSWORD, self.fabrikam)
        Step.objects.filter(pk=step.pk).update(
            status=StepState.STATED, verified_at=None, stated_by=self.mo, stated_at=timezone.now(),
            stated_note="changed it at the firewall",
        )  # fmt: skip
        account = self.account(self.fabrikam)
        stated = next(e for e in account["exceptions"] if e["state"] == "stated")
        assert (stated["stated_by"], stated["reason"]) == ("mo@reseller.example", "changed it at the firewall")
        told = next(s for s in account["steps"] if s["kind"] == "rotate_password")
        assert told["state"] == "stated"
        assert told["verified_at"] is None
        assert build_summary(self.run, self.world.owner)["totals"]["passwords_changed"] == 1


class WhenThereIsADeadline(Scene):
    def test_it_is_met_when_every_act_was_read_back_in_time(self):
        self.work()
        deadline = self.account(self.contoso)["deadline"]
        assert deadline["met"] is True
        assert deadline["access_gone_at"] < deadline["at"]

    def test_it_is_open_while_time_is_left_and_missed_after_it(self):
        self.work()
        assert self.account(self.fabrikam)["deadline"]["met"] is None
        Target.objects.update(deadline_at=timezone.now() - dt.timedelta(minutes=1))
        assert self.account(self.fabrikam)["deadline"]["met"] is False
        totals = build_summary(self.run, self.world.owner)["totals"]["deadlines"]
        assert totals == {"met": 0, "missed": 2, "open": 0}


class WhenSomebodyStays(Scene):
    def test_how_many_have_the_new_password_is_told_and_nobodys_name(self):
        self.work()
        assert self.account(self.contoso)["reshared"] == {"stay": 1, "have_it": 0}
        reveal_password(self.ben, self.contoso, reason="work", outside=self.world.outside)
        assert self.account(self.contoso)["reshared"] == {"stay": 1, "have_it": 1}
        assert "Ben" not in json.dumps(self.account(self.contoso)["reshared"])


class WhenTheNegativeProofWasAskedFor(Scene):
    tries = {"try_password": True, "try_session": True}

    def test_what_was_tried_and_what_the_answer_was_is_in_the_step_and_no_secret(self, tmp_path):
        old = self.world.password_at_microsoft(self.contoso)
        self.work()
        steps = {s["kind"]: s for s in self.account(self.contoso)["steps"]}
        assert steps["try_password"]["state"] == "verified"
        assert steps["try_password"]["tried"]["code"] == "AADSTS50126"
        assert steps["try_session"]["state"] == "needless"
        assert "none can be tried" in steps["try_session"]["problem"]
        told = json.dumps(self.of(self.contoso))
        secrets = [old, self.world.password_at_microsoft(self.contoso)]
        secrets += [bytes(v.sealed).hex() for v in SecretVersion.objects.all()]
        assert not [secret for secret in secrets if secret in told]
        *files, key = write_evidence(self.run, tmp_path)
        result = checked(files[0], key)
        assert result.returncode == 0, result.stderr
        assert "The sign-in refused version 1" in result.stdout

    def test_the_customers_program_does_not_believe_a_refusal_that_the_answer_does_not_show(self, tmp_path):
        self.work()
        evidence = self.of(self.contoso)
        step = next(s for s in evidence["accounts"][0]["steps"] if s["kind"] == "try_password")
        step["tried"]["code"] = "AADSTS50076"
        envelope = sign(evidence, evidence_key(settings.KEY_DIRECTORY))
        (tmp_path / "one.json").write_text(json.dumps(envelope))
        (tmp_path / "key.pub").write_bytes(public_key_file())
        result = checked(tmp_path / "one.json", tmp_path / "key.pub")
        assert result.returncode == 1
        assert "AADSTS50076" in result.stderr


class WhenItIsAnotherKindOfRun(Scene):
    """Whom it is about is named from the decision, not only by its reason."""

    def test_a_lost_phone_names_its_owner(self):
        self.run = report_lost_phone(self.ben, by=self.world.owner, reason="on the train").run
        [person] = self.of(self.contoso)["leavers"]
        assert (person["name"], person["because"]) == ("Ben", "lost_device")
        assert person["access_ended_at"] is None

    def test_a_suspension_names_who_is_away_and_since_when(self):
        run = suspend(self.ben, by=self.world.owner, reason="parental leave").run
        assert run is not None
        self.run = run
        [person] = self.of(self.contoso)["leavers"]
        assert (person["name"], person["because"]) == ("Ben", "suspension")
        assert person["access_ended_at"]


class WhenTheWholeRunIsSummed(Scene):
    def test_it_counts_what_was_read_back_and_lists_every_exception_by_account(self):
        self.work()
        summary = build_summary(self.run, self.world.owner)
        assert summary["whole"]
        assert summary["run"]["state"] == "needs_attention"
        totals = summary["totals"]
        assert (totals["tenants"], totals["accounts"], totals["methods_removed"]) == (2, 2, 1)
        [exception] = [e for t in summary["tenants"] for e in t["exceptions"]]
        assert exception["account"] == self.fabrikam.user_principal_name
        assert exception["state"] == "blocked"

    def test_it_is_signed_with_the_key_of_the_evidence_and_the_customers_program_reads_it(self, tmp_path):
        self.work()
        name, content = signed_summary(self.run, self.world.owner)
        (tmp_path / name).write_bytes(content)
        (tmp_path / "key.pub").write_bytes(public_key_file())
        result = checked(tmp_path / name, tmp_path / "key.pub")
        assert result.returncode == 0, result.stderr
        assert "All of the run: 2 accounts in 2 directories" in result.stdout
        public_key = evidence_key(settings.KEY_DIRECTORY).public_key()
        assert verify(json.loads(content), public_key)["run"]["id"] == str(self.run.pk)

    def test_a_run_called_clean_with_something_open_is_not_believed(self, tmp_path):
        self.work()
        summary = build_summary(self.run, self.world.owner)
        summary["run"]["state"] = "clean"
        (tmp_path / "one.json").write_text(json.dumps(sign(summary, evidence_key(settings.KEY_DIRECTORY))))
        (tmp_path / "key.pub").write_bytes(public_key_file())
        assert checked(tmp_path / "one.json", tmp_path / "key.pub").returncode == 1

    def test_a_customer_contact_gets_the_part_that_is_theirs_and_it_says_so(self):
        self.work()
        summary = build_summary(self.run, self.contact)
        assert not summary["whole"]
        assert [tenant["name"] for tenant in summary["tenants"]] == ["Contoso"]
        assert "fabrikam" not in json.dumps(summary).lower()
        assert summary["run"]["state"] == "clean_so_far"
