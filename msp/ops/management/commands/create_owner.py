"""From an empty database to somebody who can sign in."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from msp.errors import BadInput
from msp.ops import quantities
from msp.ops.people import one_time_link
from technicians.actions.set_up import set_up


class Command(BaseCommand):
    help = "Add an owner (and the reseller, if there is none yet), and print a link that signs the owner in once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="", help="as colleagues call the person")
        parser.add_argument("--reseller", default="", help="the name of your company (else: the domain of EMAIL)")
        parser.add_argument("--minutes", type=int, choices=range(1, 1441), metavar="1-1440", default=60)
        parser.add_argument("--base", default="", help="the address of this installation, as a browser reaches it")

    def handle(self, *, email: str, name: str, reseller: str, minutes: int, base: str, **options: Any) -> None:
        if not connection.introspection.table_names():
            call_command("migrate", interactive=False, verbosity=0)
        try:
            owner = set_up(email=email, name=name, reseller_name=reseller or email.partition("@")[2], only_first=False)
        except BadInput as wrong:
            raise CommandError(str(wrong)) from wrong
        self.stderr.write(
            f"{owner.email} owns {owner.reseller}. This link signs in once, within {quantities.minutes(minutes)}:"
        )
        self.stdout.write(one_time_link(owner, minutes=minutes, base=base))
