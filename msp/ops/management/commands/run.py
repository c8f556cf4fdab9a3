"""Runs on the command line: `run list`, `run show ID [--json]`."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from msp.ops.find_run import find_run
from tenants.models import Run
from tenants.plans import RunState, StepKind, StepState
from tenants.run_queries import run_as_facts


class Command(BaseCommand):
    help = "Shows what runs have done, step by step."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="the newest runs and their states")
        listed.add_argument("--limit", type=int, default=20, help="how many (default 20)")
        show = verbs.add_parser("show", help="one run with every step")
        show.add_argument("run", metavar="ID", help="the run's id, or the first characters of it")
        show.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **given: Any) -> None:
        if given["verb"] == "list":
            self._list(given["limit"])
            return
        facts = run_as_facts(find_run(given["run"]))
        if given["json"]:
            self.stdout.write(json.dumps(facts, indent=2, default=str))
        else:
            self._show(facts)

    def _list(self, limit: int) -> None:
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        runs = Run.objects.with_counts().select_related("requested_by").order_by("-started_at")[:limit]
        for run in runs:
            who = run.requested_by.email if run.requested_by else "Latchkey"
            self.stdout.write(
                f"{run.pk}  {run.started_at:%Y-%m-%d %H:%M} UTC  {run.get_kind_display()}  {run.state.label}  "
                f"{run.accounts} accounts  by {who}"
            )
        if not runs:
            self.stdout.write("There are no runs yet; `offboard EMAIL --reason TEXT` starts one.")

    def _show(self, facts: dict[str, Any]) -> None:
        look = f"; second look at {facts['second_look_at']}" if facts["second_look_at"] else ""
        self.stdout.write(f"Run {facts['id']} ({facts['kind']}): {RunState(facts['state']).label}{look}")
        self.stdout.write(f"Asked by {facts['requested_by'] or 'Latchkey'} at {facts['started_at']}: {facts['reason']}")
        for account in facts["accounts_detail"]:
            self.stdout.write(f"\n{account['tenant']}  {account['account']}: {RunState(account['state']).label}")
            for step in account["steps"]:
                self.stdout.write(f"  {_words(step)}")


def _words(step: dict[str, Any]) -> str:
    told = [str(StepKind(step["kind"]).label), step["method"] or "", str(StepState(step["state"]).label)]
    if step["seconds"] is not None:
        told.append(f"{step['seconds']} s")
    return "  ".join(part for part in [*told, step["problem"]] if part)
