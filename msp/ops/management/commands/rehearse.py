"""Play a departure against a copy of the tenants: the same actions as the page."""

from __future__ import annotations

from argparse import ArgumentParser
from json import dumps
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from msp.errors import LatchkeyError
from msp.ops import quantities
from msp.ops.people import acting_person
from msp.ops.rehearsing import play_apart
from technicians.actions.ask_for_rehearsal import ask_for_rehearsal
from technicians.actions.rehearse import rehearse
from technicians.models import Rehearsal, Technician
from technicians.rehearsal_pages import RehearsalPage
from technicians.rehearsal_queries import under_way

PACES = {"quick": Rehearsal.Pace.QUICK, "documented": Rehearsal.Pace.DOCUMENTED}


class Command(BaseCommand):
    help = (
        "Rehearse a departure against a copy of the tenants in a simulated cloud. Nothing real is touched. "
        "Exit code 0 when it would end clean by itself, else 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="who would leave")
        parser.add_argument(
            "--pace",
            choices=sorted(PACES),
            default="quick",
            help="quick: the copy answers at once; documented: as slowly as Microsoft, with its throttling",
        )
        parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who acts (else: the only owner)")
        parser.add_argument(
            "--json", action="store_true", help="the whole result as one JSON object on standard output"
        )

    def handle(self, *, email: str, pace: str, acting: str | None, json: bool, **options: Any) -> None:
        by = acting_person(acting)
        leaver = Technician.objects.visible_to(by).filter(email__iexact=email).first()
        if leaver is None:
            raise CommandError(f"There is nobody with the address {email} here; nothing was done.")
        try:
            asked = under_way(leaver) or ask_for_rehearsal(leaver, by=by, pace=PACES[pace])
            done = rehearse(asked, play=play_apart)
        except LatchkeyError as wrong:
            raise CommandError(str(wrong)) from wrong
        if done is None:
            raise CommandError("Another rehearsal runs now; this one waits, and a worker takes it in its turn.")
        if done.status != Rehearsal.Status.FINISHED:
            raise CommandError(done.problem)
        page = RehearsalPage(done)
        if json:
            self.stdout.write(dumps({"id": str(done.pk), "verdict": page.verdict, **done.result}))
        else:
            self._show(page)
        if not page.is_clean:
            raise CommandError("It would not end clean by itself: see the accounts above.")

    def _show(self, page: RehearsalPage) -> None:
        for line in page.accounts:
            ended = ", ".join(f"{step.kind}: {step.ended}" for step in line.steps)
            self.stdout.write(f"{line.tenant}  {line.account}: {ended}")
            for reason in line.needs:
                self.stdout.write(f"    needs a person: {reason}")
            for words, names in (("still in", line.still_in), ("kept out", line.kept_out)):
                if names:
                    self.stdout.write(f"    {words} afterwards: {', '.join(names)}")
        self.stdout.write(
            f"{page.verdict} It took {page.seconds} s for {quantities.accounts(len(page.accounts))}, with "
            f"{page.requests_per_account} requests for each. Nothing real was touched."
        )
