"""Somebody was disabled where people are kept: the departures that wait for it start."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from technicians.actions.start_departure import person_disabled
from technicians.models import DepartureRequest, Technician


class Command(BaseCommand):
    help = "Say that a person is disabled in the directory: a departure that waits for it starts. Twice is once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="whose sign-in was disabled")
        parser.add_argument("--source", default="command line", help="who noticed; it is kept in the ledger")

    def handle(self, *, email: str, source: str, **options: Any) -> None:
        person = Technician.objects.filter(email__iexact=email.strip()).first()
        if person is None:
            raise CommandError(f"There is nobody with the address {email} here; nothing was done.")
        runs = person_disabled(person.email, reseller_id=person.reseller_id, source=source)
        for run in runs:
            self.stdout.write(f"Run {run.pk} has started: {person.email} is out of Latchkey.")
        if runs:
            return
        stays = DepartureRequest.objects.open().filter(leavers=person, disabled_at__isnull=False).first()
        if stays is None:
            self.stdout.write(f"No departure waits for {person.email} to be disabled; nothing was changed.")
        elif stays.status == DepartureRequest.Status.WAITING:
            self.stdout.write(f"Request {stays.pk} still awaits approval; it starts with the last one.")
        else:
            raise CommandError(f"Request {stays.pk} could not start and is tried again: {stays.problem}")
