"""A way in for somebody: the first time, after a lost phone, or when a password is forgotten."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from msp.ops import quantities
from msp.ops.people import acting_person, one_time_link


class Command(BaseCommand):
    help = "Print a link that signs a person in once (the only owner when nobody is named)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", nargs="?", help="whom it lets in")
        parser.add_argument("--minutes", type=int, choices=range(1, 1441), metavar="1-1440", default=15)
        parser.add_argument("--base", default="", help="the address of this installation, as a browser reaches it")

    def handle(self, *, email: str | None, minutes: int, base: str, **options: Any) -> None:
        person = acting_person(email)
        self.stderr.write(f"This link signs {person.email} in, once, within {quantities.minutes(minutes)}:")
        self.stdout.write(one_time_link(person, minutes=minutes, base=base))
