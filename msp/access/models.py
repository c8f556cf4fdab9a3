"""Second factors and one-time links of the people who sign in to Latchkey."""

from __future__ import annotations

import time
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from msp.vault.envelope import Place

STEP_SECONDS = 30
DIGITS = 6
TOLERANCE = 1


class TotpDevice(ThrottlingMixin, Device):
    """An authenticator app of one person. Its seed is sealed in the vault; a code works once.

    django-otp's own device keeps the seed readable in the database, which ours must not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sealed = models.BinaryField()
    last_step = models.BigIntegerField(default=-1, help_text="The time step of the last code that was accepted")

    @property
    def place(self) -> Place:
        return Place(str(self.user.reseller_id), "", "totp_seed", str(self.pk), 1)

    @property
    def persistent_id(self) -> str:
        """What the session keeps. django-otp reads the id back as a whole number, which a UUID can be written as."""
        return f"{self.model_label()}/{self.pk.int}"

    def get_throttle_factor(self) -> float:
        """Seconds to wait after the first wrong code; each further one doubles them."""
        return 1.0

    def accepts(self, code: str, seed: bytes) -> bool:
        """Check a code against the seed, and burn it. Two requests with one code: one of them wins."""
        if not code.isdigit() or len(code) != DIGITS:
            return False
        totp = TOTP(seed, step=STEP_SECONDS, digits=DIGITS)
        totp.time = time.time()
        if not totp.verify(int(code), tolerance=TOLERANCE, min_t=self.last_step + 1):
            return False
        step = totp.t()
        unused = type(self).objects.filter(pk=self.pk, last_step__lt=step)
        if not unused.update(last_step=step):
            return False
        # django-otp saves the whole row when it resets its throttle: it must not write the old step back.
        self.last_step = step
        return True


class OneTimeLink(models.Model):
    """A link that works once and not for long. Only the SHA-256 of its token is kept.

    Without a person it is the link to the set-up page of an installation that has no owner yet.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="one_time_links"
    )
    token_hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("created_at")), name="a_link_lives_a_while"),
        ]

    def __str__(self) -> str:
        return f"one-time link {self.pk}"
