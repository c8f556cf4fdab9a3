"""`python3 manage.py doctor [--json]`: is everything well, and if not, what to do."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from msp.ops.health import examine

SIGNS = {True: "well", False: "NOT WELL", None: "unknown"}


class Command(BaseCommand):
    help = "Say whether keys, database, broker, worker, beat, clock and each cloud are well. Exit code 1 if not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in examine():
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(f"{finding.subject:<14} {SIGNS[finding.well]:<9} {finding.words}")
        well = all(finding.well is not False for finding in findings)
        if options["json"]:
            told = [dataclasses.asdict(finding) for finding in findings]
            self.stdout.write(json.dumps({"well": well, "findings": told}))
        if not well:
            sys.exit(1)
