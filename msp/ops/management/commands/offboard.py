"""One technician leaves, or several: the same action as the page."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from json import dumps
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from msp.errors import BadInput, LatchkeyError
from msp.ledger.canonical import rfc3339
from msp.ops import quantities
from msp.ops.people import acting_person, person_named
from msp.ops.work_here import work_until_settled
from msp.outside import outside
from technicians.actions.departure_rules import demand_may_offboard
from technicians.actions.request_departure import request_departure
from technicians.departure_queries import plan_for
from technicians.departure_times import NOW, WHEN_DISABLED, Start, in_words, start_at
from technicians.models import DepartureRequest, Technician
from technicians.plans import DeparturePlan, expected_seconds
from tenants.plans import RunState
from tenants.run_queries import run_as_facts

GOOD = (RunState.CLEAN, RunState.CLEAN_SO_FAR)


class Command(BaseCommand):
    help = "Take the keys of whoever leaves back in every tenant: access here at once, then the run at Microsoft."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("emails", nargs="+", metavar="EMAIL", help="who leaves; several become one run")
        parser.add_argument("--reason", default="", help="why; it is part of the evidence")
        parser.add_argument("--successor", metavar="EMAIL", help="who answers from then on for what they answered for")
        when = parser.add_mutually_exclusive_group()
        when.add_argument("--at", help="2026-12-18 (when that day is over) or '2026-12-18 16:00'; else now")
        when.add_argument("--when-disabled", action="store_true", help="when `person_disabled` says so")
        parser.add_argument("--zone", default="", help="the time zone of --at (else that of the person)")
        parser.add_argument("--end-access-now", action="store_true", help="end the sign-in here before it starts")
        parser.add_argument("--preview", action="store_true", help="say what would happen, and change nothing")
        parser.add_argument("--wait", action="store_true", help="do the work here and end with the result")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(
        self,
        *,
        emails: list[str],
        reason: str,
        preview: bool,
        wait: bool,
        acting: str | None,
        json: bool,
        **options: Any,
    ) -> None:
        by = acting_person(acting)
        leavers = [_leaver(email, by) for email in dict.fromkeys(email.lower() for email in emails)]
        try:
            if preview:
                for leaver in leavers:
                    demand_may_offboard(leaver, by)
                return self._preview(leavers, plan_for(leavers), json)
            request = request_departure(
                leavers,
                by=by,
                reason=reason,
                successor=person_named(options["successor"]) if options["successor"] else None,
                start=self._start(leavers, options),
                end_access_now=options["end_access_now"],
            )
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        if request.run is None:
            return self._show_request(request, json)
        run = request.run
        if wait:
            size = quantities.accounts(run.targets.count())
            who = ", ".join(leaver.email for leaver in leavers)
            self.stderr.write(f"{who} {'is' if len(leavers) == 1 else 'are'} out of Latchkey. Working through {size}.")
            work_until_settled(run, outside())
        facts = run_as_facts(run)
        if json:
            self.stdout.write(dumps(facts))
        else:
            self._show(facts)
        if wait and facts["state"] not in GOOD:
            raise CommandError("The run needs a person: see the accounts above.")
        return None

    def _start(self, leavers: list[Technician], options: dict[str, Any]) -> Start:
        if options["when_disabled"]:
            return WHEN_DISABLED
        if options["at"] is None:
            return NOW
        start = start_at(*_day_and_time(options["at"]), options["zone"] or leavers[0].time_zone)
        if start.remark:
            self.stderr.write(start.remark)
        return start

    def _show_request(self, request: DepartureRequest, json: bool) -> None:
        """{"request", "status", "approvals_needed", "starts", "starts_at"}; the time is RFC 3339 in UTC or None."""
        at = request.starts_at
        if json:
            self.stdout.write(
                dumps({
                    "request": str(request.pk),
                    "status": str(request.status),
                    "approvals_needed": request.approvals_needed,
                    "starts": str(request.starts),
                    "starts_at": rfc3339(at) if at else None,
                })
            )  # fmt: skip
            return
        when = in_words(at, request.time_zone) if at else request.get_starts_display()
        if request.status == DepartureRequest.Status.WAITING:
            people = quantities.people_agree(request.approvals_needed)
            self.stdout.write(f"Request {request.pk}: {people} before it starts. Starts: {when}.")
        else:
            self.stdout.write(f"Request {request.pk}: scheduled. Starts: {when}.")
        self.stdout.write("Nothing was changed at Microsoft yet.")

    def _preview(self, leavers: list[Technician], plan: DeparturePlan, json: bool) -> None:
        facts = _plan_as_facts(leavers, plan)
        if json:
            self.stdout.write(dumps(facts))
            return
        for account in facts["accounts_detail"]:
            self.stdout.write(
                f"{account['tenant']}  {account['account']}: "
                f"{'password changed' if account['password_rotated'] else 'password stays'}, "
                f"{quantities.authenticators_go(len(account['methods_to_go']))}, "
                f"{quantities.people_stay(len(account['who_stays']))}"
            )
            for hold in account["holds"]:
                self.stdout.write(f"    held back: {hold}")
        self.stdout.write(
            f"{', '.join(map(str, leavers))}: {quantities.accounts(facts['accounts'])} in "
            f"{quantities.tenants(facts['tenants'])}, "
            f"{quantities.authenticators_go(facts['methods_to_go'])}, "
            f"{quantities.passwords_change(facts['passwords_to_rotate'])}, "
            f"{quantities.accounts(facts['held_back'])} held back, about {facts['expected_seconds']} s. "
            "Nothing was changed."
        )

    def _show(self, facts: dict[str, Any]) -> None:
        for account in facts["accounts_detail"]:
            self.stdout.write(f"{account['tenant']}  {account['account']}: {account['state']}")
            for step in account["steps"]:
                if step["problem"]:
                    self.stdout.write(f"    {step['kind']}: {step['state']}. {step['problem']}")
        counts = ", ".join(f"{count} {state}" for state, count in facts["steps"].items())
        self.stdout.write(
            f"Run {facts['id']}: {facts['state']}; {quantities.accounts(facts['accounts'])}; steps: {counts or 'none'}."
        )
        if facts["second_look_at"]:
            self.stdout.write(f"Second look at {facts['second_look_at']}.")


def _leaver(email: str, by: Technician) -> Technician:
    found: Technician | None = Technician.objects.visible_to(by).filter(email__iexact=email).first()
    if found is None:
        raise CommandError(f"There is nobody with the address {email} here; nothing was done.")
    return found


def _day_and_time(text: str) -> tuple[dt.date, dt.time | None]:
    """ "2026-12-18" or "2026-12-18 16:00"; also with a T between them. Raises BadInput."""
    day, _space, time = text.strip().replace("T", " ", 1).partition(" ")
    try:
        return dt.date.fromisoformat(day), dt.time.fromisoformat(time.strip()) if time.strip() else None
    except ValueError:
        raise BadInput(f"{text} is no time; write 2026-12-18 or '2026-12-18 16:00'. Nothing was done.") from None


def _plan_as_facts(leavers: list[Technician], plan: DeparturePlan) -> dict[str, Any]:
    """{"technician" (the first), "technicians", "tenants", "accounts", "methods_to_go", "passwords_to_rotate",
    "held_back", "expected_seconds", "accounts_detail": [{"tenant", "account",
    "methods_to_go": [{"kind", "label", "since"}], "password_rotated", "saw_current_password",
    "who_stays": [{"name", "has_method"}], "holds"}]}."""
    return {
        "technician": leavers[0].email,
        "technicians": [leaver.email for leaver in leavers],
        "tenants": plan.tenants,
        "accounts": len(plan.accounts),
        "methods_to_go": plan.methods_to_go,
        "passwords_to_rotate": plan.passwords_to_rotate,
        "held_back": plan.held_back,
        "expected_seconds": expected_seconds(plan),
        "accounts_detail": [
            {
                "tenant": account.holding.tenant,
                "account": account.holding.account,
                "methods_to_go": [
                    {"kind": str(m.kind), "label": m.label, "since": m.since.isoformat()} for m in account.removals
                ],
                "password_rotated": account.rotates,
                "saw_current_password": account.holding.saw_current_password,
                "who_stays": [{"name": r.name, "has_method": r.has_method} for r in account.holding.remaining],
                "holds": [str(hold) for hold in account.holds],
            }
            for account in plan.accounts
        ],
    }
