"""A rehearsal in a process of its own: it foretells the real run, and neither touches nor learns anything real."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from msp.ops.rehearsing import CHILD, play_apart
from technicians.actions.ask_for_rehearsal import ask_for_rehearsal
from technicians.actions.keep_code import keep_code
from technicians.actions.rehearse import rehearse
from technicians.models import Rehearsal, Technician
from technicians.rehearsal_plans import differences, digest_of, still_under_way
from technicians.rehearsal_queries import outcome_of
from technicians.rehearsal_records import digest_of_record, record_of
from tests.support.hard_cases import HardCases
from tests.support.world import World, second_factor_of

pytestmark = pytest.mark.fault


def rehearsed(person: Technician, by: Technician, *, play: Any = play_apart) -> Rehearsal:
    asked = rehearse(ask_for_rehearsal(person, by=by), play=play)
    assert asked is not None
    assert asked.status == Rehearsal.Status.FINISHED, asked.problem
    return asked


class WhenADepartureWithEveryHardCaseIsRehearsedAndThenDecided:
    def test_the_real_run_has_the_same_plan_and_ends_in_the_same_states(self, world: World):
        cases = HardCases(world)
        asked = rehearsed(cases.ana, by=world.owner)

        run = world.offboard(cases.ana).run
        planned = digest_of(outcome_of(run))
        at_once = replace(world.outside, patience=replace(world.outside.patience, second_look=0))
        world.work(run, outside=at_once)

        real = outcome_of(run)
        assert planned == asked.plan
        assert differences(asked.result["accounts"], real) == []
        assert still_under_way(real) == 0
        assert states_of(asked.result["accounts"]) == states_of(real)
        assert {account["account"] for account in real} == {str(a) for a in cases.accounts.values()}
        assert asked.result["run"]["state"] == str(world.state(run))


def states_of(outcome: list[dict[str, Any]]) -> dict[tuple[str, str, str | None], str]:
    return {(a["id"], s["kind"], s["method"]): s["state"] for a in outcome for s in a["steps"]}


SPY = """
import json, os, pathlib, subprocess, sys
place, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[0]).parent
wanted = json.loads((out / "wanted.json").read_text())
(out / "environment.json").write_text(json.dumps(dict(os.environ)))
code = subprocess.run([*wanted["child"], *sys.argv[1:]]).returncode
files = [path for path in place.rglob("*") if path.is_file()]
read = {str(path.relative_to(place)): path.read_bytes() for path in files}
words = wanted["words"]
found = {word: sorted(name for name, content in read.items() if word.encode() in content) for word in words}
(out / "found.json").write_text(json.dumps({"files": len(files), "found": found}))
sys.exit(code)
"""
"""Stands where the child does: notes its environment, lets it play, and then looks through every file it left."""


class WhoeverLooksIntoTheChild:
    """Ana and Ben hold Contoso's account; Latchkey knows its password and keeps the seed of Ana's codes."""

    def test_finds_no_secret_and_no_credential_of_the_installation(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        account = world.account(world.tenant("Contoso"))
        world.give(account, ana, ben)
        seed = world.phones[account.pk, ana.pk].seed
        keep_code(account, ana, seed.encode(), authenticator=ana.authenticators.get(), outside=world.outside)
        ana.set_password("the-own-password-of-Ana-1")
        ana.save()
        planted = {"LATCHKEY_CLIENT_SECRET", "LATCHKEY_ROOT_KEY", "SECRET_KEY", "LATCHKEY_SMTP_URL"}
        for name in planted:
            monkeypatch.setenv(name, f"planted-{name.lower()}-secret")
        secrets = [
            world.password_at_microsoft(account),
            *(phone.seed for phone in world.phones.values()),
            "the-own-password-of-Ana-1",
            ana.password,
            second_factor_of(world, ana).hex(),
            *(f"planted-{name.lower()}-secret" for name in planted),
            *(path.read_text() for path in (tmp_path / "keys").iterdir() if path.suffix == ".key"),
        ]
        (tmp_path / "spy.py").write_text(SPY)
        wanted = {"child": CHILD, "words": [*secrets, account.user_principal_name]}
        (tmp_path / "wanted.json").write_text(json.dumps(wanted))

        rehearsed(ana, world.owner, play=partial(play_apart, program=(sys.executable, str(tmp_path / "spy.py"))))

        environment = json.loads((tmp_path / "environment.json").read_text())
        assert not (planted | {"DATABASE_URL", "REDIS_URL", "LATCHKEY_CLIENT_CERTIFICATE"}) & set(environment)
        assert [name for name, value in environment.items() if any(secret in value for secret in secrets)] == []
        seen = json.loads((tmp_path / "found.json").read_text())
        assert seen["found"].pop(account.user_principal_name), "the looking sees what is there"
        assert {word: files for word, files in seen["found"].items() if files} == {}


class WhenADepartureIsRehearsed:
    def test_the_real_tenants_are_neither_changed_nor_read(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        world.give(account := world.account(world.tenant("Contoso")), ana, ben)
        world.cloud.log.clear()
        changes = world.cloud.effects.as_dicts()
        asked = rehearsed(ana, world.owner)
        assert world.cloud.effects.as_dicts() == changes
        assert world.cloud.log.as_dicts() == []
        assert ana.is_active
        assert world.gets_in(account, ana)
        assert asked.result["sign_in"] == {"leavers_tried": 1, "leavers_in": 0, "stayers_tried": 1, "stayers_out": 0}


def left_behind() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("latchkey-rehearsal-*"))


class WhenTheChildComesToNoResult:
    @pytest.mark.parametrize(
        ("program", "limit", "words"),
        [
            ("raise SystemExit(3)", 120, "exit code 3"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 120, "signal 9"),
            ("import time; time.sleep(600)", 1, "was stopped after"),
        ],
    )
    def test_the_rehearsal_failed_says_why_and_leaves_nothing_lying_about(
        self, world: World, program: str, limit: float, words: str
    ):
        ana = world.technician("Ana")
        before = left_behind()
        play = partial(play_apart, program=(sys.executable, "-c", program), limit=limit)
        done = rehearse(ask_for_rehearsal(ana, by=world.owner), play=play)
        assert done is not None
        assert done.status == Rehearsal.Status.FAILED
        assert words in done.problem
        assert "Nothing real was touched" in done.problem
        assert left_behind() <= before


class ARecord:
    def test_of_several_leavers_is_the_same_whenever_it_is_taken(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        world.give(world.account(world.tenant("Contoso")), ana, ben)
        taken = [record_of([ana, ben]) for _ in range(2)]
        assert digest_of_record(taken[0]) == digest_of_record(taken[1])
        assert taken[0]["leavers"] == [str(ana.pk), str(ben.pk)]


class TheCommand:
    def test_rehearses_at_once_and_prints_the_result(self, world: World):
        ana, ben = world.technician("Ana"), world.technician("Ben")
        world.give(world.account(world.tenant("Contoso")), ana, ben)
        printed = io.StringIO()
        call_command("rehearse", ana.email, "--json", stdout=printed)
        told = json.loads(printed.getvalue())
        asked = Rehearsal.objects.get()
        assert told["id"] == str(asked.pk)
        assert told["run"]["state"] == "clean"
        assert told["plan"]["digest"] == asked.plan

    def test_knows_nobody_by_an_address_that_is_not_here(self, world: World):
        with pytest.raises(CommandError, match=r"nobody with the address who@x\.example"):
            call_command("rehearse", "who@x.example")
        assert not Rehearsal.objects.exists()
