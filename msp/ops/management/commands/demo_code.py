"""The code that the phone of a person of the demo would show now."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django_otp.oath import TOTP

from msp.access.models import DIGITS, STEP_SECONDS, TotpDevice
from msp.ops.demo import OWNER
from msp.ops.home import DEMO, Home
from msp.outside import outside


class Command(BaseCommand):
    help = "Print the sign-in code of a person of the demo. Refuses in a real installation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", nargs="?", default=OWNER)

    def handle(self, *, email: str, **options: Any) -> None:
        if Home(settings.LATCHKEY_HOME).kind() != DEMO:
            raise CommandError("This is not a demo: the codes of real people are on their own phones only.")
        device = TotpDevice.objects.filter(user__email__iexact=email, confirmed=True).first()
        if device is None:
            raise CommandError(f"{email} has no authenticator in this demo.")
        totp = TOTP(outside().vault.open(bytes(device.sealed), device.place), step=STEP_SECONDS, digits=DIGITS)
        totp.time = time.time()
        if totp.t() <= device.last_step:
            # A code works once: wait for the next one instead of printing one that would be refused.
            time.sleep(STEP_SECONDS - time.time() % STEP_SECONDS)
            totp.time = time.time()
        self.stdout.write(f"{totp.token():0{DIGITS}d}")
