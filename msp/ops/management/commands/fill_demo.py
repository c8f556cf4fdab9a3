"""Fill an empty demo, and print the way in."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from msp.ops import quantities
from msp.ops.demo import OWNER, cloud_of_the_demo, fill
from msp.outside import outside


class Command(BaseCommand):
    help = "Invent the demo's reseller, customers and technicians in the simulated cloud and in Latchkey."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenants", type=int, default=25)
        parser.add_argument("--technicians", type=int, default=8)
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *, tenants: int, technicians: int, seed: int, **options: Any) -> None:
        with cloud_of_the_demo() as cloud:
            cast = fill(cloud, outside(), tenants=tenants, technicians=technicians, seed=seed)
        self.stderr.write(
            f"{quantities.customers(tenants)} with {quantities.shared_accounts(len(cast.accounts))} and "
            f"{quantities.technicians(technicians)} are there; {cast.technicians[0].name} holds every account. "
            "A code, when one is asked for: python3 manage.py demo_code"
        )
        call_command("sign_in_link", OWNER, minutes=60, stdout=self.stdout)
