"""The way into an empty installation."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from msp.ops import quantities
from msp.ops.people import one_time_link
from technicians.actions.set_up import has_owner


class Command(BaseCommand):
    help = "Print a link to the set-up page, while the installation has no owner."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=int, choices=range(1, 1441), metavar="1-1440", default=60)
        parser.add_argument("--base", default="", help="the address of this installation, as a browser reaches it")

    def handle(self, *, minutes: int, base: str, **options: Any) -> None:
        if has_owner():
            self.stderr.write("This installation has an owner; python3 manage.py sign_in_link EMAIL is the way in.")
            return
        self.stderr.write(f"This link leads to the set-up page, once, within {quantities.minutes(minutes)}:")
        self.stdout.write(one_time_link(None, minutes=minutes, base=base))
