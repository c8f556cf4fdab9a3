"""Runs on the command line: list, show, retry, waive a step, pause, resume, cancel."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import ngettext

from msp.errors import LatchkeyError
from msp.ops import quantities
from msp.ops.find_run import find_run, find_step
from msp.ops.people import acting_person
from msp.ops.work_here import work_until_settled
from msp.outside import outside
from tenants.actions.control_run import cancel_run, pause_run, resume_run
from tenants.actions.mend import retry_target, waive_step
from tenants.clock_queries import clocks_as_facts, clocks_of_all
from tenants.models import Run, Target
from tenants.models.run import FOR_A_PERSON
from tenants.plans import RunState, StepKind, StepState
from tenants.run_queries import run_as_facts

ID_SHOWN = 8
"""So many characters of a step's id are shown: enough to name it among the steps of one run."""


class Command(BaseCommand):
    help = "Shows what runs have done, step by step, and takes a person's decision about a step that needs one."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="the newest runs and their states")
        listed.add_argument("--limit", type=int, default=20, help="how many (default 20)")
        show = verbs.add_parser("show", help="one run with every step")
        show.add_argument("--json", action="store_true", help="one JSON object on standard output")
        retry = verbs.add_parser("retry", help="plan its refused and blocked steps again, and read back the unproven")
        retry.add_argument("--account", metavar="UPN", help="on this account only")
        retry.add_argument("--wait", action="store_true", help="do the work here and end with the result")
        waive = verbs.add_parser("waive", help="accept that one step's effect is missing")
        pause = verbs.add_parser("pause", help="send nothing new until it is resumed; what was sent is read back")
        resume = verbs.add_parser("resume", help="go on with a paused run")
        cancel = verbs.add_parser("cancel", help="for good: what was not sent is never sent by this run")
        for verb in (show, retry, waive, pause, resume, cancel):
            verb.add_argument("run", metavar="ID", help="the run's id, or the first characters of it")
        waive.add_argument("step", metavar="STEP", help="the step's id as `run show` shows it")
        waive.add_argument("--until", type=_day, metavar="YYYY-MM-DD", help="the last day (default: 30 days ahead)")
        for verb in (waive, pause, cancel):
            verb.add_argument("--reason", default="", help="why; it is part of the evidence")
        for verb in (retry, waive, pause, resume, cancel):
            verb.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            if given["verb"] == "list":
                self._list(given["limit"])
            elif given["verb"] == "show":
                self._show(_facts(find_run(given["run"])), as_json=given["json"])
            elif given["verb"] == "retry":
                self._retry(given["run"], given["account"], given["acting"], wait=given["wait"])
            elif given["verb"] == "waive":
                self._waive(given["run"], given["step"], given["reason"], given["acting"], until=given["until"])
            else:
                self._control(given["verb"], given["run"], given.get("reason", ""), given["acting"])
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong

    def _list(self, limit: int) -> None:
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        runs = Run.objects.with_counts().select_related("requested_by").order_by("-started_at")[:limit]
        for run in runs:
            who = run.requested_by.email if run.requested_by else "Latchkey"
            self.stdout.write(
                f"{run.pk}  {run.started_at:%Y-%m-%d %H:%M} UTC  {run.get_kind_display()}  {run.state.label}  "
                f"{quantities.accounts(run.accounts)}  by {who}"
            )
        if not runs:
            self.stdout.write("There are no runs yet; `offboard EMAIL --reason TEXT` starts one.")

    def _show(self, facts: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(facts, indent=2, default=str))
            return
        look = f"; second look at {facts['second_look_at']}" if facts["second_look_at"] else ""
        self.stdout.write(f"Run {facts['id']} ({facts['kind']}): {RunState(facts['state']).label}{look}")
        self.stdout.write(f"Asked by {facts['requested_by'] or 'Latchkey'} at {facts['started_at']}: {facts['reason']}")
        self.stdout.write(_clocks(facts["clocks"]))
        for account in facts["accounts_detail"]:
            self.stdout.write(f"\n{account['tenant']}  {account['account']}: {RunState(account['state']).label}")
            for step in account["steps"]:
                self.stdout.write(f"  {_words(step)}")

    def _retry(self, run_id: str, upn: str | None, acting: str | None, *, wait: bool) -> None:
        by = acting_person(acting)
        run = find_run(run_id, seen_by=by)
        targets = Target.objects.visible_to(by).filter(run=run).select_related("account__tenant")
        if upn:
            targets = targets.filter(account__user_principal_name__iexact=upn)
            if not targets:
                raise CommandError(f"This run has no account {upn}; nothing was changed.")
        troubled = list(targets.filter(steps__status__in=FOR_A_PERSON).distinct().order_by("position"))
        if not troubled:
            self.stdout.write("There is nothing to try again; nothing was changed.")
        left = [target for target in troubled if not self._tried_again(target, by)]
        if wait:
            work_until_settled(run, outside())
            self._show(_facts(run), as_json=False)
        if left:
            raise CommandError(
                ngettext(
                    "%(count)d account was left as it is; see above.",
                    "%(count)d accounts were left as they are; see above.",
                    len(left),
                )
                % {"count": len(left)}
            )

    def _tried_again(self, target: Target, by: Any) -> bool:
        try:
            count = retry_target(target, by=by)
        except LatchkeyError as wrong:
            self.stdout.write(f"{target.account}: {wrong}")
            return False
        planned = ngettext("%(count)d step is planned again", "%(count)d steps are planned again", count)
        said = planned % {"count": count} if count else "read back again"
        self.stdout.write(f"{target.account}: {said}")
        return True

    def _waive(self, run_id: str, step_id: str, reason: str, acting: str | None, *, until: dt.date | None) -> None:
        by = acting_person(acting)
        step = find_step(find_run(run_id, seen_by=by), step_id, seen_by=by)
        waive_step(step, by=by, reason=reason, until=until)
        self.stdout.write(
            f"Accepted until {step.waived_until}: {step.get_kind_display()} on {step.target.account} is missing. "
            "Your reason is part of the evidence."
        )

    def _control(self, verb: str, run_id: str, reason: str, acting: str | None) -> None:
        by = acting_person(acting)
        run = find_run(run_id, seen_by=by)
        if verb == "pause":
            pause_run(run, by=by, reason=reason)
            self.stdout.write("Paused. Nothing new is sent until `run resume`; what was sent is read back.")
        elif verb == "resume":
            resume_run(run, by=by)
            self.stdout.write("Resumed. It goes on where it stopped.")
        else:
            outcome = cancel_run(run, by=by, reason=reason)
            self.stdout.write(
                f"Cancelled. Changes done, which stay done: {outcome.done}. On their way, which are read back: "
                f"{outcome.on_their_way}. Never sent: {outcome.never_sent}."
            )


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _facts(run: Run) -> dict[str, Any]:
    """What `run_as_facts` says, and "clocks" (`tenants.clock_queries.clocks_as_facts`)."""
    return run_as_facts(run) | {"clocks": clocks_as_facts(clocks_of_all(run, timezone.now()))}


def _clocks(clocks: dict[str, Any]) -> str:
    """The clocks in a line; what is not known yet is left out."""
    told = [f"tenants clean: {clocks['tenants_clean']} of {clocks['tenants']}"]
    told += [
        f"{words} after {clocks[name]:g} s"
        for name, words in (
            ("access_ended", "access to Latchkey ended"),
            ("first_tenant_clean", "first tenant clean"),
            ("last_tenant_clean", "last tenant clean"),
        )
        if clocks[name] is not None
    ]
    if clocks["next_deadline_at"]:
        told.append(f"next deadline {clocks['next_deadline_at']}")
    if clocks["late_accounts"]:
        told.append(f"past their deadline: {clocks['late_accounts']}")
    return "; ".join(told)


def _words(step: dict[str, Any]) -> str:
    told = [str(StepKind(step["kind"]).label), step["method"] or "", str(StepState(step["state"]).label)]
    if step["seconds"] is not None:
        told.append(f"{step['seconds']} s")
    told.append(step["problem"])
    if step["state"] in FOR_A_PERSON:
        told.append(f"(step {step['id'][:ID_SHOWN]})")
    return "  ".join(part for part in told if part)
