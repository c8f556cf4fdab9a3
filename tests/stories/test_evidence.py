"""The evidence of a run: what a customer can check without trusting us."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from io import BytesIO, StringIO
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from msp.evidence import verify
from msp.ledger.models import Entry
from msp.reports.evidence import KEY_FILE, as_zip, build, build_each, file_name, tenants_of, write_evidence
from msp.vault.signing import evidence_key
from tenants.actions.mend import waive_step
from tenants.models import SecretVersion, Step
from tenants.plans import StepKind, StepState
from tenants.run_queries import run_as_facts
from tests.support.world import World

CHECKER = Path(settings.BASE_DIR) / "docs" / "tools" / "verify_evidence.py"


def checked(file: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """What the customer's own Python says about the file."""
    command = [sys.executable, "-I", str(CHECKER), str(file), "--key", str(key)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Scene:
    """Ana left. She had Contoso's account with Ben, and Fabrikam's alone, so a guard holds there."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.contoso, self.fabrikam = (world.account(world.tenant(name)) for name in ("Contoso", "Fabrikam"))
        world.give(self.contoso, self.ana, self.ben)
        world.give(self.fabrikam, self.ana)
        self.old_passwords = [world.password_at_microsoft(a) for a in (self.contoso, self.fabrikam)]
        self.run = world.offboard(self.ana, reason="resigned").run
        world.work(self.run)

    def evidence_of(self, account):
        return build(self.run, account.tenant)


class WhenARunHasBeenWorked(Scene):
    def test_the_evidence_tells_who_why_when_and_what_of_one_tenant_alone(self):
        evidence = self.evidence_of(self.contoso)
        assert evidence["type"] == "latchkey.evidence"
        assert evidence["tenant"]["default_domain"] == self.contoso.tenant.default_domain
        [leaver] = evidence["leavers"]
        assert (leaver["name"], leaver["email"]) == ("Ana", "ana@reseller.example")
        assert leaver["because"] == "offboarding"
        assert evidence["run"]["reason"] == "resigned"
        assert evidence["run"]["requested_by"] == "olga@reseller.example"
        assert [a["user_principal_name"] for a in evidence["accounts"]] == [self.contoso.user_principal_name]
        assert "fabrikam" not in json.dumps(evidence).lower()

    def test_the_leavers_method_is_there_before_and_not_after_and_bens_is_in_both(self):
        account = self.evidence_of(self.contoso)["accounts"][0]
        before, after = ({m["directory_id"] for m in account[when]["methods"]} for when in ("before", "after"))
        hers, bens = (self.world.phones[self.contoso.pk, person.pk].method_id for person in (self.ana, self.ben))
        assert before - after == {hers}
        assert bens in after

    def test_every_act_has_its_times_and_microsofts_request_ids(self):
        steps = {s["kind"]: s for s in self.evidence_of(self.contoso)["accounts"][0]["steps"]}
        for kind in (StepKind.ROTATE_PASSWORD, StepKind.REMOVE_METHOD, StepKind.REVOKE_SESSIONS):
            assert steps[kind]["sent_at"] < steps[kind]["accepted_at"] < steps[kind]["verified_at"]
            assert steps[kind]["request_ids"]

    def test_a_guard_that_held_is_an_exception_and_the_state_says_so(self):
        evidence = self.evidence_of(self.fabrikam)
        [exception] = evidence["accounts"][0]["exceptions"]
        assert (exception["kind"], exception["state"]) == ("remove_method", "blocked")
        assert "last way in" in exception["reason"]
        assert evidence["run"]["state"] == "needs_attention"
        assert self.evidence_of(self.contoso)["run"]["state"] == "clean_so_far"

    def test_an_accepted_gap_names_who_accepted_it_and_why(self):
        step = self.world.step(self.run, StepKind.REMOVE_METHOD, self.fabrikam)
        waive_step(step, by=self.world.owner, reason="closed next week")
        [exception] = self.evidence_of(self.fabrikam)["accounts"][0]["exceptions"]
        assert exception["state"] == "waived"
        assert exception["reason"] == "closed next week"
        assert exception["accepted_by"] == "olga@reseller.example"

    def test_it_names_each_ledger_entry_of_this_run_and_tenant_with_its_hash(self):
        entries = Entry.objects.filter(run_id=self.run.pk, tenant_id=self.contoso.tenant_id).order_by("id")
        assert self.evidence_of(self.contoso)["ledger"] == [
            {"entry": str(e.uuid), "leaf_hash": bytes(e.leaf_hash).hex()} for e in entries
        ]
        assert entries.count() > 5

    def test_no_password_and_no_seed_is_in_it(self):
        evidence = json.dumps([self.evidence_of(self.contoso), self.evidence_of(self.fabrikam)])
        secrets = [*self.old_passwords, *(phone.seed for phone in self.world.phones.values())]
        secrets += [self.world.password_at_microsoft(a) for a in (self.contoso, self.fabrikam)]
        secrets += [bytes(v.sealed).hex() for v in SecretVersion.objects.all()]
        assert not [secret for secret in secrets if secret in evidence]

    def test_evidence_of_a_tenant_that_the_run_did_not_touch_does_not_exist(self):
        with pytest.raises(LookupError):
            build(self.run, self.world.tenant("Tailspin"))

    def test_more_tenants_take_no_more_queries(self):
        tenants = tenants_of(self.run)
        with CaptureQueriesContext(connection) as for_one:
            assert len(list(build_each(self.run, tenants[:1]))) == 1
        with CaptureQueriesContext(connection) as for_both:
            assert len(list(build_each(self.run, tenants))) == 2
        assert len(for_both) <= len(for_one)


class WhenTheFilesAreHandedOut(Scene):
    def test_the_customers_own_program_proves_every_file_with_the_key_beside_it(self, tmp_path):
        *files, key = write_evidence(self.run, tmp_path / "evidence")
        assert len(files) == 2
        assert key.name == KEY_FILE
        for file in files:
            result = checked(file, key)
            assert result.returncode == 0, result.stdout + result.stderr
            assert "Ana" in result.stdout
        assert "blocked" in checked(files[1], key).stdout

    def test_a_file_that_was_touched_proves_nothing(self, tmp_path):
        *files, key = write_evidence(self.run, tmp_path)
        envelope = json.loads(files[0].read_text())
        envelope["payload"] = ("A" if envelope["payload"][0] != "A" else "B") + envelope["payload"][1:]
        files[0].write_text(json.dumps(envelope))
        assert checked(files[0], key).returncode == 1

    def test_after_the_second_look_a_clean_run_is_still_proven(self, tmp_path):
        """The time of the look is brought forward; the look itself is a real one."""
        Step.objects.filter(target__run=self.run, kind=StepKind.SECOND_LOOK).update(due_at=self.run.started_at)
        self.run.targets.update(due_at=self.run.started_at)
        self.world.work(self.run)
        *files, key = write_evidence(self.run, tmp_path, [self.contoso.tenant])
        result = checked(files[0], key)
        assert result.returncode == 0, result.stderr
        assert "State of the run: clean;" in result.stdout

    def test_names_are_made_of_the_domain_and_the_run(self):
        self.contoso.tenant.default_domain = "../../Etc/Passwd"
        assert file_name(self.run, self.contoso.tenant) == f"_.._etc_passwd-{str(self.run.pk)[:8]}.evidence.json"

    def test_two_directories_with_one_domain_are_two_files(self, tmp_path):
        self.fabrikam.tenant.default_domain = self.contoso.tenant.default_domain
        self.fabrikam.tenant.save()
        written = write_evidence(self.run, tmp_path)
        assert len(set(written)) == 3
        tenants = {json.loads(_payload(p))["tenant"]["name"] for p in written[:2]}
        assert tenants == {"Contoso", "Fabrikam"}

    def test_the_archive_holds_the_same_files(self):
        archive = zipfile.ZipFile(BytesIO(as_zip(self.run, tenants_of(self.run))))
        names = sorted(archive.namelist())
        assert names == sorted([file_name(self.run, t) for t in tenants_of(self.run)] + [KEY_FILE])
        public_key = evidence_key(settings.KEY_DIRECTORY).public_key()
        envelope = json.loads(archive.read(file_name(self.run, self.contoso.tenant)))
        assert verify(envelope, public_key)["tenant"]["name"] == "Contoso"


def _payload(path: Path) -> str:
    public_key = evidence_key(settings.KEY_DIRECTORY).public_key()
    return json.dumps(verify(json.loads(path.read_text()), public_key))


class WhenItIsAskedForOnTheCommandLine(Scene):
    def said(self, *words: str) -> str:
        out = StringIO()
        call_command(*words, stdout=out)
        return out.getvalue()

    def test_evidence_writes_the_files_and_says_where_and_the_ledger_knows(self, tmp_path):
        lines = self.said("evidence", str(self.run.pk)[:8], "-o", str(tmp_path / "out")).splitlines()
        assert len(lines) == 3
        assert all(Path(line).is_file() for line in lines)
        assert Entry.objects.filter(verb="evidence.exported", run_id=self.run.pk).count() == 2

    def test_a_directory_that_cannot_be_made_is_one_clear_line(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CommandError, match="cannot be written"):
            self.said("evidence", str(self.run.pk), "-o", str(tmp_path / "file" / "out"))
        assert not Entry.objects.filter(verb="evidence.exported").exists()

    @pytest.mark.parametrize("text", ["", "abc", "ffffffff-ffff"])
    def test_a_run_that_is_not_there_is_one_clear_line(self, text, tmp_path):
        with pytest.raises(CommandError, match="run"):
            self.said("evidence", text, "-o", str(tmp_path))

    def test_run_show_json_is_one_object_with_every_step(self):
        shown = json.loads(self.said("run", "show", str(self.run.pk), "--json"))
        assert {name: fact for name, fact in shown.items() if name != "clocks"} == run_as_facts(self.run)
        assert shown["state"] == "needs_attention"
        assert shown["requested_by"] == "olga@reseller.example"
        assert shown["accounts"] == len(shown["accounts_detail"]) == 2
        assert shown["steps"]["blocked"] == 1
        steps = {s["kind"]: s for s in shown["accounts_detail"][0]["steps"]}
        assert list(steps) == [
            "rotate_password", "remove_method", "revoke_sessions", "prove", "reshare", "second_look"
        ]  # fmt: skip
        assert steps["rotate_password"]["state"] == StepState.VERIFIED
        assert steps["rotate_password"]["seconds"] > 0
        assert steps["second_look"]["seconds"] is None

    def test_run_show_and_run_list_say_it_in_words(self):
        shown = self.said("run", "show", str(self.run.pk))
        assert "Needs attention" in shown
        assert "Remove the authenticator" in shown
        assert "last way in" in shown
        listed = self.said("run", "list")
        assert str(self.run.pk) in listed
        assert "2 accounts  by olga@reseller.example" in listed


class WhenTwoRunsEndTheSessionsWithinOneSecond:
    """Microsoft's times have whole seconds: the second revocation leaves the same time behind as the first."""

    def test_the_evidence_of_both_is_proven(self, world: World, tmp_path):
        ana, ben, cid = (world.technician(name) for name in ("Ana", "Ben", "Cid"))
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana, ben, cid)
        with time_machine.travel(timezone.now().replace(microsecond=500_000), tick=False):
            runs = [world.offboard(person).run for person in (ana, ben)]
            for run in runs:
                world.work(run)
        for run in runs:
            assert world.step(run, StepKind.REVOKE_SESSIONS).status == StepState.VERIFIED
            file, key = write_evidence(run, tmp_path / str(run.pk))
            result = checked(file, key)
            assert result.returncode == 0, result.stdout + result.stderr
