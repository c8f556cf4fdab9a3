"""The main job without a browser: one technician leaves, and the sign-in page is asked what is true."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from json import dumps
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from msp.ops import outside_check, quantities
from msp.ops.demo import LEAVER, cloud_of_the_demo, fill
from msp.ops.outside_check import Verdict
from msp.outside import outside
from msp.reports.evidence import write_evidence
from technicians.actions.offboard import offboard
from tenants.models import Run
from tenants.plans import RunState
from tenants.run_queries import run_as_facts

LONGEST = 30 * 60


class Command(BaseCommand):
    help = "Offboard one technician of an invented reseller and ask the simulated sign-in who still gets in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenants", type=int, default=25)
        parser.add_argument("--technicians", type=int, default=8)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--evidence-dir", type=Path, required=True)
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(
        self, *, tenants: int, technicians: int, seed: int, evidence_dir: Path, json: bool, **options: Any
    ) -> None:
        with cloud_of_the_demo() as cloud:
            self._say("Building the cloud and entering it in Latchkey.")
            cast = fill(cloud, outside(), tenants=tenants, technicians=technicians, seed=seed)
            leaver = cast.technicians[LEAVER]
            sessions = outside_check.sign_in_as_the_leaver(cast, cloud)
            self._say(f"{leaver.name} is signed in to {quantities.accounts(len(sessions))}, and leaves now.")
            cloud.log(clear=True)
            began = time.monotonic()
            run = offboard(leaver, by=cast.owner, reason="Resigned").run
            self._wait(run, began)
            seconds = round(time.monotonic() - began, 1)
            requests = _requests(cloud.log())
            self._say("Asking the sign-in page about every account.")
            verdicts = outside_check.ask_everything(cast, cloud, sessions, outside())
        write_evidence(run, evidence_dir)
        result = _result(run, verdicts, seconds, requests, evidence_dir) | {
            "tenants": tenants,
            "technicians": technicians,
        }
        self._show(result, verdicts, as_json=json)
        good = (RunState.CLEAN, RunState.CLEAN_SO_FAR)
        if not all(v.right for v in verdicts) or result["run_state"] not in good:
            raise CommandError("Not every verdict is right; see above.", returncode=1)

    def _wait(self, run: Run, began: float) -> None:
        """The worker does the work; here somebody looks at the rows."""
        shown = -1
        while time.monotonic() - began < LONGEST:
            counted = Run.objects.with_counts().get(pk=run.pk)
            left = counted.under_way
            if left != shown:
                self._say(
                    f"{counted.steps_in_all - counted.second_looks - left} of "
                    f"{quantities.steps(counted.steps_in_all - counted.second_looks)} done"
                )
                shown = left
            if counted.state != RunState.RUNNING:
                return
            connection.close()
            time.sleep(1)
        raise CommandError("The run does not end; the worker may be down. See the lines above.", returncode=1)

    def _say(self, line: str) -> None:
        self.stderr.write(line)

    def _show(self, result: dict[str, Any], verdicts: list[Verdict], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(dumps(result))
            return
        self.stdout.write(f"{'account':44} {'old password':13} {'old code':9} {'old session':12} colleagues")
        for verdict in verdicts:
            self.stdout.write(
                f"{verdict.account.account.user_principal_name:44} {_word(verdict.leaver_password_refused):13} "
                f"{_word(verdict.leaver_code_refused):9} {_word(verdict.old_session_refused):12} "
                f"{verdict.colleagues_let_in} of {verdict.colleagues_asked} let in"
            )
        self.stdout.write(
            f"{quantities.accounts(result['accounts'])} in {quantities.tenants(result['tenants'])}: "
            f"{result['run_state']}, "
            f"{result['seconds']} s, {result['requests_per_account']} requests per account; "
            f"second look at {result['second_look_at']}. Evidence: {result['evidence_dir']}"
        )


def _word(refused: bool) -> str:
    return "refused" if refused else "LETS IN"


def _requests(log: list[dict[str, Any]]) -> int:
    """HTTP requests of Latchkey: tokens and Graph; what travels inside a batch is one request."""
    ours = ("/oauth2/v2.0/token", "/v1.0/", "/beta/")
    return sum(not entry["in_batch"] and any(part in entry["path"] for part in ours) for entry in log)


def _result(run: Run, verdicts: list[Verdict], seconds: float, requests: int, evidence_dir: Path) -> dict[str, Any]:
    facts = run_as_facts(run)
    return {
        "accounts": len(verdicts),
        "run_state": facts["state"],
        "second_look_at": facts["second_look_at"],
        "seconds": seconds,
        "requests": requests,
        "requests_per_account": round(requests / len(verdicts), 2),
        "verdicts": {
            "leaver_password_refused": outside_check.count(verdicts, lambda v: v.leaver_password_refused),
            "leaver_code_refused": outside_check.count(verdicts, lambda v: v.leaver_code_refused),
            "old_session_refused": outside_check.count(verdicts, lambda v: v.old_session_refused),
            "colleagues_asked": outside_check.count(verdicts, lambda v: v.colleagues_asked),
            "colleagues_let_in": outside_check.count(verdicts, lambda v: v.colleagues_let_in),
        },
        "accounts_detail": facts["accounts_detail"],
        "evidence_dir": str(evidence_dir),
    }
