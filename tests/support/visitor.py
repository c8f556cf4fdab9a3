"""Somebody at the pages of Latchkey: signed in with both factors, with the authenticator at hand."""

from __future__ import annotations

import time

from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import TOTP

from msp.access.actions import make_totp_device
from msp.access.fresh import GIVEN_AT, vault
from msp.access.models import TotpDevice
from technicians.models import Technician


class Visitor(Client):
    """A browser with a person in front of it. `fresh` says whether the second factor was given a moment ago."""

    def __init__(self, person: Technician, *, fresh: bool = True) -> None:
        super().__init__()
        self.person = person
        device = TotpDevice.objects.filter(user=person, confirmed=True).first()
        if device is None:
            device, _seed = make_totp_device(person, vault=vault(), confirmed=True)
        self.seed = vault().open(bytes(device.sealed), device.place)
        self.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        session = self.session
        session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        if fresh:
            session[GIVEN_AT] = time.time()
        session.save()

    def code(self) -> str:
        """What the person's authenticator shows now."""
        totp = TOTP(self.seed)
        totp.time = time.time()
        return f"{totp.token():06d}"
