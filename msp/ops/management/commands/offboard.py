"""One technician leaves, everywhere: the same action as the page."""

from __future__ import annotations

from argparse import ArgumentParser
from json import dumps
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from msp.errors import LatchkeyError
from msp.ops import quantities
from msp.ops.people import acting_person
from msp.ops.work_here import work_until_settled
from msp.outside import outside
from technicians.actions.offboard import offboard, preview_departure
from technicians.models import Technician
from technicians.plans import DeparturePlan, expected_seconds
from tenants.plans import RunState
from tenants.run_queries import run_as_facts

GOOD = (RunState.CLEAN, RunState.CLEAN_SO_FAR)


class Command(BaseCommand):
    help = "Take a technician's keys back in every tenant: access here at once, then the run at Microsoft."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="who leaves")
        parser.add_argument("--reason", default="", help="why; it is part of the evidence")
        parser.add_argument("--preview", action="store_true", help="say what would happen, and change nothing")
        parser.add_argument("--wait", action="store_true", help="do the work here and end with the result")
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(
        self, *, email: str, reason: str, preview: bool, wait: bool, acting: str | None, json: bool, **options: Any
    ) -> None:
        by = acting_person(acting)
        leaver = Technician.objects.visible_to(by).filter(email__iexact=email).first()
        if leaver is None:
            raise CommandError(f"There is nobody with the address {email} here; nothing was done.")
        try:
            if preview:
                return self._preview(leaver, preview_departure(leaver, by=by), json)
            run = offboard(leaver, by=by, reason=reason).run
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        if wait:
            size = quantities.accounts(run.targets.count())
            self.stderr.write(f"{leaver.email} is out of Latchkey. Working through {size}.")
            work_until_settled(run, outside())
        facts = run_as_facts(run)
        if json:
            self.stdout.write(dumps(facts))
        else:
            self._show(facts)
        if wait and facts["state"] not in GOOD:
            raise CommandError("The run needs a person: see the accounts above.")
        return None

    def _preview(self, leaver: Technician, plan: DeparturePlan, json: bool) -> None:
        facts = _plan_as_facts(leaver, plan)
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
            f"{leaver}: {quantities.accounts(facts['accounts'])} in {quantities.tenants(facts['tenants'])}, "
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


def _plan_as_facts(leaver: Technician, plan: DeparturePlan) -> dict[str, Any]:
    """{"technician", "tenants", "accounts", "methods_to_go", "passwords_to_rotate", "held_back", "expected_seconds",
    "accounts_detail": [{"tenant", "account", "methods_to_go": [{"kind", "label", "since"}], "password_rotated",
    "saw_current_password", "who_stays": [{"name", "has_method"}], "holds"}]}."""
    return {
        "technician": leaver.email,
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
